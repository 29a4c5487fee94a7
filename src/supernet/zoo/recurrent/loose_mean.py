"""What leaves a recurrent cell whose nodes choose their inputs: the mean of those that no node has taken."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from supernet.nn import Mutable
from supernet.space import Choice
from supernet.zoo.cells.loose_ends import taken_by


class LooseMean(nn.Module, Mutable):
    """The mean of the states that no node takes as an input (ENAS, §2.1): n states (B, D) -> (B, D).

    The last state is always loose. Under a mixture a state is taken that has any weight other than 0.

    Args:
        count: n.
        picks: The choices of inputs of the nodes from 2 on, each with the positions of states as its options; node 1
            takes state 0.
    """

    mixes = True

    def __init__(self, count: int, picks: Sequence[Choice]) -> None:
        super().__init__()
        self.count, self.picks = count, tuple(picks)

    def _loose(self) -> tuple[int, ...]:
        taken = {state for pick in self.picks for state in taken_by(pick, self.selection.decision(pick))}
        taken |= {0} if self.count > 1 else set()
        return tuple(state for state in range(self.count) if state not in taken)

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        return _mean([states[state] for state in self._loose()])

    def depends_on(self) -> tuple[Choice, ...]:
        return self.picks

    def plain(self) -> nn.Module:
        return _Mean(self._loose())


class _Mean(nn.Module):
    """The mean of some of the states."""

    def __init__(self, sources: Sequence[int]) -> None:
        super().__init__()
        self.sources = tuple(sources)

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        return _mean([states[state] for state in self.sources])


def _mean(states: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(states)).mean(0) if len(states) > 1 else states[0]
