"""Labels that have nothing to do with the images, as RLNAS trains on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from supernet.data.data import Kind
from supernet.data.derived.relabelled import Relabelled
from supernet.data.indexed import Indexed, indexed
from supernet.data.position import LABELS, Indices, generator
from supernet.errors import UsageError


@dataclass(frozen=True, eq=False)
class RandomLabels(Relabelled):
    """The images of a split under random labels; a :class:`~supernet.data.Split`.

    The label of an image is drawn once, uniform over the classes, and is the same in every epoch, under every
    augmentation, on every rank and after a resume (RLNAS, arXiv 2101.11834). Images, their order and
    their augmentation are those of the split.

    Attributes:
        split: The split that the images come from.
        seed: The seed that decides the labels; it has nothing to do with that of a stream.
        num_classes: K, number of classes.

    Raises:
        UsageError: There are fewer than two classes, the seed is negative, or the split does not know its images by
            number.

    >>> from supernet.data import digits
    >>> split = RandomLabels(digits().train, seed=0, num_classes=10)
    >>> next(split.batches(8)).y.tolist()
    [3, 5, 4, 2, 1, 6, 9, 9]
    """

    split: Indexed
    seed: int
    num_classes: int

    def __post_init__(self) -> None:
        indexed(self.split, "RandomLabels")
        if self.num_classes < 2:
            raise UsageError(f"num_classes={self.num_classes} leaves nothing to draw; give two classes or more.")
        generator(self.seed, LABELS)  # refuses a bad seed here, not at the first batch

    @cached_property
    def labels(self) -> Indices:
        """Class indices ``(N,)``, as drawn."""
        # One number per image and in order, so that the first images of a split keep their labels in its head.
        drawn = generator(self.seed, LABELS).random(len(self))
        labels: Indices = (drawn * self.num_classes).astype(np.int64)
        return labels

    def fingerprint(self) -> str:
        """Digest of the split and of every label."""
        what = f"RandomLabels {self.seed} of {self.num_classes} classes on {self.split.fingerprint()}: "
        digest = hashlib.sha256(what.encode())
        digest.update(self.labels.data)
        return digest.hexdigest()


@dataclass(frozen=True)
class RandomLabelled:
    """Data whose training images have random labels, one for each image and all classes alike (RLNAS).

    Validation, test and further splits keep their true labels. To train on all images, join them first:
    ``Chained((AllImages(), RandomLabelled()))``.

    Args:
        seed: The seed that decides the labels.

    >>> from supernet.data import digits
    >>> print(RandomLabelled(seed=3)(digits()))
    digits, random labels 3: 1150 train, 288 validation, 359 test images of 1x8x8, 10 classes
    """

    seed: int = 0

    def __call__(self, data: Kind) -> Kind:
        """The data with these labels.

        Raises:
            UsageError: as in `RandomLabels`.
        """
        train = RandomLabels(indexed(data.train, "RandomLabelled"), self.seed, data.num_classes)
        return replace(data, name=f"{data.name}, random labels {self.seed}", train=train)

    def alone(self) -> None:
        """None: an architecture that is trained alone has the true labels."""
