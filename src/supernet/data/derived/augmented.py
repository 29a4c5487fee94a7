"""Data whose training images are augmented further than the data set says."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from supernet.data.augment import Augment
from supernet.data.data import Kind
from supernet.data.derived.other_augment import with_augment
from supernet.data.folder import FolderAugment
from supernet.data.photographs import check_changes
from supernet.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Augmented:
    """Further random changes of the training images, beside those of the data set.

    Args:
        rand_augment: Number of operations on each image, and their magnitude of 30 (Cubuk et al.,
            [arXiv 1909.13719](https://arxiv.org/abs/1909.13719), as torchvision has it); None: as the data set says.
        colour_jitter: Change brightness, contrast and saturation by up to this share; None: as the data set says.

    Raises:
        UsageError: A value is out of range, or nothing is asked for.

    >>> from supernet.data import digits
    >>> Augmented(rand_augment=(2, 9))(digits()).train.augment.rand_augment
    (2, 9)
    """

    rand_augment: tuple[int, int] | None = None
    colour_jitter: float | None = None

    def __post_init__(self) -> None:
        check_changes("Augmented", colour_jitter=self.colour_jitter or 0.0, rand_augment=self.rand_augment)
        if not self._asked:
            raise UsageError("Augmented() asks for nothing; give rand_augment or colour_jitter, or leave it out.")

    @property
    def _asked(self) -> dict[str, Any]:
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in given.items() if value is not None}

    def __call__(self, data: Kind) -> Kind:
        """The data with these changes.

        Raises:
            UsageError: The training images are not augmented by this package.
        """
        train = with_augment(data.train, self._further)
        if train is data.train:
            raise UsageError(
                f"The training images of {data.name} cannot be augmented further ({type(train).__name__}). Take images "
                "in memory or a folder of images; or leave this out (augmented=None)."
            )
        return replace(data, train=train)

    def _further(self, augment: Any) -> Any:
        return replace(augment, **self._asked) if isinstance(augment, Augment | FolderAugment) else augment

    def alone(self) -> Augmented:
        """The same: an architecture that is trained alone sees the same images."""
        return self
