"""The images of some classes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from supernet.data.data import Kind
from supernet.data.derived.part import Part
from supernet.data.indexed import Indexed, indexed, labels_of
from supernet.data.position import Indices, Position
from supernet.data.split import Split
from supernet.errors import UsageError
from supernet.nn.batch import Batch
from supernet.nn.input_shape import InputShape


@dataclass(frozen=True, eq=False)
class OnlyClasses:
    """The images of some classes, in the order of the split they come from; a :class:`~supernet.data.Split`.

    Labels stay as they are, so that a network keeps its classifier when classes are added later (the curriculum of
    DA-NAS, arXiv 2003.12563).

    Attributes:
        split: The split that the images come from.
        classes: Class indices.

    Raises:
        UsageError: A class has no image or stands twice, there is none, or the split does not know its images by
            number.

    >>> from supernet.data import digits
    >>> next(OnlyClasses(digits().train, (2, 7)).batches(100)).y.unique().tolist()
    [2, 7]
    """

    split: Indexed
    classes: tuple[int, ...]

    def __post_init__(self) -> None:
        indexed(self.split, "OnlyClasses")
        present = np.unique(labels_of(self.split))
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise UsageError(f"classes={self.classes} chooses no class, or one twice; give each class once.")
        if absent := [c for c in self.classes if c not in present]:
            raise UsageError(
                f"The split has no image of class {absent[0]}; it has images of {len(present)} classes, of indices "
                f"{present[0]} to {present[-1]}."
            )

    @cached_property
    def _part(self) -> Part:
        return Part(self.split, np.flatnonzero(np.isin(labels_of(self.split), self.classes)))

    def __len__(self) -> int:
        return len(self._part)

    @property
    def labels(self) -> Indices:
        """Class indices ``(N,)``."""
        return self._part.labels

    @property
    def shape(self) -> InputShape:
        """The shape of one input, such as ``(C, H, W)``."""
        return self.split.shape

    @property
    def augment(self) -> Any:
        """Those of the split that the images come from."""
        return self.split.augment

    def batches(self, batch_size: int, *, limit: int | None = None) -> Iterator[Batch]:
        """Every image once, in order; see :meth:`Split.batches`."""
        return self._part.batches(batch_size, limit=limit)

    def stream(
        self, batch_size: int, *, seed: int, start: int = 0, rank: int = 0, world: int = 1, augment: bool = True
    ) -> Iterator[Batch]:
        """Endless training batches; see :meth:`Split.stream`."""
        return self._part.stream(batch_size, seed=seed, start=start, rank=rank, world=world, augment=augment)

    def at(self, places: Iterable[Position], *, seed: int, augment: Any) -> Iterator[Batch]:
        """The images at given places; see :meth:`Indexed.at`."""
        return self._part.at(places, seed=seed, augment=augment)

    def head(self, n: int) -> Part:
        """The first ``n`` images."""
        return self._part.head(n)

    def fingerprint(self) -> str:
        """Digest of the split and the classes."""
        what = f"OnlyClasses {sorted(self.classes)} of {self.split.fingerprint()}"
        return hashlib.sha256(what.encode()).hexdigest()


@dataclass(frozen=True)
class FewerClasses:
    """Data with training and validation images of some classes only, for a phase that begins with few.

    The network keeps its outputs for all classes. Test images and further splits stay as they are.

    Args:
        classes: Class indices.

    >>> from supernet.data import digits
    >>> print(FewerClasses((0, 1, 2))(digits()))
    digits, classes 0, 1, 2: 344 train, 86 validation, 359 test images of 1x8x8, 10 classes
    """

    classes: tuple[int, ...]

    def __call__(self, data: Kind) -> Kind:
        """The data with these classes only.

        Raises:
            UsageError: as in `OnlyClasses`, or one class alone is left.
        """
        if len(self.classes) == 1:
            raise UsageError(f"Only class {self.classes[0]} of {data.name} would be left; give two classes or more.")
        shown = ", ".join(map(str, self.classes[:3])) + (f" … ({len(self.classes)})" if len(self.classes) > 3 else "")
        train, validation = (self._of(split) for split in (data.train, data.validation))
        return replace(data, name=f"{data.name}, classes {shown}", train=train, validation=validation)

    def _of(self, split: Split) -> OnlyClasses:
        return OnlyClasses(indexed(split, "FewerClasses"), self.classes)
