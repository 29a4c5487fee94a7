"""The output of a cell whose nodes choose their inputs: what no node has taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from supernet.nn import Decision, EdgeWeights, Mixture, Mutable
from supernet.nn.members import total
from supernet.space import Choice
from supernet.space.conditions import Chosen, Conditions


class LooseEnds(nn.Module, Mutable):
    """The states of a cell that no node takes as an input, side by side, through a 1 × 1 convolution (ENAS, §2.4).

    States (B, C, H, W) -> (B, C, H, W). The convolution has C input channels for each state, of which it uses those of
    the loose ends: W [s₁; s₂; …] = Σ Wₛ s. It is therefore held, and computed, as one convolution per state. The last
    state is always loose. Under a mixture a state is taken that has any weight other than 0.

    Args:
        picks: The choices of inputs, each with the positions of states as its options: `(0,)`, `(1,)` ….
        states: Number of states.
        width: C.
    """

    mixes = True

    def __init__(self, picks: Sequence[Choice], states: int, width: int) -> None:
        super().__init__()
        self.picks = tuple(picks)
        self.relu = nn.ReLU()
        self.by_state = nn.ModuleList(nn.Conv2d(width, width, 1, bias=False) for _ in range(states))

    def _loose(self) -> list[int]:
        taken = {state for pick in self.picks for state in _taken(pick, self.selection.decision(pick))}
        return [state for state in range(len(self.by_state)) if state not in taken]

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        return total([self.by_state[state](self.relu(states[state])) for state in self._loose()])

    def depends_on(self) -> tuple[Choice, ...]:
        return self.picks

    def runs(self) -> dict[str, Conditions]:
        found: dict[str, Conditions] = {}
        for state in range(len(self.by_state)):
            others = ((pick, tuple(i for i, o in enumerate(pick.options) if (state,) != o)) for pick in self.picks)
            found[f"by_state.{state}"] = tuple(
                Chosen(pick, left) for pick, left in others if len(left) < len(pick.options)
            )
        return found

    def plain(self) -> nn.Module:
        """The convolutions of the loose ends, added up."""
        loose = self._loose()
        return _Mixed(loose, [self.by_state[state] for state in loose])


def _taken(pick: Choice, decision: Decision) -> list[int]:
    """The states that one choice of inputs takes."""
    if isinstance(decision, EdgeWeights):
        return [state for state, weight in enumerate(decision.weights.tolist()) if weight]
    if isinstance(decision, Mixture):
        decision = tuple(index for index, weight in enumerate(decision.weights.tolist()) if weight)
    options: tuple[Any, ...] = pick.options
    return [state for index in ((decision,) if isinstance(decision, int) else decision) for state in options[index]]


class _Mixed(nn.Module):
    """Σ Wₛ relu(s) over some of the states."""

    def __init__(self, sources: Sequence[int], convolutions: Sequence[nn.Module]) -> None:
        super().__init__()
        self.sources, self.convolutions, self.relu = tuple(sources), nn.ModuleList(convolutions), nn.ReLU()

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        pairs = zip(self.sources, self.convolutions, strict=True)
        return total([convolution(self.relu(states[state])) for state, convolution in pairs])
