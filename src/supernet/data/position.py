"""Randomness by position: what happens at step t depends on the seed and t, never on what came before."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from supernet.errors import UsageError

Indices = npt.NDArray[np.int64]

# What is drawn: uses that share a seed stay independent.
ORDER, AUGMENT, SPLIT, LABELS, CLIENTS, MIXING, WRONG_LABELS, CORRUPTION = range(8)


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
        rows: Where they stand in the global batch: a slice, or ``(B,)`` places.
        total: Size of the global batch.
        keys: ``(B,)`` numbers by which images that are decoded one by one draw their own augmentation. In a split made
            of others, an image keeps the number that it has in the split that is streamed.
    """

    t: int
    epoch: int
    indices: Indices
    rows: slice | Indices
    total: int
    keys: Indices


def positions(
    length: int, batch_size: int, *, seed: int, start: int, rank: int, world: int, times: int = 1
) -> Iterator[Position]:
    """The endless walk over ``length`` images behind ``Split.stream``, from position ``start`` on.

    Each image stands ``times`` in a row in an epoch, which is cut off after as many batches as without: it shows a part
    of the images alone. A copy has a key of its own.

    Raises:
        UsageError: The global batch is larger than ``length``, or an argument is out of range.
    """
    total = world * batch_size
    _check(batch_size, seed=seed, start=start, rank=rank, world=world)
    if total > length:
        ranks = f" on each of {world} ranks" if world > 1 else ""
        raise UsageError(
            f"batch_size={batch_size}{ranks} needs {total} images, but the split has {length}; "
            f"use a batch size of {length // world} or less."
        )
    return _walk(length, batch_size, seed, start, rank, total, times)


def endless_positions(
    length: int, batch_size: int, *, seed: int, start: int, rank: int, world: int
) -> Iterator[Position]:
    """The walk that drops nothing: permutation after permutation in one row, cut into global batches.

    A batch may begin in one epoch and end in a later one, and where it is larger than the split it holds images more
    than once. ``Position.epoch`` is the epoch of the first image of the global batch.

    Raises:
        UsageError: An argument is out of range.
    """
    _check(batch_size, seed=seed, start=start, rank=rank, world=world)
    return _endless_walk(length, batch_size, seed, start, rank, world * batch_size)


def _check(batch_size: int, *, seed: int, start: int, rank: int, world: int) -> None:
    if batch_size < 1:
        raise UsageError(f"batch_size={batch_size} is not a number of images; give 1 or more.")
    if not 0 <= rank < world:
        raise UsageError(f"rank={rank} does not exist among world={world} ranks; ranks count from 0.")
    if start < 0:
        raise UsageError(f"start={start} is negative; positions count from 0.")
    generator(seed, ORDER)  # refuses a bad seed here, not at the first batch


def _walk(length: int, batch_size: int, seed: int, start: int, rank: int, total: int, times: int) -> Iterator[Position]:
    per_epoch = length // total
    rows = slice(rank * batch_size, (rank + 1) * batch_size)
    order, drawn_for = np.empty(0, dtype=np.int64), -1
    for t in count(start):
        epoch, place = divmod(t, per_epoch)
        if epoch != drawn_for:
            order, drawn_for = generator(seed, ORDER, epoch).permutation(length), epoch
        places, copies = np.divmod(place * total + np.arange(rows.start, rows.stop), times)
        indices = order[places]
        yield Position(t, epoch, indices, rows, total, copies * length + indices)


def _endless_walk(length: int, batch_size: int, seed: int, start: int, rank: int, total: int) -> Iterator[Position]:
    rows = slice(rank * batch_size, (rank + 1) * batch_size)
    orders: dict[int, Indices] = {}
    for t in count(start):
        epochs, places = np.divmod(t * total + np.arange(rows.start, rows.stop), length)
        needed = np.unique(epochs).tolist()
        orders = {e: orders[e] if e in orders else generator(seed, ORDER, e).permutation(length) for e in needed}
        indices = np.array([orders[e][place] for e, place in zip(epochs.tolist(), places, strict=True)])
        # The epoch is part of the key: a batch can hold an image twice, and augments it anew each time.
        yield Position(t, t * total // length, indices, rows, total, epochs * length + indices)
