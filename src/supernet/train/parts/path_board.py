"""The board of the paths that have done best so far (Cream)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn.batch import Fields, mapped
from supernet.space import Arch, Space
from supernet.train.optimisers._protocol import check_number
from supernet.train.part import Setting

_ONLY = "x"
"""The name that an input of one tensor has in a checkpoint."""


class Entry(NamedTuple):
    """A path on the board.

    Attributes:
        code: Its code.
        score: Its accuracy on the batch that it was trained on when it came onto the board, in [0, 1].
        cost: What it costs, such as MACs.
        x: The first examples of that batch, (S, …).
        outputs: Probabilities (S, K) that it, or its teacher, gave them then.
    """

    code: tuple[int, ...]
    score: float
    cost: float
    x: Fields
    outputs: Tensor

    def examples(self) -> Batch:
        """Its examples, which have no labels here, where the probabilities are, laid out as those of a training are."""
        return Batch(self.x, self.outputs).to(self.outputs.device)


class PathBoard(nn.Module):
    """The best paths so far, sorted by score and then by cost: a part without parameters; checkpoints hold it.

    Cream, [arXiv 2010.15821](https://arxiv.org/abs/2010.15821), §3.1. A path comes onto it while there is room; then
    if its score is above the lowest by more than `gap`, or above it at a lower cost than that path's. The last one
    then leaves. A path may stand on it several times, with the weights of different steps.

    Args:
        size: The largest number of paths on it.
        gap: The difference of accuracies.

    Attributes:
        entries: The paths, the best first; of equal ones the cheaper one.
    """

    def __init__(self, size: int, gap: float) -> None:
        super().__init__()
        self.size, self.gap = size, gap
        self.entries: list[Entry] = []

    def within(self, space: Space) -> list[tuple[Arch, Entry]]:
        """The paths that lie in a (sub-)space, the best first."""
        if not self.entries:
            return []
        codes = np.asarray([entry.code for entry in self.entries], dtype=np.int16)
        pairs = zip(space.wrap(codes), self.entries, space.contains(codes), strict=True)
        return [(arch, entry) for arch, entry, inside in pairs if inside]

    def admits(self, score: float, cost: float) -> bool:
        """Whether a path of this accuracy and cost comes onto it."""
        if len(self.entries) < self.size:
            return True
        last = self.entries[-1]
        return score > last.score + self.gap or (score > last.score and cost < last.cost)

    def admit(self, entry: Entry) -> None:
        """Put a path onto it; of more than `size` the last one leaves."""
        self.entries = sorted([*self.entries, entry], key=lambda e: (-e.score, e.cost))[: self.size]

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for number, entry in enumerate(self.entries):
            fields = {_ONLY: entry.x} if isinstance(entry.x, Tensor) else {f"x/{k}": v for k, v in entry.x.items()}
            numbers = torch.tensor([entry.score, entry.cost], dtype=torch.float64)
            held = {"code": torch.tensor(entry.code, dtype=torch.int16), "numbers": numbers, "outputs": entry.outputs}
            for key, value in (held | fields).items():
                destination[f"{prefix}{number}/{key}"] = value

    def _load_from_state_dict(self, state_dict: Mapping[str, Tensor], prefix: str, *rest: Any) -> None:
        found: dict[int, dict[str, Tensor]] = {}
        for name, value in state_dict.items():
            place, _, key = name.removeprefix(prefix).partition("/")
            found.setdefault(int(place), {})[key] = value.clone()
        self.entries = [_entry(found[number]) for number in sorted(found)]


def _entry(held: Mapping[str, Tensor]) -> Entry:
    named = {key.removeprefix("x/"): value for key, value in held.items() if key.startswith("x/")}
    score, cost = held["numbers"].tolist()
    return Entry(tuple(held["code"].tolist()), score, cost, named or held[_ONLY], held["outputs"])


@dataclass(frozen=True, kw_only=True)
class BoardOfPaths:
    """Builds a `PathBoard`, which is empty at first.

    Args:
        size: The largest number of paths on it.
        gap: The accuracy, a share, by which a path has to beat the last one where it costs more.

    Raises:
        UsageError: no place on it, or a gap outside [0, 1].
    """

    size: int = 10
    gap: float = 0.05

    def __post_init__(self) -> None:
        if self.size < 1:
            raise UsageError(f"The board was to hold {self.size} paths; give at least 1.")
        check_number("The gap of accuracies of the board", self.gap, at_least=0, at_most=1)

    def __call__(self, setting: Setting) -> PathBoard:
        """The board of one training."""
        return PathBoard(self.size, self.gap)


def copied(x: Fields, count: int) -> Fields:
    """The first examples, by themselves."""
    return mapped(x, lambda tensor: tensor[:count].detach().clone())
