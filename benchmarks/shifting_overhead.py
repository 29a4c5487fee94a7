"""How much longer does a search take that shifts the supernet? The paper: 17 GPU hours become 19 to 20.

    python benchmarks/shifting_overhead.py [--validation 10000] [--images 640] [--candidates 16]

Random images, batch norm calibrated on 2,000 training images, validation on all of its images; evolution in generations
of 8 architectures, all of which are trained on. ImageNet, the paper's data, has 50,000 validation images. Prints the
processor time of a plain and of a shifted search with the same evaluations, taken in turns, for several spaces.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from supernet import Supernet, data, search, zoo
from supernet.io.run_directory import environment
from supernet.measure import NetEvaluator

SPACES: dict[str, Callable[[], Supernet]] = {
    "nasbench201, C=8, N=1": lambda: zoo.nasbench201(channels=8, cells=1),
    "nasbench_macro, C=8": lambda: zoo.nasbench_macro(channels=8),
}


def seconds(build: Callable[[], Supernet], images: data.ImageData, budget: int, wrap: search.Shifting | None) -> float:
    """Of the processor, which other work on the machine hardly changes."""
    torch.manual_seed(0)
    evaluator = NetEvaluator(build(), images)
    began = time.process_time()
    searcher = search.Evolution(population=8, parents=4, mutations=4, crossovers=4)
    search.run(searcher, evaluator, budget=budget, wrap=wrap)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--validation", type=int, default=10_000)
    parser.add_argument("--images", type=int, default=640)
    parser.add_argument("--candidates", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--side", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.optim.SGD([torch.zeros(1)])  # the first optimiser of a process imports the compiler, which takes seconds
    facts = environment()
    print(f"{facts['date']}  {facts['cpu']}, {facts['threads']} threads, torch {facts['torch']}")
    rng = np.random.default_rng(0)
    total = options.validation + 4000
    pixels = rng.integers(0, 256, (total, options.side, options.side, 3), dtype=np.uint8)
    images = data.from_arrays(pixels, np.arange(total) % 10, name="noise", validation=options.validation, test=1000)
    print(f"{images}; {options.images} of them per candidate in batches of {options.batch_size}")
    shifting = search.Shifting(images=options.images, batch_size=options.batch_size, initial=True, keep=None, lr=0.0)
    for name, build in SPACES.items():
        ways = (None, shifting)
        pairs = [[seconds(build, images, options.candidates, way) for way in ways] for _ in range(options.repeats)]
        ratios = sorted(shifted / plain - 1 for plain, shifted in pairs)
        plain, shifted = (min(column) for column in zip(*pairs, strict=True))
        print(
            f"{name:<24} plain {plain:6.1f} s, shifted {shifted:6.1f} s: {ratios[len(ratios) // 2]:+.1%} "
            f"({ratios[0]:+.1%} to {ratios[-1]:+.1%})"
        )


if __name__ == "__main__":
    main()
