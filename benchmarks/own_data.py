"""What data of one's own cost: steps of SPOS on torch's loaders and datasets against those on arrays of this package.

    OMP_NUM_THREADS=1 python benchmarks/own_data.py [--rounds 9] [--steps 24]

The same images in memory, the same seeds and architectures, in turn and in alternating order: arrays (`from_arrays`), a
`DataLoader` of a `TensorDataset`, that dataset itself, and one whose examples are read one by one. Each step's time is
taken between two calls of a monitor. Prints the median time of each and the median ratio to the arrays, round by round.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from supernet import zoo
from supernet.data import Augment, Data, from_arrays, from_datasets
from supernet.io.run_directory import environment
from supernet.methods import spos
from supernet.train import Step, fit

BATCH, SIDE, IMAGES = 128, 16, 2048


class Times:
    """A monitor that notes when a step has ended."""

    every = 1

    def __init__(self) -> None:
        self.ends: list[float] = []

    def __call__(self, step: Step) -> Mapping[str, float]:
        self.ends.append(time.perf_counter())
        return {}


class OneByOne(Dataset[Any]):
    """Examples as most datasets have them."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.x[index], int(self.y[index])


def sources() -> dict[str, Callable[[], Data]]:
    drawn = np.random.default_rng(0)
    x, y = drawn.normal(size=(IMAGES, 3, SIDE, SIDE)).astype(np.float32), np.arange(IMAGES) % 10
    held = (x[:BATCH], y[:BATCH])
    tensors = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    small = TensorDataset(*map(torch.from_numpy, held))
    classes = tuple(map(str, range(10)))
    return {
        "arrays": lambda: from_arrays(x, y, name="a", test=held, validation=held, layout="NCHW", augment=Augment()),
        "DataLoader": lambda: from_datasets(DataLoader(tensors, BATCH, shuffle=True), small, classes=classes),
        "TensorDataset": lambda: from_datasets(tensors, small, classes=classes),
        "one by one": lambda: from_datasets(OneByOne(*tensors.tensors), small, classes=classes),
    }


def median_step(data: Data, steps: int) -> float:
    torch.manual_seed(0)
    net, times = zoo.nasbench201(channels=16, cells=1), Times()
    fit(net, spos(), data, steps=steps, batch_size=BATCH, seed=0, progress=False, monitors=[times], accelerator="cpu")
    return statistics.median(np.diff(times.ends[3:]).tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=24)
    options = parser.parse_args()
    made = sources()
    found: dict[str, list[float]] = {name: [] for name in made}
    order = list(made)
    for _ in range(options.rounds):
        for name in order:
            found[name].append(median_step(made[name](), options.steps))
        order.reverse()
    print(environment()["cpu"], f"{torch.get_num_threads()} threads, batch {BATCH}, {SIDE}x{SIDE}, C=16 N=1")
    for name, seconds in found.items():
        ratios = [a / b for a, b in zip(seconds, found["arrays"], strict=True)]
        low, high = np.quantile(ratios, [0.25, 0.75])
        print(
            f"{name:>14}: {1e3 * statistics.median(seconds):7.2f} ms, ratio {statistics.median(ratios):.3f} "
            f"({low:.3f} to {high:.3f})"
        )


if __name__ == "__main__":
    main()
