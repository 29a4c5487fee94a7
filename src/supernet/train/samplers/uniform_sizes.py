"""Sets whose size is drawn first (MixPath)."""

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
class UniformSizes:
    """Independent architectures; of a choice of sets the size is drawn first, then a set of this size (MixPath).

    [arXiv 2001.05887](https://arxiv.org/abs/2001.05887). Sizes are uniform over those that are allowed, sets uniform
    over those of a size: with up to 4 of 4 kernels all four run in a quarter of the steps, and not in one of 15. Other
    choices are uniform over their options.

    Args:
        count: Paths per step; the paper uses one.
    """

    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"UniformSizes was asked for {self.count} paths a step; at least 1 is needed.")

    @property
    def draws(self) -> Draws:
        return "one" if self.count == 1 else "independent"

    def check(self, net: Supernet) -> None:
        if not _of_sets(net.space):
            raise UsageError(
                f"UniformSizes draws how many members of a set run, but none of the choices {net.space.names[:4]} … is "
                "one of sets. Use Uniform, or a space such as zoo.mixpath."
            )

    def paths(self, step: Step) -> Sequence[Arch]:
        space, rng = step.space, step.rng
        codes = space.population(rng, self.count)
        for column in _of_sets(space):
            options = space.choices[column].options
            allowed = space.allowed_codes[column]
            sizes = np.asarray([len(options[code]) for code in allowed])
            for row in range(self.count):
                codes[row, column] = rng.choice(allowed[sizes == rng.choice(np.unique(sizes))])
        return space.wrap(codes)


def _of_sets(space: Space) -> list[int]:
    """The columns of choices whose options are sets."""
    return [
        column
        for column, choice in enumerate(space.choices)
        if all(isinstance(option, tuple) for option in choice.options)
    ]
