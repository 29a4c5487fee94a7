"""Several views of every image, each augmented anew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import tee
from typing import Any

import numpy as np

from supernet.data.indexed import Indexed, OfOneSplit, indexed
from supernet.data.position import Position
from supernet.data.split import check_batches, check_head, cuts
from supernet.errors import UsageError
from supernet.nn.batch import Batch

_ELSEWHERE = 2**41  # a further view is augmented as if it stood at another position of the stream, in another epoch


@dataclass(frozen=True, eq=False)
class Views(OfOneSplit):
    """The images of a split, each in several views; a :class:`~supernet.data.Split`.

    A batch holds the views as ``view1``, ``view2``, …, each augmented anew; methods that compare them choose one with
    `Path.forward`. Without augmentation all are alike.

    Attributes:
        split: The split that the images come from.
        views: Number of views.
        augments: The random changes of each view, of a type that the split knows; none: those of the split for all.

    Raises:
        UsageError: There are fewer than two views, or not as many augmentations, or the split does not know its images
            by number.

    >>> from supernet.data import digits
    >>> batch = next(Views(digits().train, 2).stream(4, seed=0))
    >>> {name: tuple(view.shape) for name, view in batch.x.items()}
    {'view1': (4, 1, 8, 8), 'view2': (4, 1, 8, 8)}
    """

    split: Indexed
    views: int = 2
    augments: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        indexed(self.split, "Views")
        if self.views < 2:
            raise UsageError(f"views={self.views} leaves nothing to compare; give two or more.")
        if self.augments and len(self.augments) != self.views:
            raise UsageError(
                f"{len(self.augments)} augmentations were given for {self.views} views; give one for each."
            )

    def at(self, places: Iterable[Position], *, seed: int, augment: Any) -> Iterator[Batch]:
        """The images at given places; see :meth:`Indexed.at`."""
        each = self.augments if self.augments and augment is not None else (augment,) * self.views
        streams = [
            self.split.at(_seen(copy, number), seed=seed, augment=each[number])
            for number, copy in enumerate(tee(places, self.views))
        ]
        for batches in zip(*streams, strict=True):
            yield Batch({f"view{n}": batch.images for n, batch in enumerate(batches, start=1)}, batches[0].y)

    def drawn_once(self, batch_size: int, *, seed: int, limit: int | None = None) -> Iterator[Batch]:
        """Every image once, in order, in views that are the same whenever they are asked for.

        Args:
            batch_size: Number of images per batch; the last one may be smaller.
            seed: The seed that decides the augmentation.
            limit: Number of images, the first ones; None: all.
        """
        check_batches(batch_size, limit)
        end = len(self) if limit is None else min(limit, len(self))
        numbers = (np.arange(cut.start, cut.stop) for cut in cuts(end, batch_size))
        places = (Position(t, 0, i, slice(0, len(i)), len(i), i) for t, i in enumerate(numbers))
        return self.at(places, seed=seed, augment=self.augment)

    def head(self, n: int) -> Views:
        """The first ``n`` images."""
        check_head(n, len(self))
        return replace(self, split=self.split.head(n))

    def fingerprint(self) -> str:
        """Digest of the split, of the number of views and of their augmentations."""
        changed = f" by {self.augments}" if self.augments else ""
        return hashlib.sha256(f"{self.views} views of {self.split.fingerprint()}{changed}".encode()).hexdigest()


def _seen(places: Iterable[Position], number: int) -> Iterator[Position]:
    """The same images, as they are augmented for a view; the first one as in the split itself."""
    shift = number * _ELSEWHERE
    return (place._replace(t=place.t + shift, epoch=place.epoch + shift) for place in places)
