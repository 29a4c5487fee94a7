"""Strictly fair sampling (FairNAS)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch, Space
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step

_MAX_PATHS = 64


@dataclass(frozen=True)
class StrictFair:
    """A group of m paths in which every option of every choice occurs equally often (FairNAS, algorithm 1).

    [arXiv 1907.01845](https://arxiv.org/abs/1907.01845).

    For each choice an independent random permutation of its m options is drawn; path k takes the k-th entry
    of each. Where choices have different numbers of options, the group has their least common multiple of
    paths and an option of a choice with n options occurs m / n times. In a sub-space the options are those that it
    allows.
    """

    @property
    def draws(self) -> Draws:
        return "independent"

    def check(self, net: Supernet) -> None:
        self._group(net.space)

    @staticmethod
    def _group(space: Space) -> int:
        gated = [choice.name for choice in space.choices if choice.when is not None]
        if gated:
            raise UsageError(
                f"Strict fairness updates every option equally often, but {gated[0]!r} only exists in some "
                "architectures. Use a space without gated choices (restrict the depth to one value and rebuild), "
                "or another sampler."
            )
        m = math.lcm(*space.counts.tolist())
        if m > _MAX_PATHS:
            raise UsageError(
                f"Strict fairness needs {m} paths a step here, the least common multiple of the numbers of options; "
                f"at most {_MAX_PATHS} are sensible. Give the choices equal numbers of options."
            )
        return m

    def paths(self, step: Step) -> Sequence[Arch]:
        m = self._group(step.space)
        columns = [np.repeat(codes, m // len(codes)) for codes in step.space.allowed_codes]
        group = np.stack([step.rng.permutation(column) for column in columns], axis=1)
        return step.space.wrap(group.astype(np.int16))
