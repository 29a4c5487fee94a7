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
    """The states of a cell that no node takes as an input, side by side, through a linear layer (ENAS, §2.4).

    States (B, C, H, W) -> what the layer gives, (B, C', H', W') of a convolution. The layer has C inputs for each
    state, of which it uses those of the loose ends: W [s₁; s₂; …] = Σ Wₛ s. It is therefore held, and computed, as one
    layer per state, behind a ReLU. The last state is always loose. Under a mixture a state is taken that has any weight
    other than 0.

    Args:
        picks: The choices of inputs, each with the positions of states as its options: `(0,)`, `(1,)` ….
        by_state: The layer's part for each state.
    """

    mixes = True

    def __init__(self, picks: Sequence[Choice], by_state: Sequence[nn.Module]) -> None:
        super().__init__()
        self.picks = tuple(picks)
        self.relu = nn.ReLU()
        self.by_state = nn.ModuleList(by_state)

    def _loose(self) -> list[int]:
        taken = {state for pick in self.picks for state in taken_by(pick, self.selection.decision(pick))}
        return [state for state in range(len(self.by_state)) if state not in taken]

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        return total([self.by_state[state](self.relu(states[state])) for state in self._loose()])

    def depends_on(self) -> tuple[Choice, ...]:
        return self.picks

    def runs(self) -> dict[str, Conditions]:
        return {f"by_state.{state}": _while_loose(self.picks, state) for state in range(len(self.by_state))}

    def plain(self) -> nn.Module:
        """The parts of the loose ends, added up."""
        loose = self._loose()
        return _Mixed(loose, [self.by_state[state] for state in loose])


class WhileLoose(nn.Module, Mutable):
    """A module that runs on a state of a cell while no node takes it; otherwise the state passes: x -> module(x) or x.

    Args:
        picks: The choices of inputs, as of `LooseEnds`.
        state: The position of the state.
        module: The module.
    """

    mixes = True

    def __init__(self, picks: Sequence[Choice], state: int, module: nn.Module) -> None:
        super().__init__()
        self.picks, self.state, self.module = tuple(picks), state, module

    def _is_loose(self) -> bool:
        return all(self.state not in taken_by(pick, self.selection.decision(pick)) for pick in self.picks)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.module(x) if self._is_loose() else x
        return out

    def depends_on(self) -> tuple[Choice, ...]:
        return self.picks

    def runs(self) -> dict[str, Conditions]:
        return {"module": _while_loose(self.picks, self.state)}

    def plain(self) -> nn.Module:
        return self.module if self._is_loose() else nn.Identity()


def _while_loose(picks: Sequence[Choice], state: int) -> Conditions:
    """That no choice of inputs takes a state."""
    others = ((pick, tuple(i for i, o in enumerate(pick.options) if (state,) != o)) for pick in picks)
    return tuple(Chosen(pick, left) for pick, left in others if len(left) < len(pick.options))


def taken_by(pick: Choice, decision: Decision) -> list[int]:
    """The states that one choice of inputs takes."""
    if isinstance(decision, EdgeWeights):
        return [state for state, weight in enumerate(decision.weights.tolist()) if weight]
    if isinstance(decision, Mixture):
        decision = tuple(index for index, weight in enumerate(decision.weights.tolist()) if weight)
    options: tuple[Any, ...] = pick.options
    return [state for index in ((decision,) if isinstance(decision, int) else decision) for state in options[index]]


class _Mixed(nn.Module):
    """Σ fₛ(relu(s)) over some of the states."""

    def __init__(self, sources: Sequence[int], parts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.sources, self.parts, self.relu = tuple(sources), nn.ModuleList(parts), nn.ReLU()

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        return total([part(self.relu(states[state])) for state, part in zip(self.sources, self.parts, strict=True)])
