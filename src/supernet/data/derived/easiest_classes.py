"""The easiest classes of a data set, for a training that begins with few (DA-NAS)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from supernet.data.data import Kind
from supernet.data.derived.only_classes import FewerClasses
from supernet.data.indexed import Indexed, indexed, labels_of
from supernet.errors import UsageError
from supernet.nn.batch import Batch

_BATCH = 512


@dataclass(frozen=True)
class EasiestClasses:
    """Data with the images of the easiest share of all classes, from easy to hard; `FewerClasses` of them.

    The curriculum of DA-NAS ([arXiv 2003.12563](https://arxiv.org/abs/2003.12563)).

    Args:
        share: The share of the classes, above 0 and at most 1.
        order: All classes, the easiest first, such as by the accuracy that a trained network has on each. None: by the
            share of its training images that are nearest to the mean image of their class, which is a reconstruction
            and looks at every training image twice.

    Raises:
        UsageError: a share that is none, or an order that names a class twice.

    >>> from supernet.data import digits
    >>> print(EasiestClasses(0.3, order=(6, 0, 4, 2, 7, 5, 3, 1, 9, 8))(digits()))
    digits, classes 6, 0, 4: 345 train, 87 validation, 359 test images of 1x8x8, 10 classes
    """

    share: float
    order: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UsageError(f"The share of the classes is {self.share}; give one above 0 and at most 1.")
        if self.order is not None:
            object.__setattr__(self, "order", tuple(self.order))
            if len(set(self.order)) < len(self.order):
                raise UsageError(f"The order of the classes {self.order} names one twice; give each once.")

    def __call__(self, data: Kind) -> Kind:
        """The data with these classes only.

        Raises:
            UsageError: fewer than two classes would be left, the order is not of these classes, or is None where inputs
                are no images, or the images are not known by number.
        """
        split = indexed(data.train, "EasiestClasses")
        present = np.unique(labels_of(split)).tolist()
        count = round(self.share * len(present))
        if count < 2:
            raise UsageError(
                f"A share of {self.share} of the {len(present)} classes of {data.name} is {count}; a network learns "
                f"nothing from fewer than two. Give {2 / len(present):.3g} or more."
            )
        if self.order is not None and sorted(self.order) != present:
            raise UsageError(
                f"The order names {len(self.order)} classes, but {data.name} has {len(present)}, of indices "
                f"{present[0]} to {present[-1]}; name each of them once, the easiest first."
            )
        return FewerClasses((self.order or nearest_mean(split))[:count])(data)


def nearest_mean(split: Indexed) -> tuple[int, ...]:
    """All classes, those first of which the largest share of images is nearest to the mean image of its own class.

    Of equal ones the smaller index goes first.

    Args:
        split: The images.
    """
    return _nearest_mean(_Known(split, split.fingerprint()))


@dataclass(frozen=True, eq=False)
class _Known:
    """A split that is known by what it holds."""

    split: Indexed
    digest: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Known) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


@lru_cache(maxsize=4)
def _nearest_mean(known: _Known) -> tuple[int, ...]:
    labels = np.asarray(labels_of(known.split))
    classes, place = np.unique(labels, return_inverse=True)
    total = np.zeros((len(classes), _flat(next(known.split.batches(1))).shape[1]))
    done = 0
    for batch in known.split.batches(_BATCH):
        rows = _flat(batch)
        np.add.at(total, place[done : done + len(rows)], rows)
        done += len(rows)
    means = total / np.bincount(place)[:, None]
    right, done = np.zeros(len(classes)), 0
    for batch in known.split.batches(_BATCH):
        rows = _flat(batch)
        own = place[done : done + len(rows)]
        distances = (means**2).sum(1) - 2 * rows @ means.T  # but for |x|², which is the same for all classes
        np.add.at(right, own, distances.argmin(1) == own)
        done += len(rows)
    shares = right / np.bincount(place)
    return tuple(int(classes[number]) for number in np.argsort(-shares, kind="stable"))


def _flat(batch: Batch) -> NDArray[np.float64]:
    if not isinstance(batch.x, Tensor):
        raise UsageError("Only classes of images have a mean image; give the order of the classes: order=(…).")
    return batch.x.flatten(1).numpy().astype(np.float64)
