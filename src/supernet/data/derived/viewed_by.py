"""Data whose training images come in views that are augmented each in a way of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from supernet.data.data import Kind
from supernet.data.derived.views import Views
from supernet.data.folder import FolderSplit
from supernet.data.indexed import indexed, made_of
from supernet.data.memory import MemorySplit
from supernet.data.view_augment import ViewAugment
from supernet.errors import UsageError


@dataclass(frozen=True)
class ViewedBy:
    """Data whose training images come in one view by each augmentation, in place of that of the data; see `Views`.

    Args:
        augments: The augmentations, two or more.

    Raises:
        UsageError: fewer than two; where it is called, training images that are not augmented by this package.

    >>> from supernet.data import digits
    >>> from supernet.data.view_augment import MOCO_V2, WEAK
    >>> print(ViewedBy((MOCO_V2, WEAK))(digits()))
    digits, 2 views: 1150 train, 288 validation, 359 test images of 1x8x8, 10 classes
    """

    augments: tuple[ViewAugment, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "augments", tuple(self.augments))
        if len(self.augments) < 2 or not all(isinstance(augment, ViewAugment) for augment in self.augments):
            raise UsageError(f"Images were to be seen by {self.augments!r}; give two ViewAugment or more.")

    def __call__(self, data: Kind) -> Kind:
        """The data with these views."""
        train = indexed(data.train, "ViewedBy")
        *_, innermost = made_of(train)
        if not isinstance(innermost, MemorySplit | FolderSplit):
            raise UsageError(
                f"The training images of {data.name} cannot be augmented as views ({type(innermost).__name__}). Take "
                "images in memory or a folder of images, or views by the augmentation of the data (views=None)."
            )
        count = len(self.augments)
        return replace(data, name=f"{data.name}, {count} views", train=Views(train, count, self.augments))

    def alone(self) -> None:
        """None: an architecture that is trained alone sees every image once."""
