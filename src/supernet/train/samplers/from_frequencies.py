"""Subnets that are drawn as the archive of the training has them, choice by choice (NAT)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.samplers.architecture_archive import ArchitectureArchive, frequencies, population
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step


@dataclass(frozen=True)
class FromFrequencies:
    """`count` independent architectures, every choice as often as the kept members of the archive have each option.

    [arXiv 2005.05859](https://arxiv.org/abs/2005.05859), §3.4: a categorical distribution per choice, independent of
    the other choices. A choice that matters in some members only, such as the kernel of a block that others leave out,
    is as often as in those; one that matters in none is uniform, and so are all before there is an archive.

    Args:
        count: Paths per step.
    """

    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"Sampling by frequencies was asked for {self.count} paths a step; at least 1 is needed.")

    @property
    def draws(self) -> Draws:
        return "one" if self.count == 1 else "independent"

    def check(self, net: Supernet) -> None:
        """Any space will do."""

    def paths(self, step: Step) -> Sequence[Arch]:
        space = step.space
        kept = population(space, ArchitectureArchive(step.memory).kept())
        codes = np.zeros((self.count, len(space)), dtype=np.int16)
        for column, p in enumerate(frequencies(space, kept)):
            codes[:, column] = step.rng.choice(len(p), size=self.count, p=p)
        return space.wrap(space.canonical(codes))
