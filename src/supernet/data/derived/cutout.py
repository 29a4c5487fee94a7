"""Cutout beside the other random changes of the training images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from supernet.data.augment import Augment
from supernet.data.data import Kind
from supernet.data.derived.other_augment import with_augment
from supernet.errors import UsageError


@dataclass(frozen=True)
class Cutout:
    """Data from whose training images a square is cut out, after all else that is random about them.

    [arXiv 1708.04552](https://arxiv.org/abs/1708.04552). Validation and test images stay as they are.

    Args:
        side: Side of the square in pixels; final networks for CIFAR are trained with 16.

    Raises:
        UsageError: The side is not positive.

    >>> from supernet.data import digits
    >>> Cutout(2)(digits()).train.augment.cutout
    2
    """

    side: int = 16

    def __post_init__(self) -> None:
        if self.side < 1:
            raise UsageError(f"Cutout was to have a side of {self.side} pixels; give at least 1, or leave it out.")

    def __call__(self, data: Kind) -> Kind:
        """The data with cutout.

        Raises:
            UsageError: The square is as large as the images, or these are read from files, which have no cutout.
        """
        train = with_augment(data.train, self._added)
        if train is data.train:
            raise UsageError(
                f"The training images of {data.name} ({type(data.train).__name__}) have no cutout. Take images that "
                "are held in memory, or leave cutout out (cutout=0)."
            )
        return replace(data, name=f"{data.name}, cutout {self.side}", train=train)

    def _added(self, augment: Any) -> Any:
        return replace(augment, cutout=self.side) if isinstance(augment, Augment) else augment
