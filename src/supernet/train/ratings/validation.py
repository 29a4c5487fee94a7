"""Loss and error on validation images (GreedyNAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.space import Arch
from supernet.train.step import Step


@dataclass(frozen=True)
class ValidationLoss:
    """Cross-entropy on the first validation images, always the same ones (GreedyNAS, §3.2).

    [arXiv 2003.11236](https://arxiv.org/abs/2003.11236).

    The supernet then learns what to train from validation labels, so accuracies on this split flatter the method.

    Args:
        images: Number of validation images, the first of the split; None: all of them.
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
        images: Number of validation images, the first of the split; None: all of them.
    """

    images: int | None = 1000

    def __post_init__(self) -> None:
        _check_images("error", self.images)

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        return step.rate(archs, data="validation", images=self.images, measure="error")


def _check_images(measure: str, images: int | None) -> None:
    if images is not None and images < 1:
        raise UsageError(f"The validation {measure} was to be that of {images} examples; give at least 1, or None.")
