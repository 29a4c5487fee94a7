"""Labelled images of one size, in three disjoint splits."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.data.data import Data
from supernet.data.split import Split
from supernet.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class ImageData(Data):
    """A labelled image data set in three disjoint splits.

    Attributes:
        held_out: The test images; read them through :attr:`test`.
        classes: Class names, in label order.
        shape: ``(C, H, W)`` of one image.
        mean: Mean of each channel over the training images.
        std: Standard deviation of each channel over the training images.

    Raises:
        UsageError: There are fewer than two classes, or a further split has a name that is taken.
    """

    held_out: Split
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise UsageError(f"{self.name} has only the class {self.classes}; there is nothing to tell apart.")
        super().__post_init__()

    def __str__(self) -> str:
        C, H, W = self.shape
        return (
            f"{self.name}: {len(self.train)} train, {len(self.validation)} validation, "
            f"{len(self.held_out)} test images of {C}x{H}x{W}, {self.num_classes} classes"
        )
