"""Class-balanced splitting."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from supernet.errors import UsageError
from supernet.space.text import listed

Indices = npt.NDArray[np.int64]


def interleave(labels: Indices, rng: np.random.Generator) -> Indices:
    """A random order of ``labels`` in which every prefix has nearly the class shares of the whole.

    Systematic sampling: the k-th image of a class of n stands at (k + u) / n, u uniform per class. With
    equally large classes, every run of as many images as there are classes has one of each.
    """
    place = np.empty(len(labels))
    for c in np.unique(labels):
        members = np.flatnonzero(labels == c)
        place[members] = (rng.permutation(len(members)) + rng.random()) / len(members)
    order: Indices = np.argsort(place, kind="stable")
    return order


def hold_out(
    labels: Indices, size: float, *, rng: np.random.Generator, classes: Sequence[str], option: str
) -> tuple[Indices, Indices]:
    """Divide images into those kept and those held out, each class in proportion.

    Args:
        labels: Class indices ``(N,)``.
        size: A fraction in (0, 1), or a number of images.
        rng: The generator that decides which images are held out.
        classes: Class names, for messages.
        option: What the caller calls ``size``, for messages.

    Returns:
        Indices kept and indices held out, both :func:`interleave`-d.

    Raises:
        UsageError: ``size`` is neither, or leaves some class without an image on one of the sides.
    """
    count = _number(size, len(labels), option)
    available = np.bincount(labels, minlength=len(classes))
    if available.min() < 2:
        scarce = int(available.argmin())
        if not available[scarce]:
            there = listed([int(label) for label in np.unique(labels)])
            raise UsageError(
                f"No image is of class {classes[scarce]!r}: the labels are {there}. {option}={size} takes some "
                "of every class; number the classes 0, 1, … without gaps, or leave out the names of those that do not "
                "occur."
            )
        raise UsageError(
            f"Class {classes[scarce]!r} has {_images(int(available[scarce]))} left to divide, but {option}={size} "
            "needs at least 2 of every class; add images, drop the class, or divide the images yourself."
        )
    if not len(classes) <= count <= len(labels) - len(classes):
        raise UsageError(
            f"{option}={size} holds out {_images(count)} of {len(labels)}; with {len(classes)} classes, both "
            f"sides need one of each: hold out {len(classes)} to {len(labels) - len(classes)} images."
        )
    quota = _quota(available, count)
    order = interleave(labels, rng)
    seen = np.zeros(len(labels), dtype=np.int64)  # how many of its class came before each image
    for c in range(len(classes)):
        seen[labels[order] == c] = np.arange(available[c])
    held = seen < quota[labels[order]]
    kept, out = order[~held], order[held]
    return kept[interleave(labels[kept], rng)], out[interleave(labels[out], rng)]


def _number(size: float, total: int, option: str) -> int:
    if 0 < size < 1:
        return round(size * total)
    if 1 <= size < math.inf and size == int(size):
        return int(size)
    raise UsageError(f"{option}={size} is not a size; give a fraction between 0 and 1, or a whole number of images.")


def _quota(available: Indices, count: int) -> Indices:
    """How many to take of each class: its share of ``count``, at least 1 and never all, adding up exactly."""
    share = count * available / available.sum()
    quota: Indices = np.clip(np.floor(share).astype(np.int64), 1, available - 1)
    while (missing := count - quota.sum()) != 0:
        step = int(np.sign(missing))
        possible = quota < available - 1 if step > 0 else quota > 1
        quota[np.where(possible, step * (share - quota), -np.inf).argmax()] += step
    return quota


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"
