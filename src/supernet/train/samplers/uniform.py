"""Uniform single-path sampling (SPOS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step


@dataclass(frozen=True)
class Uniform:
    """`count` independent architectures, every choice uniform over its options (SPOS, §3.3).

    [arXiv 1904.00420](https://arxiv.org/abs/1904.00420).

    Args:
        count: Paths per step; the paper uses one.
    """

    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"Uniform sampling was asked for {self.count} paths a step; at least 1 is needed.")

    @property
    def draws(self) -> Draws:
        return "one" if self.count == 1 else "independent"

    def check(self, net: Supernet) -> None:
        """Any space will do."""

    def paths(self, step: Step) -> Sequence[Arch]:
        return step.space.wrap(step.space.population(step.rng, self.count))
