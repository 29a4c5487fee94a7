"""Batches that hold each image several times, each augmented anew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from supernet.data.data import Kind
from supernet.data.indexed import Indexed, indexed
from supernet.data.position import positions
from supernet.data.split import check_head
from supernet.errors import UsageError
from supernet.nn.batch import Batch


@dataclass(frozen=True, eq=False)
class RepeatedSplit:
    """The images of a split, each several times in a row of the stream; a :class:`~supernet.data.Split`.

    Hoffer et al., [arXiv 1901.09335](https://arxiv.org/abs/1901.09335); as DeiT's sampler (Touvron et al.,
    [arXiv 2012.12877](https://arxiv.org/abs/2012.12877)): an epoch is as many batches as ever, and shows one image of
    `times`. It is the last thing done to a split: no other split can be made of it.

    Attributes:
        split: The split that the images come from.
        times: How often each image stands in a row.

    Raises:
        UsageError: Fewer than two times, or the split does not know its images by number.

    >>> from supernet.data import digits
    >>> batch = next(RepeatedSplit(digits().train, 3).stream(6, seed=0))
    >>> batch.y.tolist()
    [8, 8, 8, 2, 2, 2]
    """

    split: Indexed
    times: int = 3

    def __post_init__(self) -> None:
        indexed(self.split, "RepeatedSplit")
        if self.times < 2:
            raise UsageError(f"times={self.times} repeats nothing; give two or more.")

    def __len__(self) -> int:
        return len(self.split)

    def batches(self, batch_size: int, *, limit: int | None = None) -> Iterator[Batch]:
        """Every image once, in order; see :meth:`Split.batches`."""
        return self.split.batches(batch_size, limit=limit)

    def stream(
        self, batch_size: int, *, seed: int, start: int = 0, rank: int = 0, world: int = 1, augment: bool = True
    ) -> Iterator[Batch]:
        """Endless training batches; see :meth:`Split.stream`."""
        walk = positions(len(self), batch_size, seed=seed, start=start, rank=rank, world=world, times=self.times)
        return self.split.at(walk, seed=seed, augment=self.split.augment if augment else None)

    def head(self, n: int) -> RepeatedSplit:
        """The first ``n`` images."""
        check_head(n, len(self))
        return replace(self, split=self.split.head(n))

    def fingerprint(self) -> str:
        """Digest of the split and of the number of times."""
        return hashlib.sha256(f"{self.times} times {self.split.fingerprint()}".encode()).hexdigest()


@dataclass(frozen=True)
class Repeated:
    """Data whose training batches hold each image several times, augmented anew; see `RepeatedSplit`.

    Of several changes it is the last one.

    Args:
        times: How often; DeiT's 3.

    Raises:
        UsageError: Fewer than two times.

    >>> from supernet.data import digits
    >>> print(Repeated(3)(digits()))
    digits, 3 times: 1150 train, 288 validation, 359 test images of 1x8x8, 10 classes
    """

    times: int = 3

    def __post_init__(self) -> None:
        if self.times < 2:
            raise UsageError(f"Images were to be seen {self.times} times in a row; give two or more.")

    def __call__(self, data: Kind) -> Kind:
        """The data with these batches.

        Raises:
            UsageError: The training images are not known by number.
        """
        train = RepeatedSplit(indexed(data.train, "Repeated"), self.times)
        return replace(data, name=f"{data.name}, {self.times} times", train=train)

    def alone(self) -> Repeated:
        """The same: an architecture that is trained alone sees the same batches."""
        return self
