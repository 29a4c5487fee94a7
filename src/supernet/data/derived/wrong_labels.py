"""Labels of which a share is wrong, as of a data set that was labelled carelessly."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from supernet.data.data import Kind
from supernet.data.derived.relabelled import Relabelled
from supernet.data.indexed import Indexed, indexed, labels_of
from supernet.data.position import WRONG_LABELS, Indices, generator
from supernet.errors import UsageError
from supernet.tasks import Classification

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WrongLabelSplit(Relabelled):
    """The images of a split, some under a label that is not theirs; a :class:`~supernet.data.Split`.

    The label of an image is drawn once, from the row of its class, and is the same in every epoch, under every
    augmentation, on every rank and after a resume: a function of the seed and of its number in the split. Images, their
    order and their augmentation are those of the split.

    Attributes:
        split: The split that the images come from.
        matrix: Row k holds how likely each label is that an image of class k is given ``(K, K)``.
        seed: The seed that decides the labels; it has nothing to do with that of a stream.

    Raises:
        UsageError: The matrix is none of probabilities, an image is of a class that it has no row for, the seed is
            negative, or the split does not know its images by number.

    >>> from supernet.data import digits
    >>> split = WrongLabelSplit(digits().train, pair_matrix(10, 0.4), seed=0)
    >>> round(split.share, 3)
    0.403
    """

    split: Indexed
    matrix: Matrix = field(repr=False)
    seed: int

    def __post_init__(self) -> None:
        classes = _check_matrix(self.matrix)
        labels = labels_of(indexed(self.split, "WrongLabelSplit"))
        if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
            wrong = labels[(labels < 0) | (labels >= classes)][0]
            raise UsageError(
                f"An image is of class {wrong}, and the matrix of wrong labels has the classes 0 to {classes - 1}. "
                "Give it a row and a column for every class."
            )
        generator(self.seed, WRONG_LABELS)  # refuses a bad seed here, not at the first batch

    @cached_property
    def labels(self) -> Indices:
        """Class indices ``(N,)``, as drawn."""
        # One number per image and in order, so that the first images of a split keep their labels in its head.
        drawn = generator(self.seed, WRONG_LABELS).random(len(self))
        true = labels_of(self.split)
        reached = np.cumsum(self.matrix, axis=1)
        reached /= reached[:, -1:]  # what follows the last possible label is never reached, whatever was rounded
        labels = np.empty(len(true), dtype=np.int64)
        for label, row in enumerate(reached):  # class by class: a row for each image would not fit into memory
            of_class = true == label
            labels[of_class] = np.searchsorted(row, drawn[of_class], side="right")
        return labels

    @property
    def share(self) -> float:
        """The share of the images whose label is wrong, as drawn."""
        return float((self.labels != labels_of(self.split)).mean())

    def fingerprint(self) -> str:
        """Digest of the split and of every label."""
        digest = hashlib.sha256(f"WrongLabels {self.seed} on {self.split.fingerprint()}: ".encode())
        digest.update(self.labels.data)
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class WrongLabels:
    """Data of whose training images a share is labelled wrongly; validation, test and further splits stay clean.

    Symmetric noise takes any other class alike, pair noise the next one (k becomes k + 1, the last class the first),
    as in Han et al. ([arXiv 1804.06872](https://arxiv.org/abs/1804.06872)). There "symmetric" is of the other classes,
    as here; where it may be the same class again, a rate r there is a rate of r (K - 1) / K here.

    The name of the data says which share is really wrong, and `data.train.share` is that number.

    Args:
        rate: How likely the label of an image is wrong, at least 0 and below 1; 0 changes nothing.
        kind: Which class takes the place of the true one.
        matrix: In place of both: row k holds how likely each label is that an image of class k is given.
        seed: The seed that decides which labels are wrong.

    Raises:
        UsageError: A value is out of range, or a matrix is given with a rate or a kind; where it is called, the task of
            the data has no class labels, or the matrix is not of its classes.

    >>> from supernet.data import digits
    >>> print(WrongLabels(rate=0.2)(digits()))
    digits, 19.4 % wrong labels: 1150 train, 288 validation, 359 test images of 1x8x8, 10 classes
    """

    rate: float = 0.0
    kind: Literal["symmetric", "pair"] = "symmetric"
    matrix: tuple[tuple[float, ...], ...] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise UsageError(f"A share of {self.rate} of the labels was to be wrong; give a rate in [0, 1).")
        if self.kind not in ("symmetric", "pair"):
            raise UsageError(f"Wrong labels were to be {self.kind!r}; give 'symmetric', 'pair', or a matrix.")
        if self.matrix is not None:
            if self.rate or self.kind != "symmetric":
                raise UsageError(
                    f"A matrix says how likely every label is, and rate={self.rate}, kind={self.kind!r} say it again. "
                    "Give the matrix alone, or leave it out."
                )
            object.__setattr__(self, "matrix", tuple(map(tuple, self.matrix)))
            _check_matrix(_as_matrix(self.matrix))
        generator(self.seed, WRONG_LABELS)

    def __call__(self, data: Kind) -> Kind:
        """The data with these labels."""
        count = data.num_classes
        if count < 2 or not isinstance(data.task, Classification):
            raise UsageError(
                f"{data.name} has no class labels that could be wrong; its task is {type(data.task).__name__}. Leave "
                "the wrong labels out, or take images for classification."
            )
        if self.matrix is not None and len(self.matrix) != count:
            raise UsageError(
                f"The matrix of wrong labels is of {len(self.matrix)} classes, and {data.name} has {count}. Give "
                f"{count} rows of {count} numbers."
            )
        if self.matrix is None and not self.rate:
            return data
        matrix = _as_matrix(self.matrix) if self.matrix is not None else _MATRICES[self.kind](count, self.rate)
        train = WrongLabelSplit(indexed(data.train, "WrongLabels"), matrix, self.seed)
        return replace(data, name=f"{data.name}, {100 * train.share:.1f} % wrong labels", train=train)


def symmetric_matrix(classes: int, rate: float) -> Matrix:
    """How likely each label is where a share `rate` of those of each class is one of the others, all alike ``(K, K)``.

    >>> symmetric_matrix(3, 0.5).tolist()
    [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5]]
    """
    matrix = np.full((classes, classes), rate / (classes - 1))
    np.fill_diagonal(matrix, 1 - rate)
    return matrix


def pair_matrix(classes: int, rate: float) -> Matrix:
    """How likely each label is where a share `rate` of those of each class is the next one ``(K, K)``.

    >>> pair_matrix(3, 0.5).tolist()
    [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5]]
    """
    whole = np.eye(classes)
    return (1 - rate) * whole + rate * np.roll(whole, 1, axis=1)


_MATRICES = {"symmetric": symmetric_matrix, "pair": pair_matrix}


def _as_matrix(rows: Sequence[Sequence[float]]) -> Matrix:
    if len({len(row) for row in rows}) != 1:
        raise UsageError(
            f"The matrix of wrong labels has rows of {', '.join(str(len(row)) for row in rows) or 'no'} numbers. Give "
            "as many rows as there are classes, and as many numbers in each."
        )
    return np.asarray(rows, dtype=np.float64)


def _check_matrix(matrix: Matrix) -> int:
    """The number of classes of a matrix of probabilities."""
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise UsageError(
            f"The matrix of wrong labels is of shape {matrix.shape}; give a row and a column for each of two classes "
            "or more."
        )
    for number, row in enumerate(matrix):
        if not (np.isfinite(row).all() and row.min() >= 0 and abs(row.sum() - 1) < 1e-6):
            raise UsageError(
                f"Row {number} of the matrix of wrong labels sums to {row.sum():g}, with {row.min():g} as its least "
                "number; give probabilities of 0 or more that sum to 1."
            )
    return len(matrix)
