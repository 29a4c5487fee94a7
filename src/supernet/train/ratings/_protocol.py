"""What a rating promises, and what is picked by ratings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from supernet.errors import RunError, UsageError
from supernet.nn import Decisions
from supernet.space import Arch
from supernet.train.step import Step

__all__ = ["Rating"]


class Rating(Protocol):
    """Tells good architectures from bad ones, with the weights as they are."""

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        """One number per architecture, the lower the better; the same on all processes."""
        ...


def rated(rating: Rating, step: Step, archs: Sequence[Arch]) -> list[float]:
    """The ratings of architectures; one that occurs repeatedly is rated once.

    Raises:
        RunError: there are not as many ratings as architectures, or one is not finite.
    """
    different = list(dict.fromkeys(archs))
    found = [float(value) for value in rating(step, different)]
    if len(found) != len(different) or not all(map(math.isfinite, found)):
        raise RunError(
            f"{type(rating).__name__} rated {len(different)} architectures as {found}. A rating gives one finite "
            "number per architecture; correct it."
        )
    by_arch = dict(zip(different, found, strict=True))
    return [by_arch[arch] for arch in archs]


def lowest(values: Sequence[float], count: int) -> list[int]:
    """Positions of the `count` lowest values, ascending; of equal ones the first comes first.

    >>> lowest([3.0, 1.0, 2.0, 1.0], 3)
    [1, 3, 2]
    """
    return sorted(range(len(values)), key=lambda place: values[place])[:count]


def only_architectures(paths: Sequence[Arch | Decisions], *, of: object) -> list[Arch]:
    """The paths of a sampler that draws architectures.

    Raises:
        UsageError: one is a mixture or a subset of operations.
    """
    archs = [path for path in paths if isinstance(path, Arch)]
    if len(archs) < len(paths):
        raise UsageError(
            f"{type(of).__name__} samples mixtures, and only architectures can be rated. Use a sampler such as Uniform."
        )
    return archs
