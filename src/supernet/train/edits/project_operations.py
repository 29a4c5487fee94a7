"""The operation without which the supernet is worst is kept (DARTS-PT)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from supernet.errors import UsageError
from supernet.nn import Decisions, Mixture
from supernet.space import Option
from supernet.train.context import Context
from supernet.train.edits.cells import by_cell
from supernet.train.parametrisations._protocol import drawn
from supernet.train.parametrisations.operation_choices import operation_choices
from supernet.train.relaxations._protocol import Relaxation
from supernet.train.relaxations.softmax import Softmax

PROJECTION = "projection"
"""What mixtures are drawn for, see `Relaxation`."""


@dataclass(frozen=True, kw_only=True)
class ProjectOperations:
    """Decides one open choice of operations in every kind of cell by leaving out one option after the other.

    [arXiv 2108.04392](https://arxiv.org/abs/2108.04392), algorithm 1. An open choice is drawn at random. Each of its
    options is taken out of the mixture, whose other weights stay as they are: they are not made to add up to 1 again.
    The option without which the supernet is worst on the validation images is decided, of equal ones the first. Choices
    whose names begin alike up to a dot stand in one kind of cell, see `by_cell`; kinds are decided in turn, each with
    what was decided before it.

    Args:
        measure: What makes the supernet worst: `"error"`, its share of wrong answers, or `"loss"`.
        relaxation: The rule by which logits become mixtures, as in the training.
        data: The split that rates; all its images do, with batch norm by the statistics of the batch.
        part: The part of the recipe that holds the logits.
        restart: Families whose optimisers forget their state first.
    """

    measure: Literal["error", "loss"] = "error"
    relaxation: Relaxation = field(default_factory=Softmax)
    data: str = "validation"
    part: str = "architecture"
    restart: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_measure(self.measure)

    def __call__(self, context: Context) -> None:
        """Decide, at the beginning of a phase."""
        for family in self.restart:
            context.steppers[family].restart()
        rng = np.random.default_rng(context.seed)
        for names in by_cell(choice.name for choice in operation_choices(context.net)).values():
            still_open = [name for name in names if context.restriction.decided(name) is None]
            if still_open:
                name = still_open[int(rng.integers(len(still_open)))]
                context.restriction.decide(name, self.best(context, name))

    def best(self, context: Context, name: str) -> Option:
        """The option of a choice without which the supernet is worst.

        Raises:
            UsageError: the part holds no mixture of this choice.
        """
        step, left = context.step, context.restriction.allowed(name)
        decisions = drawn(step, self.part, self.relaxation, PROJECTION)
        mixture = decisions.get(name)
        if not isinstance(mixture, Mixture):
            raise UsageError(
                f"The part {self.part!r} mixes no options of {name!r}, so that none can be left out of it."
            )
        without = [Decisions({**decisions, name: left_out(mixture, option, left)}) for option in left]
        ratings = step.rate(without, data=self.data, measure=self.measure)
        return context.net.space.choices[context.net.space.column(name)].options[left[int(np.argmax(ratings))]]


def left_out(mixture: Mixture, option: int, left: Sequence[int]) -> Mixture:
    """A mixture with the weight 0 for one option, which is not computed; the weights of the others stay as they are.

    >>> import torch
    >>> left_out(Mixture(torch.tensor([0.5, 0.25, 0.25])), 0, (0, 1, 2))
    Mixture(weights=tensor([0.0000, 0.2500, 0.2500]), run=(1, 2))
    """
    weights = mixture.weights.detach().clone()
    weights[option] = 0
    return Mixture(weights, tuple(other for other in left if other != option))


def check_measure(measure: str) -> None:
    """Raise a UsageError for something that the supernet is not rated by."""
    if measure not in ("error", "loss"):
        raise UsageError(f"A supernet that lacks something is rated by its 'error' or its 'loss'; got {measure!r}.")
