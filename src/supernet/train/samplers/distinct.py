"""Several architectures, none of them twice (BossNAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step


@dataclass(frozen=True)
class Distinct:
    """`count` different architectures, all of them equally likely (BossNAS, released code).

    [arXiv 2103.12424](https://arxiv.org/abs/2103.12424). Where there are fewer, all of them in random order.

    Args:
        count: Paths per step.
    """

    count: int = 4

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"Distinct paths were asked for, {self.count} a step; at least 1 is needed.")

    @property
    def draws(self) -> Draws:
        return "one" if self.count == 1 else "joint"

    def check(self, net: Supernet) -> None:
        """Any space will do."""

    def paths(self, step: Step) -> Sequence[Arch]:
        space = step.space
        if space.size <= 2**20:
            numbers = step.rng.permutation(space.size)[: self.count]
            return space.wrap(space.unindex([int(number) for number in numbers]))
        found: dict[tuple[int, ...], Arch] = {}
        while len(found) < self.count:
            drawn = space.wrap(space.population(step.rng, self.count - len(found), per="architecture"))
            found |= {arch.code: arch for arch in drawn}
        return list(found.values())
