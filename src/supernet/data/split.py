"""What the rest of the package knows about data: splits that yield batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

from supernet.errors import UsageError
from supernet.nn.batch import Batch


@runtime_checkable
class Split(Protocol):
    """A fixed, ordered set of labelled images.

    Every prefix of a split built by this package is close to class-balanced, so ``limit`` and ``head``
    take a fair sample.
    """

    def __len__(self) -> int:
        """Number of images."""
        ...

    def batches(self, batch_size: int, *, limit: int | None = None) -> Iterator[Batch]:
        """Every image once, in order, without augmentation; the last batch may be smaller.

        A single image that is left over joins the batch before it, which is then larger by one: statistics of a batch
        of one do not exist.

        Args:
            batch_size: Number of images per batch.
            limit: Number of images after which to stop; None: the end of the split.

        Raises:
            UsageError: ``batch_size`` or ``limit`` is below 1.
        """
        ...

    def stream(
        self,
        batch_size: int,
        *,
        seed: int,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
        augment: bool = True,
    ) -> Iterator[Batch]:
        """Endless training batches. The batch at position ``t`` is a pure function of ``(seed, t)``.

        An epoch is one permutation of the images cut into ``len(self) // (world * batch_size)`` global
        batches; what is left over is dropped. The batches of all ranks, joined in rank order, are the batch
        that ``world=1`` yields for ``world * batch_size``.

        Args:
            batch_size: Number of images per batch and rank.
            seed: The seed that decides order and augmentation.
            start: Position of the first batch; costs nothing, whatever its value.
            rank: Which share of the global batch to yield.
            world: Number of ranks.
            augment: Whether to apply the split's random augmentation.

        Raises:
            UsageError: The global batch is larger than the split, or an argument is out of range.
        """
        ...

    def head(self, n: int) -> Split:
        """The first ``n`` images as a split of their own.

        Raises:
            UsageError: ``n`` is below 1 or above ``len(self)``.
        """
        ...

    def fingerprint(self) -> str:
        """Hex digest of everything that decides the split's batches."""
        ...


@runtime_checkable
class Standing(Protocol):
    """A split whose batches do not follow from their position: it says where it stands, and goes back there."""

    def state(self) -> dict[str, Any] | None:
        """Where the stream stands, in values that JSON knows and tensors; None: nobody can say."""
        ...

    def restore(self, state: dict[str, Any], *, seed: int) -> None:
        """Go to where a stream with this seed stood."""
        ...


def cuts(n: int, batch_size: int) -> Iterator[slice]:
    """The batches of ``n`` images in order; a single image that is left over joins the batch before it.

    >>> [(cut.start, cut.stop) for cut in cuts(9, 4)], [(cut.start, cut.stop) for cut in cuts(10, 4)]
    ([(0, 4), (4, 9)], [(0, 4), (4, 8), (8, 10)])
    """
    first = 0
    while first < n:
        end = min(first + batch_size, n)
        end = n if batch_size > 1 and end == n - 1 else end
        yield slice(first, end)
        first = end


def check_batches(batch_size: int, limit: int | None) -> None:
    """Refuse the arguments of ``Split.batches`` that make no sense."""
    if batch_size < 1:
        raise UsageError(f"batch_size={batch_size} is not a number of images; give 1 or more.")
    if limit is not None and limit < 1:
        raise UsageError(f"limit={limit} is not a number of images; give 1 or more, or None for all of them.")


def check_head(n: int, length: int) -> None:
    """Refuse a head that is empty or longer than its split."""
    if not 1 <= n <= length:
        raise UsageError(f"Cannot take the first {n} images of {length}; ask for 1 to {length}.")
