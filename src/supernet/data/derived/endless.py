"""A stream in which epochs follow on one another without a rest, for splits smaller than a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from supernet.data.indexed import Indexed, indexed
from supernet.data.position import endless_positions
from supernet.nn.batch import Batch


@dataclass(frozen=True, eq=False)
class Endless:
    """A split whose stream drops no image and takes batches of any size; a :class:`~supernet.data.Split`.

    Permutations of the images follow on one another in one row, and the batch at position ``t`` is the ``t``-th piece
    of it: a pure function of ``(seed, t)``, as in every stream. So a batch may begin in one epoch and end in the next,
    and one that is larger than the split holds images more than once, each time augmented anew. For clients with few
    images.

    It is the last thing done to a split: no other split can be made of it.

    Attributes:
        split: The split that the images come from.

    Raises:
        UsageError: The split does not know its images by number.

    >>> from supernet.data import digits
    >>> next(Endless(digits().train.head(5)).stream(12, seed=0)).x.shape
    torch.Size([12, 1, 8, 8])
    """

    split: Indexed

    def __post_init__(self) -> None:
        indexed(self.split, "Endless")

    def __len__(self) -> int:
        return len(self.split)

    def batches(self, batch_size: int, *, limit: int | None = None) -> Iterator[Batch]:
        """Every image once, in order; see :meth:`Split.batches`."""
        return self.split.batches(batch_size, limit=limit)

    def stream(
        self, batch_size: int, *, seed: int, start: int = 0, rank: int = 0, world: int = 1, augment: bool = True
    ) -> Iterator[Batch]:
        """Endless training batches of any size; see :meth:`Split.stream`."""
        walk = endless_positions(len(self), batch_size, seed=seed, start=start, rank=rank, world=world)
        return self.split.at(walk, seed=seed, augment=self.split.augment if augment else None)

    def head(self, n: int) -> Endless:
        """The first ``n`` images."""
        return Endless(self.split.head(n))

    def fingerprint(self) -> str:
        """Digest of the split, and that its stream drops nothing."""
        return hashlib.sha256(f"Endless {self.split.fingerprint()}".encode()).hexdigest()
