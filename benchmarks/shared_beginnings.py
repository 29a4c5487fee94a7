"""What it saves to score the networks of a chain together, whose common beginnings run once.

    python benchmarks/shared_beginnings.py

Scores the first networks of NAS-Bench-Macro (untrained, 32 x 32 noise) one by one and together, in turns, and prints
the ratio of the times, and whether the scores are equal.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch

from supernet import Supernet, zoo
from supernet.data import Data, from_arrays
from supernet.measure import Calibration, NetEvaluator
from supernet.space import Arch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archs", type=int, default=243, help="number of architectures, the first in order")
    parser.add_argument("--images", type=int, default=200, help="number of images for statistics, and for scores")
    parser.add_argument("--together", type=int, default=243, help="number of architectures that are scored together")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    torch.manual_seed(0)
    net = zoo.nasbench_macro(channels=16, head_channels=64)
    archs = [arch for _, arch in zip(range(options.archs), net.space.enumerate(), strict=False)]
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (10 * options.images, 32, 32, 3)).astype(np.uint8)
    images = from_arrays(pixels, np.arange(len(pixels)) % 10, name="noise")
    ratios = []
    for turn in range(options.turns):
        alone, slow = scored(net, archs, images, options.images, 1)
        shared, quick = scored(net, archs, images, options.images, options.together)
        ratios.append(slow / quick)
        times = f"one by one {slow:.1f} s, together {quick:.1f} s, {ratios[-1]:.2f} times"
        print(f"turn {turn}: {times}; equal: {alone == shared}", flush=True)
    print(f"median {statistics.median(ratios):.2f} times, {len(archs)} architectures by {options.together}")


def scored(net: Supernet, archs: list[Arch], images: Data, count: int, together: int) -> tuple[list[float], float]:
    evaluator = NetEvaluator(net, images, calibration=Calibration(images=count, batch_size=100), images=count)
    begun = time.perf_counter()
    for first in range(0, len(archs), together):
        evaluator.look_ahead(archs[first : first + together])
        for arch in archs[first : first + together]:
            evaluator.scores(arch)
    return [evaluator.scores(arch).loss for arch in archs], time.perf_counter() - begun


if __name__ == "__main__":
    main()
