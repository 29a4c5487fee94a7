"""What a move costs as candidates grow in number: time and saved activations of each method's moves against one path.

    python benchmarks/step_candidates.py [--candidates 2 4 8] [--repeats 15]

Six blocks of 3 x 3 convolutions to choose from, 16 channels, 16 x 16 pixels, batches of 32, one thread. Methods take
turns within each repetition, and ratios are of medians within one run. Partial channels are measured on zoo.darts with
K = 1, 2 and 4.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from supernet import OpChoice, Supernet, methods, zoo
from supernet.data import ImageData, from_arrays
from supernet.io.run_directory import environment
from supernet.nn import batch_norm
from supernet.train import Move, Recipe, Step
from supernet.train.executor import Executor
from supernet.train.processes.launch import launch
from supernet.train.state import TrainingState

METHODS: Mapping[str, Callable[[], Recipe]] = {
    "one path": methods.spos,
    "GDAS": methods.gdas,
    "SNAS, drawn": lambda: methods.snas(samples="drawn", levels=2),
    "ENAS": lambda: methods.enas(auxiliary=0.0),
    "DARTS": methods.darts,
    "DrNAS": methods.drnas,
}
BATCH = 32


def blocks(candidates: int, *, channels: int = 16, count: int = 6) -> Supernet:
    """A chain of choices among equal convolutions."""

    def convolution() -> nn.Module:
        conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        return nn.Sequential(conv, batch_norm(channels, statistics="batch"), nn.ReLU())

    chain = [OpChoice(f"block{k}", {f"op{n}": convolution() for n in range(candidates)}) for k in range(count)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    return Supernet(nn.Sequential(nn.Conv2d(3, channels, 3, padding=1), *chain, *head))


def images() -> ImageData:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (4 * BATCH, 16, 16, 3), dtype=np.uint8)
    return from_arrays(pixels, np.arange(4 * BATCH) % 10, name="noise", validation=0.5)


class Trained:
    """A recipe on a network, one move at a time."""

    def __init__(self, net: Supernet, recipe: Recipe, data: ImageData) -> None:
        net.input_shape = data.shape
        self.recipe, self.net = recipe.on(net.space), net.train()
        self.state = TrainingState(net, self.recipe, seed=0, batch_size=BATCH)
        fabric = launch(accelerator="cpu", devices=1, strategy="auto", precision="32-true")
        self.run = Executor(fabric, net, self.state.steppers, data, batch_size=BATCH, seed=0, draws={})

    def move(self, index: int, family: str) -> tuple[Move, Step]:
        """The first move of a step on a family."""
        step = Step(index, 100, self.net, np.random.default_rng(index), self.state.parts, runner=self.run)
        for act in self.recipe.phases[0].program.moves(step):
            if isinstance(act, Move) and family in act.families:
                return act, step
        raise SystemExit(f"{self.recipe.name} makes no move on {family}.")

    def seconds(self, index: int, family: str) -> float:
        move, step = self.move(index, family)
        began = time.perf_counter()
        self.run.execute(move, step)
        return time.perf_counter() - began

    def saved(self, family: str) -> int:
        """Bytes of distinct storages that the backward pass of a path keeps, but for parameters and images."""
        move, step = self.move(0, family)
        batch = self.run.batch(move.data)
        known = {t.untyped_storage().data_ptr() for t in (*self.net.parameters(), batch.images)}
        kept: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in known:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss, _ = self.run.run(move.paths[0], batch, step)
        total = sum(kept.values())
        del loss
        return total


def compare(trained: Mapping[str, Trained], family: str, repeats: int) -> dict[str, tuple[float, float]]:
    """Time and memory of each, relative to the first."""
    seconds: dict[str, list[float]] = {name: [] for name in trained}
    for index in range(repeats + 2):
        for name, one in trained.items():
            took = one.seconds(index, family)
            if index > 1:  # the first two warm caches up
                seconds[name].append(took)
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    saved = {name: one.saved(family) for name, one in trained.items()}
    first = next(iter(trained))
    return {name: (medians[name] / medians[first], saved[name] / saved[first]) for name in trained}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, nargs="+", default=[2, 4, 8], metavar="N")
    parser.add_argument("--repeats", type=int, default=15, metavar="N", help="moves that are timed")
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = images()
    print({name: environment()[name] for name in ("machine", "torch", "python") if name in environment()})
    print("| candidates | " + " | ".join(METHODS) + " |")
    print("|---|" + "---|" * len(METHODS))
    for count in given.candidates:
        made = {}
        for name, method in METHODS.items():
            torch.manual_seed(0)
            made[name] = Trained(blocks(count), method(), data)
        row = compare(made, "weights", given.repeats)
        told = (f"{seconds:.2f} ({saved:.2f})" for seconds, saved in row.values())
        print(f"| {count} | " + " | ".join(told) + " |")
    cells = {}
    for partial in (1, 2, 4):
        torch.manual_seed(0)
        net = zoo.darts(channels=16, layers=3, nodes=3, none=True, partial=partial, image_size=16)
        cells[f"K = {partial}"] = Trained(net, methods.pc_darts(exclude=("none",)), data)
    row = compare(cells, "weights", max(3, given.repeats // 3))
    print("partial channels: " + ", ".join(f"{n}: {s:.2f} ({m:.2f})" for n, (s, m) in row.items()))


if __name__ == "__main__":
    main()
