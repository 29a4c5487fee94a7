"""A sampler limited to the sub-space of one copy of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from supernet.errors import UsageError
from supernet.nn import Decisions, Supernet
from supernet.space import Arch
from supernet.train.adapt.copies import leaves_of
from supernet.train.programs._protocol import Program
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.draws import Draws, drawn_by
from supernet.train.step import Step


@dataclass(frozen=True)
class Within:
    """The paths of another sampler, drawn from the sub-space of one leaf of a `Leaves` network.

    Args:
        sampler: The sampler, which is given the leaf's part of the space as `step.space`.
        leaf: The number of the copy of the weights, from 0.
    """

    sampler: Sampler
    leaf: int

    @property
    def draws(self) -> Draws:
        return drawn_by(self.sampler)

    def check(self, net: Supernet) -> None:
        count = len(leaves_of(net).copies)
        if not 0 <= self.leaf < count:
            raise UsageError(f"Paths were to come from leaf {self.leaf}, but the supernet has leaves 0 to {count - 1}.")
        self.sampler.check(net)

    def paths(self, step: Step) -> Sequence[Arch | Decisions]:
        leaves = leaves_of(step.net)
        space = leaves.spaces[self.leaf]
        if space is None:
            raise UsageError(
                f"Leaf {self.leaf} holds no sub-space yet; split the space before the phase that trains it."
            )
        paths = self.sampler.paths(step.within(space))
        if any(leaves.leaf(path) != self.leaf for path in paths):
            raise UsageError(
                f"{type(self.sampler).__name__} drew a path outside the sub-space of leaf {self.leaf}. Use a sampler "
                "that draws from `step.space`, such as Uniform."
            )
        return paths


def within(program: Program, leaf: int) -> Program:
    """A program of paths, which it draws from the sub-space of one leaf and so trains on the leaf's weights."""
    paths = cast(Any, program)
    limited: Program = replace(paths, sampler=Within(paths.sampler, leaf))
    return limited
