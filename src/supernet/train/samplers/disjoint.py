"""Paths that have no option in common (Π-NAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch, Space
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step


@dataclass(frozen=True)
class Disjoint:
    """Several paths that differ in every choice: the options of a choice are drawn without replacement (Π-NAS).

    Π-NAS ([arXiv 2108.09671](https://arxiv.org/abs/2108.09671)), released code. Each path by itself is uniform. Where a
    choice matters in some architectures only, paths in which it does not matter have nothing of it to share.

    Args:
        count: The number of paths.

    Raises:
        UsageError: fewer than two paths; when it is checked, a choice with fewer options than there are paths.
    """

    count: int = 2

    def __post_init__(self) -> None:
        if self.count < 2:
            raise UsageError(f"Disjoint paths are two or more; got {self.count}. For a single path take Uniform().")

    @property
    def draws(self) -> Draws:
        return "joint"

    def check(self, net: Supernet) -> None:
        self._require(net.space)

    def _require(self, space: Space) -> None:
        for choice, codes in zip(space.choices, space.allowed_codes, strict=True):
            if len(codes) < self.count:
                raise UsageError(
                    f"{self.count} paths were to differ in every choice, but {choice.name!r} has {len(codes)} "
                    f"option{'s' if len(codes) > 1 else ''}. Give every choice {self.count} options or more, or leave "
                    "out of the space what is no choice."
                )

    def paths(self, step: Step) -> Sequence[Arch]:
        self._require(step.space)
        columns = [step.rng.permutation(codes)[: self.count] for codes in step.space.allowed_codes]
        return step.space.wrap(step.space.canonical(np.stack(columns, axis=1).astype(np.int16)))
