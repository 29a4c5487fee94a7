"""A softmax of its own for every group of options (DOTS)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn import Mixture
from supernet.space import Choice, Option
from supernet.train.relaxations._protocol import Given
from supernet.train.values._protocol import Number, check_value, value_of

PARAMETER_FREE = ("none", "max_pool_3x3", "avg_pool_3x3", "skip_connect")
"""The operations of the DARTS space that have no weights."""


@dataclass(frozen=True)
class GroupSoftmax:
    """Weights softmax(α / T) within each group of options, so that groups do not compete (DOTS).

    [arXiv 2010.00969](https://arxiv.org/abs/2010.00969). The weights of a choice add up to the number of its groups.

    Args:
        groups: Options that make a group, by group; those of none make one more.
        temperature: The temperature T that logits are divided by, above 0. It may change over time.

    Raises:
        UsageError: an option in two groups, or a temperature that is not above 0.
    """

    groups: tuple[tuple[Option, ...], ...] = (PARAMETER_FREE,)
    temperature: Number = 1.0

    def __post_init__(self) -> None:
        check_value("The temperature of the softmax", self.temperature, above=0)
        named = [option for group in self.groups for option in group]
        twice = [option for option in named if named.count(option) > 1]
        if twice:
            raise UsageError(f"The option {twice[0]!r} stands twice in the groups {self.groups}. Name it once.")

    def mixture(self, logits: Tensor, given: Given) -> Mixture:
        """softmax(logits / T) over the allowed options of each group; others are not computed."""
        space = given.step.net.space
        scaled = logits / value_of(self.temperature, given.step)
        weights = torch.zeros_like(logits)
        for group in positions(space.choices[space.column(given.name)], self.groups):
            left = [index for index in group if given.allowed is None or index in given.allowed]
            if left:
                at = torch.tensor(left, device=logits.device)
                weights = weights.index_put((at,), scaled[at].softmax(0))
        return Mixture(weights, given.allowed)

    def probabilities(self, logits: Tensor) -> Tensor:
        """softmax(logits) over all options, whatever their groups: they compete in one distribution."""
        return logits.softmax(0)


def positions(choice: Choice, groups: tuple[tuple[Option, ...], ...]) -> list[list[int]]:
    """The positions of the options of a choice by group, of groups that it has options of.

    >>> positions(Choice("op", ("none", "conv", "skip_connect", "pool")), (PARAMETER_FREE,))
    [[0, 2], [1, 3]]
    """
    of = {option: number for number, group in enumerate(groups) for option in group}
    found: dict[int, list[int]] = {}
    for index, option in enumerate(choice.options):
        found.setdefault(of.get(option, len(groups)), []).append(index)
    return [found[number] for number in sorted(found)]
