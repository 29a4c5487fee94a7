"""Data whose training images come in several views each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from supernet.data.data import Kind
from supernet.data.derived.views import Views
from supernet.data.indexed import indexed
from supernet.errors import UsageError


@dataclass(frozen=True)
class Viewed:
    """Data whose training images come in several views, each augmented anew, see `Views`; other splits stay plain.

    Args:
        views: Number of views of each image.

    Raises:
        UsageError: fewer than two views.

    >>> from supernet.data import digits
    >>> print(Viewed(2)(digits()))
    digits, 2 views: 1150 train, 288 validation, 359 test images of 1x8x8, 10 classes
    """

    views: int = 2

    def __post_init__(self) -> None:
        if self.views < 2:
            raise UsageError(f"Images were to be seen in {self.views} views; give two or more.")

    def __call__(self, data: Kind) -> Kind:
        """The data with these views.

        Raises:
            UsageError: the training images are not known by number.
        """
        train = Views(indexed(data.train, "Viewed"), self.views)
        return replace(data, name=f"{data.name}, {self.views} views", train=train)

    def alone(self) -> None:
        """None: an architecture that is trained alone sees every image once."""
