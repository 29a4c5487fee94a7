"""One path whose options are drawn with given probabilities (Cream)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step


@dataclass(frozen=True)
class Weighted:
    """One architecture per step; every choice takes option o with the probability pₒ, the same for all choices.

    Cream, [arXiv 2010.15821](https://arxiv.org/abs/2010.15821), released code: its prior over the six blocks of a
    layer. In a sub-space the probabilities of the options that are left are scaled to a sum of 1.

    Args:
        probabilities: p by the position of an option in its choice; they are positive, and their sum is 1.

    Raises:
        UsageError: they are no such numbers; a choice has another number of options (`check`).
    """

    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", tuple(self.probabilities))
        if not all(0 < p <= 1 for p in self.probabilities) or not math.isclose(sum(self.probabilities), 1):
            raise UsageError(
                f"Options were to be drawn with the probabilities {self.probabilities}; give positive numbers, one per "
                "option, whose sum is 1."
            )

    @property
    def draws(self) -> Draws:
        return "one"

    def check(self, net: Supernet) -> None:
        for choice in net.space.choices:
            if len(choice) != len(self.probabilities):
                raise UsageError(
                    f"The choice {choice.name!r} has {len(choice)} options, and {len(self.probabilities)} "
                    "probabilities were given, which are meant for every choice. Give as many, or draw uniformly "
                    "(Uniform(); of a method, prior=None)."
                )

    def paths(self, step: Step) -> Sequence[Arch]:
        space = step.space
        code = np.zeros((1, len(space)), dtype=np.int16)
        for column, allowed in enumerate(space.allowed_codes):
            weights = np.asarray(self.probabilities)[allowed]
            code[0, column] = step.rng.choice(allowed, p=weights / weights.sum())
        return space.wrap(space.canonical(code))
