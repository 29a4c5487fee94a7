"""Does bfloat16 keep the accuracy? SPOS on NAS-Bench-201 (C=8, N=1) and digits, float32 against bf16-mixed.

    python benchmarks/bf16_accuracy.py [--seeds 3] [--steps 600]

Prints the mean validation accuracy of the same 20 random architectures with inherited weights, per seed.
"""

from __future__ import annotations

import argparse
import statistics

import numpy as np
import torch

from supernet import data, fit, measure, methods, zoo
from supernet.io.run_directory import environment


def mean_accuracy(precision: str, seed: int, steps: int) -> float:
    images = data.digits(seed=seed)
    torch.manual_seed(seed)
    net = zoo.nasbench201(channels=8, cells=1, in_channels=1, statistics="calibrate")
    fit(net, methods.spos(), images, steps=steps, seed=seed, precision=precision, progress=False)
    archs = net.space.wrap(net.space.population(np.random.default_rng(0), 20))
    return statistics.mean(measure.accuracy(net, arch, images, calibration=measure.Calibration()) for arch in archs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=600)
    options = parser.parse_args()
    facts = environment()
    print(f"{facts['date']}  {facts['cpu']}, {facts['threads']} threads, torch {facts['torch']}")
    for precision in ("32-true", "bf16-mixed"):
        scores = [mean_accuracy(precision, seed, options.steps) for seed in range(options.seeds)]
        spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
        print(f"{precision:<11} {statistics.mean(scores):.4f} ± {spread:.4f}   {[round(s, 4) for s in scores]}")


if __name__ == "__main__":
    main()
