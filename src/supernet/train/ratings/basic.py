"""Quick ratings of architectures while the supernet trains, and what is picked by them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from supernet.errors import RunError, UsageError
from supernet.nn import Decisions
from supernet.space import Arch
from supernet.train.move import Step

Predictor: TypeAlias = Callable[[Sequence[Arch]], Sequence[float]]
"""Scores of architectures, the higher the better."""


class Rating(Protocol):
    """Tells good architectures from bad ones, with the weights as they are."""

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        """One number per architecture, the lower the better; the same on all processes."""
        ...


@dataclass(frozen=True)
class BatchLoss:
    """Cross-entropy on the training batch of the step (AttentiveNAS)."""

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        return step.rate(archs, data="train")


@dataclass(frozen=True)
class ValidationLoss:
    """Cross-entropy on the first validation images, always the same ones (GreedyNAS, §3.2).

    The supernet then learns what to train from validation labels, so accuracies on this split flatter the method.

    Args:
        images: How many; None: all.
    """

    images: int | None = 1000

    def __post_init__(self) -> None:
        _check_images("loss", self.images)

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        return step.rate(archs, data="validation", images=self.images)


@dataclass(frozen=True)
class ValidationError:
    """Share of the first validation images that are classified wrongly; coarser than `ValidationLoss`.

    Args:
        images: How many; None: all.
    """

    images: int | None = 1000

    def __post_init__(self) -> None:
        _check_images("error", self.images)

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        return step.rate(archs, data="validation", images=self.images, measure="error")


@dataclass(frozen=True)
class Predicted:
    """What a predictor says, without running the supernet (AttentiveNAS with an accuracy predictor).

    Args:
        scores: Maps architectures to as many scores, the higher the better. It must depend on them alone.
    """

    scores: Predictor

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        return [-float(score) for score in self.scores(archs)]


def _check_images(measure: str, images: int | None) -> None:
    if images is not None and images < 1:
        raise UsageError(f"The validation {measure} was to be that of {images} images; give at least 1, or None.")


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
