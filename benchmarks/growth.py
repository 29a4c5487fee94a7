"""How cost grows: the processor's time and peak memory of parts of the package against the size of what they are given.

    OMP_NUM_THREADS=1 python benchmarks/growth.py [--only NAME …] [--quick]

Each size runs in a process of its own, forked from one that has imported everything. A slope is that of least squares
through log(time) over log(size), over the upper half of the sizes, where fixed costs weigh less; 1 is linear growth.
Prints tables as Markdown.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from growing_record import grow, small_run
from torch import nn

from supernet.data import ImageData, digits
from supernet.judge import RankReport, specialisation
from supernet.measure import NetEvaluator, cost_model
from supernet.methods import spos
from supernet.nn import OpChoice, Supernet
from supernet.quantity import ACCURACY, MACS
from supernet.report import write_report
from supernet.search import NSGA2, Constraints, Evaluation, Evolution, Front, RandomSearch, run
from supernet.search.laws import Toy
from supernet.space import Choice, Space
from supernet.train import fit
from supernet.zoo import nasbench201

Work = Callable[[], object]


@dataclass(frozen=True)
class Series:
    """Something of growing size: `prepare(size)` makes ready what is then timed."""

    name: str
    grows: str
    sizes: Sequence[int]
    prepare: Callable[[int], Work]


def chain(choices: int, options: int) -> Supernet:
    """Blocks one after the other, each a choice among 1 × 1 convolutions, that keep 4 channels."""
    blocks = [OpChoice(f"block{n}", {f"conv{k}": nn.Conv2d(4, 4, 1) for k in range(options)}) for n in range(choices)]
    ends = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)]
    return Supernet(nn.Sequential(nn.Conv2d(1, 4, 1), *blocks, *ends), input_shape=(1, 8, 8))


def trained(net: Supernet, images: ImageData) -> Work:
    return lambda: fit(net, spos(), images, steps=4, batch_size=16, accelerator="cpu", progress=False)


def scored(number: int) -> Work:
    net, images = nasbench201(channels=4, cells=1, in_channels=1), digits()
    archs = net.space.wrap(net.space.population(np.random.default_rng(0), number))
    evaluator = NetEvaluator(net, images, images=64)
    return lambda: [evaluator.evaluate(arch, ("accuracy",)) for arch in archs]


def counted(number: int) -> Work:
    net = nasbench201(channels=4, cells=1, in_channels=1)
    evaluator = NetEvaluator(net, digits())
    evaluator.costs(net.space.population(np.random.default_rng(0), 2), "macs")
    codes = net.space.population(np.random.default_rng(1), number)
    return lambda: evaluator.costs(codes, "macs")


def toy() -> Toy:
    return Toy(Space([Choice(f"c{n}", tuple(range(5))) for n in range(20)]))


def costed(net: Supernet) -> Work:
    return lambda: cost_model(net)


def searched(searcher: Any, budget: int, goals: tuple[str, ...] = ("accuracy",)) -> Work:
    return lambda: run(searcher, toy(), objectives=goals, budget=budget)


def resumed(rows: int) -> Work:
    folder = Path(tempfile.mkdtemp())
    with mock.patch("os.fsync"):  # thousands of lines, none of which has to outlive the machine
        run(RandomSearch(), toy(), objectives=TWO, budget=rows, out=folder)
    return lambda: run(RandomSearch(), toy(), objectives=TWO, budget=rows, out=folder, resume=True)


def front(points: int, share: float) -> Work:
    """Of random values, of which a share is as accurate as it is dear: nothing among them is dominated."""
    subject, rng = toy(), np.random.default_rng(0)
    archs = subject.space.wrap(subject.space.population(rng, points))
    values = rng.random((points, 2))
    values[: int(share * points), 1] = values[: int(share * points), 0]
    told = [{"accuracy": a, "macs": b} for a, b in values.tolist()]
    archive = tuple(Evaluation(arch, value, 0) for arch, value in zip(archs, told, strict=True))

    def work() -> None:
        found = Front((ACCURACY, MACS), Constraints(()), archive, {}, 1.0, "random", "budget")
        found.spread(10)
        found.best()
        folder = Path(tempfile.mkdtemp())
        found.write(folder)
        Front.read(folder, subject.space)

    return work


def judged(networks: int) -> Work:
    rng = np.random.default_rng(0)
    true = rng.random(networks)
    predicted, other = true + rng.normal(0, 0.3, (2, networks))
    return lambda: RankReport.of(predicted, true, baselines={"MACs": other})


def grouped(networks: int) -> Work:
    space, rng = toy().space, np.random.default_rng(0)
    codes, true = space.population(rng, networks), rng.random(networks)
    return lambda: specialisation(space, codes, (true + rng.normal(0, 0.3, networks)).tolist(), true)


def reported(rows: int) -> Work:
    folder = Path(tempfile.mkdtemp())
    grow(small(), folder, rows)
    return lambda: write_report(folder)


@cache
def small() -> Path:
    """A run that is made once, whose records grow."""
    return small_run(Path(tempfile.mkdtemp()))


CHOICES, OPTIONS = (8, 16, 32, 64, 128), (4, 8, 16, 32, 64, 128)
BUDGETS, POPULATIONS = (500, 1_000, 2_000, 4_000, 8_000), (25, 50, 100, 200, 400, 800)
TWO = ("accuracy", "macs")
SERIES = (
    Series("scoring", "architectures", (8, 16, 32, 64, 128), scored),
    Series("costs of a population", "architectures", (4_000, 16_000, 64_000, 256_000), counted),
    Series("supernet built", "choices", (*CHOICES, 256), lambda n: lambda: chain(n, 3)),
    Series("costs known", "choices", CHOICES, lambda n: costed(chain(n, 3))),
    Series("four steps", "choices", CHOICES, lambda n: trained(chain(n, 3), digits())),
    Series("supernet built", "options", OPTIONS, lambda n: lambda: chain(6, n)),
    Series("costs known", "options", OPTIONS, lambda n: costed(chain(6, n))),
    Series("four steps", "options", OPTIONS, lambda n: trained(chain(6, n), digits())),
    Series("random search", "evaluations", BUDGETS, lambda n: searched(RandomSearch(), n)),
    Series("evolution", "evaluations", BUDGETS, lambda n: searched(Evolution(), n)),
    Series("NSGA-II", "evaluations", BUDGETS, lambda n: searched(NSGA2(), n, TWO)),
    Series("evolution", "in each of ten generations", POPULATIONS, lambda n: searched(Evolution(population=n), 10 * n)),
    Series("NSGA-II", "in each of ten generations", POPULATIONS, lambda n: searched(NSGA2(population=n), 10 * n, TWO)),
    Series("search resumed", "rows of its record", BUDGETS, resumed),
    Series("front of an archive", "evaluations", (1_000, 2_000, 4_000, 8_000, 16_000), lambda n: front(n, 0.0)),
    Series("front of all that is known", "points", (500, 1_000, 2_000, 4_000), lambda n: front(n, 1.0)),
    Series("judgement without its scoring", "networks", (50, 100, 200, 400, 800, 1_600), judged),
    Series("families in a judgement", "networks", (100, 200, 400, 800, 1_600), grouped),
    Series("page of a run", "rows of each record", (100, 200, 400, 800, 1_600, 3_200), reported),
)


def measured(series: Series, size: int) -> tuple[float, float]:
    """Processor seconds, and megabytes that a process grew by, in a child of this one."""
    here, there = os.pipe()
    if (child := os.fork()) == 0:
        os.close(here)
        try:
            work = series.prepare(size)
            before, begin = _held(), time.process_time()
            work()
            told: list[Any] = [time.process_time() - begin, _peak() - before]
        except BaseException as error:
            told = [f"{type(error).__name__}: {error}"]
        os.write(there, json.dumps(told).encode())
        os._exit(0)
    os.close(there)
    with os.fdopen(here, "rb") as answer:
        told = json.loads(answer.read() or b'["died"]')
    os.waitpid(child, 0)
    if len(told) == 1:
        raise SystemExit(f"{series.name} at {size}: {told[0]}")
    return float(told[0]), float(told[1])


def _held() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def slope(sizes: Sequence[int], values: Sequence[float]) -> float:
    """Of least squares through the logarithms, over the upper half of the sizes; NaN where a value there is 0."""
    upper = slice((len(sizes) - 1) // 2, None)
    if min(values[upper]) <= 0:
        return math.nan
    return float(np.polyfit(np.log(sizes[upper]), np.log(values[upper]), 1)[0])


def tables(chosen: Sequence[Series], *, quick: bool) -> Iterator[str]:
    yield "| what | size | seconds | slope | MB | slope |\n|---|---|---|---|---|---|"
    for series in chosen:
        sizes = list(series.sizes[:-1] if quick else series.sizes)
        found = [measured(series, size) for size in sizes]
        seconds, memory = ([row[n] for row in found] for n in (0, 1))
        grown = slope(sizes, [value if value > 1 else 0.0 for value in memory])
        told = [", ".join(f"{value:,}" for value in sizes), ", ".join(f"{value:.3g}" for value in seconds)]
        told += [f"{slope(sizes, seconds):.2f}", ", ".join(f"{value:.0f}" for value in memory)]
        told += ["–" if math.isnan(grown) else f"{grown:.2f}"]
        yield f"| {series.name} | {told[0]} {series.grows} | {' | '.join(told[1:])} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[""], help="parts of names of series and of what grows")
    parser.add_argument("--quick", action="store_true", help="without the largest size of each")
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen = [one for one in SERIES if any(part in f"{one.name} {one.grows}" for part in options.only)]
    if any(series.prepare is reported for series in chosen):
        small()
    fit(chain(2, 2), spos(), digits(), steps=1, accelerator="cpu", progress=False)  # what is imported with the first
    run(NSGA2(), toy(), objectives=TWO, budget=50)
    judged(20)()
    for line in tables(chosen, quick=options.quick):
        print(line, flush=True)


if __name__ == "__main__":
    main()
