"""The table of NAS-Bench-201 topologies on digits: each trained alone, from scratch, several times.

    python benchmarks/digits_table.py --out digits.jsonl [--workers 2] [--archs 320] [--seeds 3] [--csv digits.csv]

One from each stratum of parameter count, all different. Killed and started again, it goes on. At the end it prints how
the accuracies spread, how far the seeds agree, and what parameter count alone would give.

Digits are easy: trained for long, all topologies come out equal. So the network has three cells per stage, trainings
are short, half of the images that are not for testing measure, and BatchNorm is calibrated, because running averages
have not settled after 30 steps.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from supernet import data, measure, zoo
from supernet.judge import Truth, train_alone, write_csv
from supernet.judge.truth.truth import one_per_stratum
from supernet.nn import Supernet
from supernet.rank import kendall_tau
from supernet.space import Arch
from supernet.train import Cosine, CrossEntropy, Fixed, Recipe, TrainPaths, sgd

CHANNELS, CELLS = 8, 3
STEPS, BATCH, LEARNING_RATE = 30, 128, 0.1
build = partial(zoo.nasbench201, channels=CHANNELS, cells=CELLS, in_channels=1, affine=True, statistics="track")


def topologies(net: Supernet, n: int, seed: int) -> list[Arch]:
    """`n` architectures, one from each stratum of parameter count."""
    codes = zoo.nasbench201_codes()
    params = measure.cost_model(net, (1, 8, 8)).params(codes)
    return net.space.wrap(codes[one_per_stratum(params, n, np.random.default_rng(seed))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--archs", type=int, default=320)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    net = build()
    archs = topologies(net, options.archs, seed=0)
    recipe = Recipe(
        name="alone",
        program=TrainPaths(sampler=Fixed(archs[0]), objective=CrossEntropy()),
        weights=sgd(LEARNING_RATE, nesterov=True, weight_decay=5e-4, schedule=Cosine()),
    )
    table = train_alone(
        build,
        recipe,
        data.digits(validation=0.5),
        archs,
        steps=STEPS,
        batch_size=BATCH,
        seeds=options.seeds,
        out=options.out,
        workers=options.workers,
        accelerator="cpu",
    )
    describe(table, measure.cost_model(net, (1, 8, 8)).params(table.codes))
    if options.csv:
        write_csv(table, options.csv)


def describe(table: Truth, params: np.ndarray) -> None:
    print(table)
    print(
        "accuracy, quantiles 0 10 25 50 75 90 100:", np.quantile(table.mean, [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]).round(4)
    )
    if len(table.seeds) > 1:
        print(table.noise_ceiling())
    print(f"τ of parameter count: {kendall_tau(params, table.mean):.3f}")


if __name__ == "__main__":
    main()
