"""Small supernets of cells whose nodes choose their inputs, and trainings of them that are stopped everywhere."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from small_nets import convolution
from supernet import Choice, OpChoice, Supernet
from supernet.nn import InputChoice, Zero
from supernet.space import subsets
from supernet.train import checkpoint
from supernet.train.laws import Trial

OPTIONS = ("none", "skip", "conv1", "conv3")


class Cells(nn.Module):
    """A stem, cells one after another, a classifier; every cell sees the outputs of the two before it."""

    def __init__(self, cells: Sequence[Sequence[InputChoice]], channels: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, padding=1, stride=2)
        self.cells = nn.ModuleList(nn.ModuleList(nodes) for nodes in cells)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, 10))

    def forward(self, x: Tensor) -> Tensor:
        before = last = self.stem(x)
        for cell in self.cells:
            states = [before, last]
            for node in cell:
                states.append(node(states))
            before, last = last, torch.stack(states[2:]).mean(0)
        out: Tensor = self.head(last)
        return out


def cells_net(
    *,
    kinds: Sequence[str] = ("normal", "reduce"),
    nodes: int = 2,
    channels: int = 6,
    options: Sequence[str] = OPTIONS,
    seed: int = 0,
) -> Supernet:
    """A cell of each kind; nodes 2, 3, … choose pairs of inputs, as in DARTS."""

    def operation(name: str) -> nn.Module:
        kernels = {"conv1": 1, "conv3": 3}
        return (
            convolution(channels, kernels[name])
            if name in kernels
            else {"none": Zero, "skip": nn.Identity}[name.split("_")[0]]()
        )

    def node(kind: str, number: int) -> InputChoice:
        pairs = subsets(range(number), at_least=2, at_most=2)
        inputs = Choice(f"{kind}.{number}", pairs)
        return InputChoice(
            inputs,
            [
                OpChoice(
                    Choice(
                        f"{kind}.{number}<-{source}",
                        tuple(options),
                        when=inputs.is_in([pair for pair in pairs if source in pair]),
                    ),
                    {name: operation(name) for name in options},
                )
                for source in range(number)
            ],
        )

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Supernet(Cells([[node(kind, number) for number in range(2, nodes + 2)] for kind in kinds], channels))


def ends(trial: Trial, stops: Sequence[int], *, steps: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The last checkpoint of a training that returned, and was resumed, after each of these numbers of steps."""
    with tempfile.TemporaryDirectory() as folder:
        for stop in (*stops, steps):
            trial.train(steps=steps, out=Path(folder), stop_after=stop)
        newest = checkpoint.latest(Path(folder) / "checkpoints")
        assert newest is not None
        return checkpoint.load(newest)


def assert_stops_leave_no_trace(trial: Trial, *, steps: int) -> dict[str, Any]:
    """Stopped after every single step, a training ends in bitwise the same state; what it remembers is returned."""
    (expected, told), (found, meta) = ends(trial, (), steps=steps), ends(trial, range(1, steps), steps=steps)
    assert set(expected) == set(found)
    assert [name for name, tensor in expected.items() if not torch.equal(tensor, found[name])] == []
    assert meta == told
    return told
