"""Some images of a split, chosen by number."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from supernet.data.indexed import Indexed, OfOneSplit, indexed, labels_of
from supernet.data.position import Indices, Position
from supernet.data.split import check_head
from supernet.errors import UsageError
from supernet.nn.batch import Batch


@dataclass(frozen=True, eq=False)
class Part(OfOneSplit):
    """Some images of a split, such as those of one client; a :class:`~supernet.data.Split`.

    Attributes:
        split: The split that the images come from.
        indices: Their numbers in it ``(N,)``, int64, in the order they have here; none twice.

    Raises:
        UsageError: A number is not of the split or stands twice, there is none, or the split does not know its images
            by number.

    >>> from supernet.data import digits
    >>> part = Part(digits().train, np.array([7, 3, 5]))
    >>> len(part), next(part.batches(3)).y.tolist() == [digits().train.labels[i] for i in (7, 3, 5)]
    (3, True)
    """

    split: Indexed
    indices: Indices = field(repr=False)

    def __post_init__(self) -> None:
        indexed(self.split, "A Part")
        given = self.indices
        if not isinstance(given, np.ndarray) or given.ndim != 1 or given.dtype != np.int64 or not len(given):
            raise UsageError(
                "The indices of a Part are an array of int64 of shape (N,) with N of 1 or more; got "
                f"{given.dtype} of shape {given.shape}."
                if isinstance(given, np.ndarray)
                else f"The indices of a Part are an array of int64 of shape (N,); got {type(given).__name__}."
            )
        if given.min() < 0 or given.max() >= len(self.split):
            wrong = given[(given < 0) | (given >= len(self.split))][0]
            raise UsageError(f"There is no image {wrong} in a split of {len(self.split)}; images count from 0.")
        numbers, times = np.unique(given, return_counts=True)
        if len(numbers) < len(given):
            raise UsageError(
                f"Image {numbers[times > 1][0]} is chosen {times.max()} times; a Part holds each image once."
            )

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def labels(self) -> Indices:
        """Class indices ``(N,)``."""
        return labels_of(self.split)[self.indices]

    def at(self, places: Iterable[Position], *, seed: int, augment: Any) -> Iterator[Batch]:
        """The images at given places; see :meth:`Indexed.at`."""
        chosen = (place._replace(indices=self.indices[place.indices]) for place in places)
        return self.split.at(chosen, seed=seed, augment=augment)

    def head(self, n: int) -> Part:
        """The first ``n`` images."""
        check_head(n, len(self))
        return Part(self.split, self.indices[:n])

    def fingerprint(self) -> str:
        """Digest of the split and of which images are chosen, in which order."""
        digest = hashlib.sha256(f"Part of {self.split.fingerprint()}: ".encode())
        digest.update(np.ascontiguousarray(self.indices).data)
        return digest.hexdigest()
