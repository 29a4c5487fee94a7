"""Splits whose images can be asked for by number: what other splits can be made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Protocol, TypeGuard

import numpy as np
from torch import Tensor

from supernet.data.position import Indices, Position, positions
from supernet.data.split import Split, check_batches, cuts
from supernet.errors import UsageError
from supernet.nn.batch import Batch
from supernet.nn.input_shape import InputShape


class Indexed(Split, Protocol):
    """A split that yields any of its images by number, so that another split can choose, join or relabel them."""

    @property
    def labels(self) -> Tensor | Sequence[int] | Indices:
        """Class indices ``(N,)`` of all images, in the split's order."""
        ...

    @property
    def shape(self) -> InputShape:
        """The shape of one input, such as ``(C, H, W)``."""
        ...

    @property
    def augment(self) -> Any:
        """The random changes of a training image, as a value; two splits can be joined if theirs are of one type."""
        ...

    def at(self, places: Iterable[Position], *, seed: int, augment: Any) -> Iterator[Batch]:
        """One batch for each of ``places``: the images ``place.indices``, in this order.

        What is random about an image depends on ``seed``, on ``place.t`` and its row, or on ``place.epoch`` and its
        key, and on nothing else.

        Args:
            places: Which images; ``positions`` and what other splits make of them. None is empty.
            seed: The seed that decides the augmentation.
            augment: The random changes, of the type of :attr:`augment`; None for none.
        """
        ...

    def head(self, n: int) -> Indexed:
        """The first ``n`` images as a split of their own; see :meth:`Split.head`."""
        ...


_NEEDED = ("labels", "shape", "augment", "at", "head")


def is_indexed(split: object) -> TypeGuard[Indexed]:
    """Whether a split, and all that it is made of, has all of `Indexed`.

    `isinstance` would ask for the labels, for which a whole dataset may have to be read.
    """
    return all(_has_all(each) for each in made_of(split))


def _has_all(split: object) -> bool:
    return all(hasattr(type(split), name) or name in getattr(split, "__dict__", {}) for name in _NEEDED)


def indexed(split: Split, purpose: str) -> Indexed:
    """The split, if it knows its images by number.

    Raises:
        UsageError: It, or one that it is made of, does not have all of ``Indexed``.
    """
    if is_indexed(split):
        return split
    lacking = next(each for each in made_of(split) if not _has_all(each))
    raise UsageError(
        f"{purpose} needs a split whose images can be asked for by number (labels, shape, augment, at); "
        f"{type(lacking).__name__} has not all of these. Take a split of this package, make a split Endless last, or "
        "give yours what supernet.data.Indexed lists."
    )


def made_of(split: object) -> Iterator[object]:
    """A split and, from the outside in, all splits that it is made of."""
    yield split
    if is_dataclass(split) and not isinstance(split, type):
        for field in fields(split):
            if hasattr(inner := getattr(split, field.name), "stream"):
                yield from made_of(inner)


def labels_of(split: Indexed) -> Indices:
    """Class indices ``(N,)`` of a split, as an array."""
    return np.asarray(split.labels, dtype=np.int64)


class ReadByNumber(ABC):
    """Mixin of a derived split: its batches, by way of ``at``."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of images."""

    @property
    @abstractmethod
    def augment(self) -> Any:
        """See :meth:`Indexed.augment`."""

    @abstractmethod
    def at(self, places: Iterable[Position], *, seed: int, augment: Any) -> Iterator[Batch]:
        """The images at given places; see :meth:`Indexed.at`."""

    def batches(self, batch_size: int, *, limit: int | None = None) -> Iterator[Batch]:
        """Every image once, in order; see :meth:`Split.batches`."""
        check_batches(batch_size, limit)
        end = len(self) if limit is None else min(limit, len(self))
        numbers = (np.arange(cut.start, cut.stop) for cut in cuts(end, batch_size))
        places = (Position(t, 0, i, slice(0, len(i)), len(i), i) for t, i in enumerate(numbers))
        return self.at(places, seed=0, augment=None)

    def stream(
        self, batch_size: int, *, seed: int, start: int = 0, rank: int = 0, world: int = 1, augment: bool = True
    ) -> Iterator[Batch]:
        """Endless training batches; see :meth:`Split.stream`."""
        walk = positions(len(self), batch_size, seed=seed, start=start, rank=rank, world=world)
        return self.at(walk, seed=seed, augment=self.augment if augment else None)


class OfOneSplit(ReadByNumber):
    """Mixin of a split that is made of one other, `split`: what it does not change is as there."""

    split: Indexed

    def __len__(self) -> int:
        return len(self.split)

    @property
    def labels(self) -> Indices:
        """Class indices ``(N,)``."""
        return labels_of(self.split)

    @property
    def shape(self) -> InputShape:
        """The shape of one input, such as ``(C, H, W)``."""
        return self.split.shape

    @property
    def augment(self) -> Any:
        """Those of the split that the images come from."""
        return self.split.augment
