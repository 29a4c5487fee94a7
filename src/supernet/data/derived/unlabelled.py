"""Images whose labels nobody may see."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from supernet.data.indexed import Indexed, OfOneSplit, indexed
from supernet.data.position import Indices, Position
from supernet.nn.batch import Batch

NONE = -1
"""What stands in the place of a label: no class, so that a loss that reads it fails."""


@dataclass(frozen=True, eq=False)
class Unlabelled(OfOneSplit):
    """The images of a split without their labels, each of which is −1; a :class:`~supernet.data.Split`.

    Attributes:
        split: The split that the images come from.

    Raises:
        UsageError: It does not know its images by number.

    >>> from supernet.data import digits
    >>> next(Unlabelled(digits().train).batches(3)).y.tolist()
    [-1, -1, -1]
    """

    split: Indexed

    def __post_init__(self) -> None:
        indexed(self.split, "Unlabelled")

    @property
    def labels(self) -> Indices:
        """−1 for every image ``(N,)``."""
        return np.full(len(self.split), NONE, dtype=np.int64)

    def at(self, places: Iterable[Position], *, seed: int, augment: Any) -> Iterator[Batch]:
        """The images at given places; see :meth:`Indexed.at`."""
        for batch in self.split.at(places, seed=seed, augment=augment):
            yield Batch(batch.x, torch.full((batch.size,), NONE))

    def head(self, n: int) -> Unlabelled:
        """The first ``n`` images."""
        return replace(self, split=self.split.head(n))

    def fingerprint(self) -> str:
        """Digest of the split, and that its labels are hidden."""
        return hashlib.sha256(f"Unlabelled {self.split.fingerprint()}".encode()).hexdigest()
