from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import chi2, norm

from supernet.data import AllImages, Augment, Chained, ImageData, MemorySplit, WrongLabels, WrongLabelSplit, digits
from supernet.data.derived.wrong_labels import pair_matrix, symmetric_matrix
from supernet.data.indexed import labels_of
from supernet.errors import UsageError
from supernet.tasks import MultiLabel
from two_splits import images

N, K = 20_000, 10


def many(n: int = N, classes: int = K) -> MemorySplit:
    pixels = torch.zeros(n, 1, 1, 1, dtype=torch.uint8)
    return MemorySplit(images=pixels, labels=torch.arange(n) % classes, mean=(0.0,), std=(1.0,), augment=Augment())


def counted(split: WrongLabelSplit) -> np.ndarray:
    """How often an image of class k has label j (K, K)."""
    table = np.zeros((K, K))
    np.add.at(table, (labels_of(split.split), split.labels), 1)
    return table


UNEVEN = np.full((K, K), 0.05) + 0.5 * np.eye(K)


@pytest.mark.parametrize("matrix", [symmetric_matrix(K, 0.3), pair_matrix(K, 0.45), UNEVEN], ids=["all", "pair", "own"])
def test_each_row_is_drawn_as_its_matrix_says(matrix: np.ndarray) -> None:
    table, expected = counted(WrongLabelSplit(many(), matrix, seed=1)), matrix * N / K
    assert not table[expected == 0].any()
    likely = expected > 0
    statistic = ((table - expected)[likely] ** 2 / expected[likely]).sum()
    assert statistic < chi2.ppf(1 - 1e-4, likely.sum() - K)
    assert table.diagonal().std() > 1  # drawn one by one, not dealt in equal numbers


@pytest.mark.parametrize("kind", ["symmetric", "pair"])
def test_the_rate_is_that_of_really_wrong_labels(kind: str) -> None:
    data = digits()
    made = WrongLabels(rate=0.4, kind=kind, seed=3)(data)  # type: ignore[arg-type]
    wrong = made.train.labels != data.train.labels.numpy()  # type: ignore[attr-defined]
    assert made.train.share == wrong.mean()  # type: ignore[attr-defined]
    assert abs(wrong.mean() - 0.4) < norm.ppf(1 - 1e-4) * (0.24 / len(wrong)) ** 0.5
    assert made.name == f"digits, {100 * wrong.mean():.1f} % wrong labels"
    shift = (made.train.labels - data.train.labels.numpy())[wrong] % 10  # type: ignore[attr-defined]
    assert set(shift) == ({1} if kind == "pair" else set(range(1, 10)))


def test_labels_follow_from_the_seed_and_the_number_alone() -> None:
    whole = WrongLabelSplit(many(), pair_matrix(K, 0.4), seed=0)
    for n in (1, 333, N - 1):
        assert whole.head(n).labels.tolist() == whole.labels[:n].tolist()
    other = replace(whole, seed=1)
    rarer = replace(whole, matrix=pair_matrix(K, 0.3))
    assert len({split.fingerprint() for split in (whole, replace(whole), other, rarer)}) == 3
    hit, again = (split.labels != labels_of(split.split) for split in (whole, other))
    assert abs((hit & again).mean() - 0.16) < 0.02  # together as often as by chance


def test_only_training_labels_are_wrong(data: ImageData) -> None:
    made = WrongLabels(rate=0.5)(data.sealed())
    assert made.is_sealed
    assert (made.validation, made.held_out) == (data.validation, data.held_out)
    assert images(made.train) == images(data.train)
    assert made.fingerprint() != data.fingerprint()
    joined = Chained((WrongLabels(rate=0.5), AllImages()))(data)
    count = len(data.train)
    assert labels_of(joined.train)[count:].tolist() == labels_of(data.validation).tolist()  # type: ignore[arg-type]
    assert labels_of(joined.train)[:count].tolist() == made.train.labels.tolist()  # type: ignore[arg-type,attr-defined]


def test_a_rate_of_0_changes_nothing(data: ImageData) -> None:
    assert WrongLabels()(data) is data
    same = WrongLabels(matrix=tuple(map(tuple, np.eye(3))))(data)
    assert same.train.share == 0  # type: ignore[attr-defined]


def test_what_is_certain_is_never_missed_and_what_is_impossible_never_drawn() -> None:
    third = np.full((3, 3), 1 / 3)
    third[:, 2] = 0
    third /= third.sum(axis=1, keepdims=True)
    drawn = WrongLabelSplit(many(N, 3), third, seed=0).labels
    assert set(drawn.tolist()) == {0, 1}


TWO = ((0.5, 0.5), (0.1, 0.9))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: WrongLabels(rate=1.0), r"A share of 1\.0 of the labels was to be wrong; give a rate in \[0, 1\)"),
        (lambda: WrongLabels(rate=-0.1), "A share of -0.1"),
        (lambda: WrongLabels(rate=float("nan")), "A share of nan"),
        (lambda: WrongLabels(rate=0.1, kind="odd"), "to be 'odd'; give 'symmetric', 'pair', or a matrix"),  # type: ignore[arg-type]
        (lambda: WrongLabels(rate=0.1, matrix=TWO), "Give the matrix alone"),
        (lambda: WrongLabels(matrix=((0.5, 0.4), (0, 1))), "Row 0 of the matrix of wrong labels sums to 0.9"),
        (lambda: WrongLabels(matrix=((1, 0), (1.5, -0.5))), "Row 1 .* sums to 1, with -0.5 as its least number"),
        (lambda: WrongLabels(matrix=((1, 0), (1,))), "has rows of 2, 1 numbers"),
        (lambda: WrongLabels(matrix=((1, 0),)), r"is of shape \(1, 2\)"),
        (lambda: WrongLabels(rate=0.1, seed=-1), "seed=-1 is negative"),
        (lambda: WrongLabels(matrix=TWO)(digits()), "is of 2 classes, and digits has 10. Give 10 rows of 10"),
        (lambda: WrongLabelSplit(many(), np.asarray(TWO), 0), "of class 2, and the matrix .* classes 0 to 1"),
        (
            lambda: WrongLabels(rate=0.1)(replace(digits(), classes=("a", "b")).for_task(MultiLabel())),
            "has no class labels that could be wrong; its task is MultiLabel",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(make: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()
