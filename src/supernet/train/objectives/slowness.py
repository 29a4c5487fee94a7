"""A loss, and how fast the states of a recurrent network change along a text."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import Tensor

from supernet.errors import UsageError
from supernet.train.alone import alone
from supernet.train.move import Objective, Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.terms import as_terms
from supernet.train.values._protocol import Number, check_value, value_of


@dataclass(frozen=True)
class Slowness:
    """A loss plus β times the mean of (h_t − h_{t−1})² over places, features and texts (temporal regularisation).

    Merity et al., [arXiv 1708.01009](https://arxiv.org/abs/1708.01009), §4.4; DARTS and ENAS train recurrent cells with
    it. It is a loss of training alone: scores of the task leave it out.

    Args:
        objective: The loss.
        weight: β.
        states: The module of the network that returns the states (B, T, D), before anything of them is dropped.

    Raises:
        UsageError: a weight below 0; while it runs, a network without such a module, or states of another shape.
    """

    objective: Objective = field(default_factory=CrossEntropy)
    weight: Number = 1e-3
    states: str = "cell"

    def __post_init__(self) -> None:
        check_value("The weight of the slowness of states", self.weight, at_least=0)

    @property
    def taps(self) -> tuple[str, ...]:
        """The module of the states."""
        return (self.states,)

    def chance(self, of_task: float) -> None:
        """None: how fast states change at first is not known beforehand."""

    def alone(self) -> Slowness:
        """The same around what the loss is for one architecture."""
        return replace(self, objective=alone(self.objective))

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        """The terms of the loss, and `slowness`."""
        states = outcome.taps[self.states]
        if states.ndim != 3 or states.shape[1] < 2:
            raise UsageError(
                f"Slowness compares the states of neighbouring places, (B, T, D) with T of 2 or more, but "
                f"{self.states!r} returned {tuple(states.shape)}. Name the module that returns them."
            )
        change = (states[:, 1:] - states[:, :-1]).square().mean()
        return {**as_terms(self.objective(outcome)), "slowness": value_of(self.weight, outcome.step) * change}
