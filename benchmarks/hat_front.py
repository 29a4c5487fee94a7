"""BLEU against latency of HAT's subnets: what the search finds, beside the largest, the smallest and random ones.

    python benchmarks/hat_front.py --out runs/hat_front [--steps N] [--length T] [--bounds N] [--budget N] [--seed N]

HAT's supernet, of the tiny space or a smaller one, is trained on verses from English to Japanese. A ridge regression
learns latencies on this machine from measured subnets; HAT's evolution looks for the lowest perplexity on validation
verses under each of some bounds on them, evenly spaced up to the largest subnet's. The table has what was found under
each bound, random subnets of the same predicted latency (within 3 %), the smallest and the largest: perplexity and BLEU
of characters on test verses, by greedy decoding with inherited weights, and the latency that is then measured, the
median of three rounds through all of them. A latency is the processor's time of one pass of one verse, source and
target so far padded to the length of the data, on one thread: what an idle core takes, also beside other load.

The folder holds the training, the latencies, the searches and a line per subnet (`subnets.jsonl`); the same command
goes on with what is there, and writes the table anew (`front.md`). Another setting wants another folder.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from supernet import Supernet, data, fit, measure, methods, search, zoo
from supernet.data import Data
from supernet.errors import UsageError
from supernet.io.files import write_json
from supernet.io.lines import keep_lines, read_lines
from supernet.io.run_directory import environment
from supernet.nn import Inputs
from supernet.nn.batch import called
from supernet.nn.input_shape import InputShape, example
from supernet.search import HATEvolution
from supernet.space import Arch
from supernet.tasks import Translation
from supernet.train import Cosine, WarmupThen, adam

WEIGHTS = adam(2e-3, betas=(0.9, 0.98), decoupled=True, schedule=WarmupThen(0.1, Cosine(floor=1e-4)), clip_norm=1.0)
"""HAT's, with a rate, a rise and a clipping for batches of 64 verses and few steps."""
SMALL: dict[str, Any] = {"encoder_widths": (64, 128), "decoder_widths": (64, 128), "ffn": (64, 128, 256)}
NEAR, ROUNDS = 0.03, 3


@dataclass(frozen=True)
class ProcessorTime:
    """Times passes on one thread by what the processor spends on them, in which waiting for other processes is not."""

    passes: int = 40
    warm_up: int = 5

    def measure(self, module: nn.Module, input_shape: InputShape) -> measure.Latency:
        """See `Device`."""
        copied, times = copy.deepcopy(module).eval(), []
        x = example(input_shape, 1, torch.Generator().manual_seed(0))
        with torch.inference_mode():
            for number in range(self.warm_up + self.passes):
                start = time.thread_time_ns()
                called(copied, x)
                if number >= self.warm_up:
                    times.append((time.thread_time_ns() - start) / 1e6)
        p10, median, p90 = np.percentile(times, (10, 50, 90)).tolist()
        return measure.Latency(median, p10, p90, len(times))


def trained(corpus: Data, options: argparse.Namespace) -> Supernet:
    """The supernet, trained or read."""
    torch.manual_seed(options.seed)
    sizes = {} if options.size == "tiny" else SMALL
    shape = cast("Inputs", corpus.shape)
    net = zoo.hat(variant="tiny", num_classes=corpus.outputs, input_shape=shape, **sizes)
    folder = options.out / "supernet"
    settings = {"steps": options.steps, "batch_size": 64, "seed": options.seed, "progress": False}
    found = fit(net, methods.hat(weights=WEIGHTS), corpus, out=folder, resume=folder.exists(), **settings)
    return found.net


def searched(
    net: Supernet, corpus: Data, latency: measure.LatencyPredictor, options: argparse.Namespace
) -> Iterator[tuple[float, Arch]]:
    """What has the lowest perplexity under each bound on the predicted latency."""
    least, most = predicted(latency, net, [net.space.smallest(), net.space.largest()])
    evaluator = measure.NetEvaluator(net, corpus.sealed(), latency=latency)
    share = max(2, options.budget // 10)  # 1 : 2 : 2, as HAT's 25, 50 and 50
    evolution = HATEvolution(parents=share, mutations=2 * share, crossovers=2 * share)
    for number in range(1, options.bounds + 1):
        bound = float(least + (most - least) * number / options.bounds)
        front = search.run(
            evolution,
            evaluator,
            objectives=("perplexity",),
            constraints={"latency_ms": bound},
            budget=options.budget,
            seed=options.seed,
            out=options.out / f"search{number}",
            resume=True,
        )
        yield bound, front.best("perplexity").arch


def predicted(latency: measure.LatencyPredictor, net: Supernet, archs: Sequence[Arch]) -> np.ndarray[Any, Any]:
    """Milliseconds (N,)."""
    return latency.predict_ms(net.space.codes(archs))


def alike(net: Supernet, latency: measure.LatencyPredictor, arch: Arch, n: int, seed: int) -> list[Arch]:
    """Random subnets of about the same predicted latency."""
    aim = predicted(latency, net, [arch])[0]
    codes = np.unique(net.space.population(np.random.default_rng(seed), 20_000), axis=0)
    codes = np.random.default_rng(seed + 1).permutation(codes)
    near = codes[np.abs(latency.predict_ms(codes) / aim - 1) < NEAR]
    return [found for found in net.space.wrap(near[: n + 1]) if found != arch][:n]


def rated(net: Supernet, corpus: Data, arch: Arch, verses: int) -> dict[str, float]:
    """Perplexity and BLEU on test verses, which nothing was chosen by."""
    greedy = replace(cast("Translation", corpus.task), beam=1)
    told = measure.scores(net, arch, corpus.test, images=verses, task=greedy).values
    return {name: told[name] for name in ("perplexity", "bleu")}


def timed(net: Supernet, archs: Sequence[Arch], device: ProcessorTime) -> list[float]:
    """Milliseconds of each, so that what else the machine does falls on all alike."""
    told = [[measure.latency_ms(net, arch, device=device) for arch in archs] for _ in range(ROUNDS)]
    return [float(ms) for ms in np.median(told, axis=0)]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown."""
    lines = ["| subnet | predicted ms | measured ms | M MACs | perplexity | BLEU |", "|---|---|---|---|---|---|"]
    for row in rows:
        figures = (f"{row['predicted_ms']:.2f}", f"{row['measured_ms']:.2f}", f"{row['macs'] / 1e6:.1f}")
        lines.append(f"| {row['subnet']} | {' | '.join(figures)} | {row['perplexity']:.1f} | {row['bleu']:.1f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--size", choices=("tiny", "small"), default="tiny", help="the space: that of the zoo, or half")
    parser.add_argument("--length", type=int, default=96, help="tokens of a verse; longer ones are left out")
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--bounds", type=int, default=4, help="bounds on latency, a search under each")
    parser.add_argument("--budget", type=int, default=125, help="subnets that a search evaluates")
    parser.add_argument("--timed", type=int, default=60, help="subnets that latencies are learned from, 20 at least")
    parser.add_argument("--random", type=int, default=3, help="random subnets beside each that is found")
    parser.add_argument("--verses", type=int, default=None, help="test verses of the table; all by default")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    asked = {name: value for name, value in vars(options).items() if name != "out"}
    settings, known = options.out / "settings.json", options.out / "subnets.jsonl"
    if settings.exists() and json.loads(settings.read_text())["settings"] != asked:
        raise UsageError(f"{settings} has other settings than {asked}; give another --out.")
    options.out.mkdir(parents=True, exist_ok=True)
    if not settings.exists():
        write_json(settings, {"settings": asked, "environment": environment()})
    torch.set_num_threads(1)
    corpus = data.verses(vocabulary=options.vocabulary, length=options.length, seed=options.seed)
    print(
        f"{len(corpus.train)}, {len(corpus.validation)}, {len(corpus.test)} verses of at most {options.length} tokens"
    )
    net, device = trained(corpus, options), ProcessorTime()
    model = measure.LatencyPredictor.build(
        net, device, n=options.timed, seed=options.seed, out=options.out / "latency.json"
    )
    print(f"latency: {model.errors}")
    named = {"smallest": net.space.smallest(), "largest": net.space.largest()}
    for number, (bound, arch) in enumerate(searched(net, corpus, model, options), start=1):
        named[f"found under {bound:.2f} ms"] = arch
        others = alike(net, model, arch, options.random, options.seed + number)
        named |= {f"random {n} beside {bound:.2f} ms": other for n, other in enumerate(others, start=1)}
    keep_lines(known, dict)  # a line that was being written when the process died is none
    scores = {row["arch"]: row for row in read_lines(known, dict).rows}
    for arch in named.values():
        if (name := str(arch.code)) not in scores:
            scores[name] = {"arch": name, **rated(net, corpus, arch, options.verses)}
            with known.open("a") as file:
                file.write(json.dumps(scores[name]) + "\n")
    measured = timed(net, list(named.values()), device)
    rows = [
        scores[str(arch.code)]
        | {"subnet": name, "measured_ms": ms, "macs": measure.macs(net, arch)}
        | {"predicted_ms": float(predicted(model, net, [arch])[0])}
        for (name, arch), ms in zip(named.items(), measured, strict=True)
    ]
    rows.sort(key=lambda row: (row["predicted_ms"], row["subnet"]))
    (options.out / "front.md").write_text(table(rows))
    print(table(rows) + f"seconds of CPU: {time.process_time():.0f}")


if __name__ == "__main__":
    main()
