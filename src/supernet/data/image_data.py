"""A data set as the product sees it: three disjoint splits, perhaps more, and what is known about their images."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from supernet.data.split import Split
from supernet.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class ImageData:
    """A labelled image data set in three disjoint splits.

    Attributes:
        name: Name of the data set in logs and reports.
        train: Images to train weights on.
        validation: Images to compare architectures on.
        held_out: The test images; read them through :attr:`test`.
        classes: Class names, in label order.
        shape: ``(C, H, W)`` of one image.
        mean: Mean of each channel over the training images.
        std: Standard deviation of each channel over the training images.
        is_sealed: Whether reading :attr:`test` is refused.
        more: Further splits by name, such as those of the clients of a federation; see :meth:`split`.

    Raises:
        UsageError: There are fewer than two classes, or a further split has a name that is taken.
    """

    name: str
    train: Split
    validation: Split
    held_out: Split
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    is_sealed: bool = False
    more: Mapping[str, Split] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise UsageError(f"{self.name} has only the class {self.classes}; there is nothing to tell apart.")
        if taken := [name for name in ("train", "validation", "test", "held_out") if name in self.more]:
            raise UsageError(f"{self.name} has a split {taken[0]!r} of its own; give the further one another name.")

    def __str__(self) -> str:
        C, H, W = self.shape
        return (
            f"{self.name}: {len(self.train)} train, {len(self.validation)} validation, "
            f"{len(self.held_out)} test images of {C}x{H}x{W}, {self.num_classes} classes"
        )

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def test(self) -> Split:
        """The test images.

        Raises:
            UsageError: The data is sealed.
        """
        if self.is_sealed:
            raise UsageError(
                f"Architecture search never sees test data, and {self.name} is sealed: choose on .validation, "
                "and report on .test of the data set that was sealed."
            )
        return self.held_out

    def split(self, name: str) -> Split:
        """A split by name: ``"train"``, ``"validation"``, or one of :attr:`more`. Test images have no name.

        Raises:
            UsageError: There is no such split.
        """
        named = {"train": self.train, "validation": self.validation, **self.more}
        if name not in named:
            more = f" and {len(named) - 6} more" if len(named) > 6 else ""
            raise UsageError(
                f"{self.name} has no split {name!r}; there are {', '.join(list(named)[:6])}{more}. "
                "Test images are read through .test alone."
            )
        return named[name]

    def sealed(self) -> ImageData:
        """The same data with the test images out of reach, to hand to a search."""
        return replace(self, is_sealed=True)

    def subset(self, n: int) -> ImageData:
        """The same data with only the first ``n`` training images, in the class shares of all of them.

        Raises:
            UsageError: ``n`` is below 1 or above the number of training images.
        """
        return replace(self, train=self.train.head(n))

    def fingerprint(self) -> str:
        """Hex digest of content, splits and preprocessing: a run resumes only on data with its fingerprint."""
        splits = [split.fingerprint() for split in (self.train, self.validation, self.held_out)]
        more = [(name, self.more[name].fingerprint()) for name in sorted(self.more)]
        known = (splits, self.classes, self.shape, more) if more else (splits, self.classes, self.shape)
        return hashlib.sha256(repr(known).encode()).hexdigest()
