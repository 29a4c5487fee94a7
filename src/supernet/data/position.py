"""Randomness by position: what happens at step t depends on the seed and t, never on what came before."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from supernet.errors import UsageError

ORDER, AUGMENT, SPLIT = range(3)  # what the numbers are drawn for: uses that share a seed stay independent


def generator(seed: int, use: int, *position: int) -> np.random.Generator:
    """The random generator of one use at one position.

    Raises:
        UsageError: ``seed`` is negative.
    """
    if seed < 0:
        raise UsageError(f"seed={seed} is negative; seeds are whole numbers from 0 up.")
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(use, *position)))


class Position(NamedTuple):
    """One rank's share of the global batch at step ``t``.

    Attributes:
        t: Position in the stream.
        epoch: Which permutation of the images it is cut from.
        indices: ``(B,)`` images of this rank.
        rows: Where they stand in the global batch.
        total: Size of the global batch.
    """

    t: int
    epoch: int
    indices: npt.NDArray[np.int64]
    rows: slice
    total: int


def positions(length: int, batch_size: int, *, seed: int, start: int, rank: int, world: int) -> Iterator[Position]:
    """The endless walk over ``length`` images behind ``Split.stream``, from position ``start`` on.

    Raises:
        UsageError: The global batch is larger than ``length``, or an argument is out of range.
    """
    total = world * batch_size
    if batch_size < 1:
        raise UsageError(f"batch_size={batch_size} is not a number of images; give 1 or more.")
    if not 0 <= rank < world:
        raise UsageError(f"rank={rank} does not exist among world={world} ranks; ranks count from 0.")
    if start < 0:
        raise UsageError(f"start={start} is negative; positions count from 0.")
    if total > length:
        ranks = f" on each of {world} ranks" if world > 1 else ""
        raise UsageError(
            f"batch_size={batch_size}{ranks} needs {total} images, but the split has {length}; "
            f"use a batch size of {length // world} or less."
        )
    generator(seed, ORDER)  # refuses a bad seed here, not at the first batch
    return _walk(length, batch_size, seed, start, rank, total)


def _walk(length: int, batch_size: int, seed: int, start: int, rank: int, total: int) -> Iterator[Position]:
    per_epoch = length // total
    rows = slice(rank * batch_size, (rank + 1) * batch_size)
    order, drawn_for = np.empty(0, dtype=np.int64), -1
    for t in count(start):
        epoch, place = divmod(t, per_epoch)
        if epoch != drawn_for:
            order, drawn_for = generator(seed, ORDER, epoch).permutation(length), epoch
        first = place * total
        yield Position(t, epoch, order[first + rows.start : first + rows.stop], rows, total)
