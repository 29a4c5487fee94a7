"""Two splits as one, as methods that train on all images need it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import tee
from typing import Any

import numpy as np
import torch
from torch import Tensor

from supernet.data.data import Kind
from supernet.data.derived.random_labels import RandomLabels
from supernet.data.indexed import Indexed, ReadByNumber, indexed, labels_of, made_of
from supernet.data.position import Indices, Position
from supernet.data.split import check_head
from supernet.errors import UsageError
from supernet.nn.batch import Batch, Fields
from supernet.nn.input_shape import InputShape


@dataclass(frozen=True, eq=False)
class Joined(ReadByNumber):
    """The images of one split and then those of another; a :class:`~supernet.data.Split`.

    An epoch is one permutation of all images. The images of both go through the augmentation of ``a``, and each is
    normalised as in its own split.

    Attributes:
        a: The split whose images come first.
        b: The split whose images come after them.

    Raises:
        UsageError: The two hold images of different shapes, are augmented by values of different types, or are one
            and the same split; or one does not know its images by number.

    >>> from supernet.data import digits
    >>> data = digits()
    >>> len(Joined(data.train, data.validation)) == 1150 + 288
    True
    """

    a: Indexed
    b: Indexed

    def __post_init__(self) -> None:
        for split in (self.a, self.b):
            indexed(split, "Joined")
        if self.a is self.b:
            raise UsageError("A split cannot be joined with itself; every image would be there twice.")
        if self.a.shape != self.b.shape:
            raise UsageError(
                f"Images of {_sides(self.a)} and of {_sides(self.b)} make no batch; bring them to one shape first."
            )
        if type(self.a.augment) is not type(self.b.augment):
            kinds = " and ".join(type(split.augment).__name__ for split in (self.a, self.b))
            raise UsageError(f"Images that are augmented by {kinds} cannot be joined; take two splits of one kind.")

    def __len__(self) -> int:
        return len(self.a) + len(self.b)

    @property
    def labels(self) -> Indices:
        """Class indices ``(N,)``."""
        return np.concatenate([labels_of(self.a), labels_of(self.b)])

    @property
    def shape(self) -> InputShape:
        """The shape of one input, such as ``(C, H, W)``."""
        return self.a.shape

    @property
    def augment(self) -> Any:
        """Those of ``a``."""
        return self.a.augment

    def at(self, places: Iterable[Position], *, seed: int, augment: Any) -> Iterator[Batch]:
        """The images at given places; see :meth:`Indexed.at`."""
        of_a, of_b, whole = tee(places, 3)
        first = self.a.at(self._shares(of_a, 0), seed=seed, augment=augment)
        second = self.b.at(self._shares(of_b, 1), seed=seed, augment=augment)
        return self._merged(whole, first, second)

    def head(self, n: int) -> Indexed:
        """The first ``n`` images."""
        check_head(n, len(self))
        return self.a.head(n) if n <= len(self.a) else Joined(self.a, self.b.head(n - len(self.a)))

    def fingerprint(self) -> str:
        """Digest of both splits and of the augmentation they share."""
        what = f"Joined {self.a.fingerprint()} and {self.b.fingerprint()}, augmented by {self.augment}"
        return hashlib.sha256(what.encode()).hexdigest()

    def _shares(self, places: Iterable[Position], which: int) -> Iterator[Position]:
        """What each batch takes from one of the two; nothing for the batches that take nothing."""
        for place in places:
            mine = (place.indices >= len(self.a)) == bool(which)
            if mine.any():
                yield place._replace(
                    indices=place.indices[mine] - which * len(self.a),
                    rows=np.arange(place.total)[place.rows][mine],
                    keys=place.keys[mine],
                )

    def _merged(self, places: Iterable[Position], first: Iterator[Batch], second: Iterator[Batch]) -> Iterator[Batch]:
        for place in places:
            of_b = torch.from_numpy(place.indices >= len(self.a))
            if of_b.all() or not of_b.any():
                yield next(second if of_b.any() else first)
                continue
            a, b = next(first), next(second)
            yield Batch(_woven(a.x, b.x, of_b), _woven(a.y, b.y, of_b))


@dataclass(frozen=True)
class AllImages:
    """Data whose training images are those for training and those for validation, as single-level methods train.

    The validation images stay what they are, so accuracies on them are no longer those of unseen images. Statistics
    for normalisation are still those of the training images alone; test images stay where they are.

    >>> from supernet.data import digits
    >>> print(AllImages()(digits()))
    digits, all images: 1438 train, 288 validation, 359 test images of 1x8x8, 10 classes
    """

    def __call__(self, data: Kind) -> Kind:
        """The data with all images to train on.

        Raises:
            UsageError: validation images are among the training images already, labels are random, or as in `Joined`.
        """
        train, validation = list(made_of(data.train)), list(made_of(data.validation))
        if any(isinstance(s, Joined) for s in train) and any(s is other for s in train for other in validation):
            raise UsageError(f"{data.name} has its validation images among the training images already; join once.")
        if any(isinstance(s, RandomLabels) for s in train):
            raise UsageError(
                f"The training images of {data.name} have random labels and its validation images true ones. Join "
                "first: Chained((AllImages(), RandomLabelled(…)))."
            )
        both = Joined(indexed(data.train, "AllImages"), indexed(data.validation, "AllImages"))
        return replace(data, name=f"{data.name}, all images", train=both)


def _woven(a: Fields, b: Fields, of_b: Tensor) -> Fields:
    """The examples of two batches in one, in the order that `of_b` (B,) says."""
    place = torch.empty(len(of_b), dtype=torch.int64)
    place[torch.cat([(~of_b).nonzero(), of_b.nonzero()]).flatten()] = torch.arange(len(of_b))
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.cat([a, b])[place]
    assert not isinstance(a, Tensor)
    assert not isinstance(b, Tensor)
    return {name: torch.cat([tensor, b[name]])[place] for name, tensor in a.items()}


def _sides(split: Indexed) -> str:
    shape = split.shape
    return "x".join(map(str, shape)) if isinstance(shape, tuple) else str(shape)
