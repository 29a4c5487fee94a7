"""Cutout beside the other random changes of the training images."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from supernet.data.augment import Augment
from supernet.data.data import Kind
from supernet.data.derived.joined import Joined
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
        train = self._cut(data.train)
        if train is data.train:
            raise UsageError(
                f"The training images of {data.name} ({type(data.train).__name__}) have no cutout. Take images that "
                "are held in memory, or leave cutout out (cutout=0)."
            )
        return replace(data, name=f"{data.name}, cutout {self.side}", train=train)

    def _cut(self, split: Any) -> Any:
        """A split with cutout in the images that it is made of; the same object where there are none of that kind."""
        if isinstance(split, Joined):  # whose images all go through the changes of its first
            first = self._cut(split.a)
            return split if first is split.a else replace(split, a=first)
        if not is_dataclass(split) or isinstance(split, type):
            return split
        held = {field.name: getattr(split, field.name) for field in fields(split)}
        if isinstance(held.get("augment"), Augment):
            return replace(split, augment=replace(held["augment"], cutout=self.side))
        inner = {name: self._cut(value) for name, value in held.items() if hasattr(value, "stream")}
        changed = {name: value for name, value in inner.items() if value is not held[name]}
        return replace(split, **changed) if changed else split
