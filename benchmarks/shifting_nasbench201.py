"""Supernet shifting where the truth is known: searches of trained NAS-Bench-201 supernets with a table.

    python benchmarks/shifting_nasbench201.py RUN… --table nasbench201.npz --out runs/shifting-201 [--workers 2]

Every run directory is searched by evolution without shifting, with the paper's, with that of its released code, and
with a mild and a strong one of steps at once. Followed along the generations: τ over a stratified sample of the space
(global order) and over a sample of its best 5 % (local order), and the paper's measure, ten good and twenty poor ones.
At the end: the true accuracy of what the search picks, of its ten best, and of the largest architecture, which needs
no search. A search that is there already is not repeated, a killed one goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from supernet import judge, search
from supernet.measure import Calibration, NetEvaluator, cost_model
from supernet.nn import Supernet
from supernet.precision import check_precision
from supernet.rank import draw_good_and_poor, kendall_tau, order_along
from supernet.runs.run import Run
from supernet.search import Shifting
from supernet.space import Arch
from supernet.train import load_weights

SHIFTS: dict[str, Shifting | None] = {
    "plain": None,
    "paper": Shifting(lr=1e-4),
    "mild": Shifting(lr=1e-3, momentum=0.9, update="batch", evaluate="after"),
    "strong": Shifting(lr=1e-2, momentum=0.9, update="batch", evaluate="after"),
    "released": Shifting.released(),
}
SAMPLE, EVERY = 50, 2


class Follow:
    """Both orders and the distance from the trained weights, relative to their norm, for the log of a search.

    Args:
        evaluator: What the search asks; remembers no score once a weight has changed.
        table: The truth.
        seed: Decides on the samples.
    """

    def __init__(self, evaluator: NetEvaluator, table: judge.Truth, seed: int) -> None:
        rng = np.random.default_rng([seed, 201])
        best = np.argsort(-table.mean)[: len(table) // 20]
        local = [table.archs[row] for row in rng.choice(best, SAMPLE, replace=False)]
        good, poor = draw_good_and_poor(table.mean, rng)
        self.samples = {"global": table.sample(SAMPLE, rng).archs, "local": local}
        self.thirty = [table.archs[row] for row in (*good, *poor)]
        self.evaluator, self.table, self.good = evaluator, table, len(good)
        self.start = [weight.detach().clone() for weight in evaluator.net.parameters()]

    def __call__(self, net: Supernet, generation: int) -> Mapping[str, float]:
        pairs = list(zip(net.parameters(), self.start, strict=True))
        far = sum(float((now.detach() - then).square().sum()) for now, then in pairs)
        row = {"moved": (far / sum(float(then.square().sum()) for _, then in pairs)) ** 0.5}
        if generation % EVERY:
            return row
        for name, archs in self.samples.items():
            scores = self._scores(archs)
            row |= {f"{name}/tau": kendall_tau(scores, self.table.lookup(archs)), f"{name}/accuracy": np.mean(scores)}
        order = order_along([self._scores(self.thirty)], self.table.lookup(self.thirty), good=self.good)[0]
        return row | {"order/found": order.found} | ({} if order.local_tau is None else {"order/tau": order.local_tau})

    def _scores(self, archs: list[Arch]) -> list[float]:
        return [self.evaluator.scores(arch).accuracy for arch in archs]


def carry_out(options: argparse.Namespace, run: str, label: str) -> None:
    """One search of one run."""
    torch.set_num_threads(1)
    folder = Path(options.out) / f"{Path(run).parent.name}-{Path(run).name}-{label}"
    if (folder / "found.json").is_file():
        return
    job = Run.open(Path(run), lambda text: None)
    load_weights(job.net, job.directory.path)
    table = judge.nasbench201_truth("cifar10", metric="test_acc", source=options.table)
    seed = job.config.seed
    evaluator = NetEvaluator(
        job.net,
        job.data.sealed(),
        calibration=Calibration(images=256),
        images=options.images,
        precision=check_precision(job.config.train.precision),
    )
    follow = Follow(evaluator, table, seed)
    before, shift = follow(job.net, 0), SHIFTS[label]
    wrap = None if shift is None else replace(shift, on_generation=(follow,))
    began = time.process_time()
    front = search.run(
        search.Evolution(), evaluator, budget=options.budget, seed=seed, out=folder, resume=True, wrap=wrap
    )
    seconds = time.process_time() - began
    latest = {e.arch: e.values["accuracy"] for e in front.archive}
    ranked = sorted(latest, key=latest.__getitem__, reverse=True)
    largest = int(np.argmax(cost_model(job.net, job.data.shape).params(table.codes)))
    log = folder / "shifted" / "shifting.jsonl"
    found = {
        "run": run,
        "shifting": label,
        "seed": seed,
        "found": float(table.lookup([front.points[0].arch])[0]),
        "ten": float(table.lookup(ranked[:10]).mean()),
        "best seen": float(table.lookup(list(latest)).max()),
        "largest": float(table.mean[largest]),
        "distinct": len(latest),
        "seconds": seconds,  # with the time that following takes
        "log": [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else [dict(before)],
    }
    (folder / "found.json").write_text(json.dumps(found, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--table", required=True)
    parser.add_argument("--out", default="runs/shifting-201")
    parser.add_argument("--shifts", default=",".join(SHIFTS), help="which of %(default)s")
    parser.add_argument("--budget", type=int, default=400)
    parser.add_argument("--images", type=int, default=2000, help="validation images")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that are started
    labels = options.shifts.split(",")
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        try:
            tasks = [pool.submit(carry_out, options, run, label) for label in labels for run in options.runs]
            for done in as_completed(tasks):
                done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    for path in sorted(Path(options.out).glob("*/found.json")):
        found: dict[str, Any] = json.loads(path.read_text())
        first, last = found["log"][0], [row for row in found["log"] if "global/tau" in row][-1]
        along = "  ".join(f"{name} {first[name]:.2f} -> {last[name]:.2f}" for name in ("global/tau", "local/tau"))
        print(
            f"{path.parent.name:<28} found {found['found']:.2f}, its ten best {found['ten']:.2f}, best seen "
            f"{found['best seen']:.2f}, largest {found['largest']:.2f}  {along}  {found['seconds']:.0f} s"
        )


if __name__ == "__main__":
    main()
