"""Paths that agree on one choice, so that they share one optimiser state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.adapt.copies import splits_of
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.agreeing import alike
from supernet.train.samplers.draws import Draws
from supernet.train.states.momentum_separation import MomentumSeparation
from supernet.train.step import Step


@dataclass(frozen=True)
class OneGroup:
    """The paths of another sampler, all with one random option on the choice that momentum is separated by.

    With `StrictFair` inside, fairness holds on all other choices (FairNAS under MS; Jeon et al., CVPR 2025).

    Args:
        sampler: The sampler that draws the architectures.
        states: The separation of momentum, by the option on an edge, which all paths of an update then share.
    """

    sampler: Sampler
    states: MomentumSeparation

    @property
    def draws(self) -> Draws:
        return "joint"

    def check(self, net: Supernet) -> None:
        self.sampler.check(net)
        self.states.edge(net.space, 0, splits_of(net))

    def paths(self, step: Step) -> Sequence[Arch]:
        column = step.space.column(self.states.edge(step.space, step.seed, splits_of(step.net)))
        return alike(self.sampler, step, column, type(self).__name__)
