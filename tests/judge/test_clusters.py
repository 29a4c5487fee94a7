"""Families of similar architectures, and global and local order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from supernet.errors import UsageError
from supernet.judge import similarity, specialisation
from supernet.rank import draw_good_and_poor, kendall_tau, order_along, order_preservation
from supernet.space import Choice, Space

SPACE = Space([Choice(f"e{i}", tuple("abcde")) for i in range(6)])


def population(n: int, seed: int = 0) -> np.ndarray:
    return SPACE.unindex(np.random.default_rng(seed).choice(SPACE.size, n, replace=False))


def test_similarity_counts_equal_decisions():
    codes = population(40)
    expected = [[(a == b).sum() for b in codes] for a in codes]
    assert similarity(SPACE, codes).tolist() == expected


def test_decisions_that_do_not_matter_never_count():
    depth = Choice("depth", (1, 2))
    space = Space([depth, Choice("k", (3, 5), when=depth > 1)])
    codes = space.codes([space.arch({"depth": 1}), space.arch({"depth": 2, "k": 3}), space.arch({"depth": 2, "k": 5})])
    assert similarity(space, codes).tolist() == [[1, 0, 0], [0, 2, 1], [0, 1, 2]]


@pytest.mark.parametrize("shared", [2, 3, 4])
def test_members_of_a_cluster_share_what_was_asked(shared):
    codes = population(200)
    rng = np.random.default_rng(1)
    predicted, true = rng.normal(size=(2, 200))
    found = specialisation(SPACE, codes, predicted, true, shared=shared)
    assert sorted(itertools.chain(*(c.members for c in found.clusters))) == list(range(200))
    assert [c.true for c in found.clusters] == sorted((c.true for c in found.clusters), reverse=True)
    assert 1 < len(found.clusters) < 200
    for number, cluster in enumerate(found.clusters):
        rows = list(cluster.members)
        assert all((codes[a] == codes[b]).sum() >= shared for a, b in itertools.combinations(rows, 2))
        assert cluster.true == pytest.approx(true[rows].mean())
        assert cluster.predicted == pytest.approx(predicted[rows].mean())
        assert (found.labels[rows] == number).all()
        same = {SPACE.names[d] for d in range(6) if len(set(codes[rows, d])) == 1}
        assert set(cluster.common) == same


def test_planted_families_are_found():
    rng = np.random.default_rng(0)
    centres = np.asarray([[0] * 6, [1] * 6, [2] * 6], dtype=np.int16)
    family = np.repeat(np.arange(3), 6)
    codes = centres[family].copy()
    codes[np.arange(18), np.tile(np.arange(6), 3)] = 4  # each member changes another decision
    true = family + 0.01 * rng.normal(size=18)
    predicted = np.where(family == 2, 5.0, 0.0) + 0.01 * rng.normal(size=18)
    for linkage in ("complete", "average", "single"):
        found = specialisation(SPACE, codes, predicted, true, shared=4, linkage=linkage)
        assert [cluster.size for cluster in found.clusters] == [6, 6, 6]
        assert [round(cluster.true) for cluster in found.clusters] == [2, 1, 0]
        assert [round(cluster.predicted) for cluster in found.clusters] == [5, 0, 0]


@pytest.mark.parametrize(("n", "linkage"), [(200, "complete"), (40, "complete"), (200, "average"), (4, "complete")])
def test_without_a_threshold_clusters_have_five_members_on_average(n, linkage):
    codes = population(n)
    predicted, true = np.random.default_rng(1).normal(size=(2, n))
    found = specialisation(SPACE, codes, predicted, true, linkage=linkage)
    same = specialisation(SPACE, codes, predicted, true, shared=found.shared, linkage=linkage)
    finer = specialisation(SPACE, codes, predicted, true, shared=found.shared + 1, linkage=linkage)
    assert found == same
    assert len(found.clusters) <= max(1, n // 5) < len(finer.clusters)


def test_extreme_thresholds():
    codes = population(50)
    predicted, true = np.random.default_rng(1).normal(size=(2, 50))
    assert len(specialisation(SPACE, codes, predicted, true, shared=6).clusters) == 50
    assert len(specialisation(SPACE, codes, predicted, true, shared=0).clusters) == 1


def test_bad_clusterings_are_refused():
    codes, scores = population(10), np.arange(10.0)
    with pytest.raises(UsageError, match="10 architectures and 9 scores"):
        specialisation(SPACE, codes, scores[:9], scores[:9], shared=3)
    with pytest.raises(UsageError, match="7 equal decisions is impossible"):
        specialisation(SPACE, codes, scores, scores, shared=7)
    with pytest.raises(UsageError, match="'ward' does not exist"):
        specialisation(SPACE, codes, scores, scores, shared=3, linkage="ward")
    many = np.arange(5001.0)
    with pytest.raises(UsageError, match="at most 5,000"):
        specialisation(SPACE, population(5001), many, many, shared=3)


def test_global_and_local_order():
    true = np.concatenate([np.arange(100, 110), np.arange(20)]).astype(float)
    good, poor = list(range(10)), list(range(10, 30))
    perfect = order_preservation(true, true, good=good, poor=poor)
    assert (perfect.found, perfect.local_tau) == (10, 1)
    assert perfect.by_chance == pytest.approx(10 / 3)
    # two poor ones pass the two worst good ones; the good ones are ordered backwards
    predicted = true.copy()
    predicted[:10] = predicted[:10][::-1]
    predicted[[10, 11]] = 101.5, 101.6
    found = order_preservation(predicted, true, good=good, poor=poor)
    assert (found.found, found.local_tau) == (8, -1)
    # all of the 28 at the threshold compete for 8 places, and 8 of them are good
    tied = np.ones(30)
    tied[[0, 1]] = 2
    assert order_preservation(tied, true, good=good, poor=poor).found == pytest.approx(2 + 8 * 8 / 28)


def test_order_along_generations_is_that_of_each():
    rng = np.random.default_rng(0)
    true = np.concatenate([np.arange(100, 110), rng.normal(size=20)])
    scores = rng.normal(size=(6, 30)) + np.linspace(0, 0.1, 6)[:, None] * true
    for row, order in zip(scores, order_along(scores, true, good=10), strict=True):
        assert order == order_preservation(row, true, good=range(10), poor=range(10, 30))
        best = set(np.argsort(-row)[:10])
        assert order.found == len(best & set(range(10)))
        assert order.local_tau == pytest.approx(kendall_tau(row[:10], true[:10]))


def test_generations_that_score_all_alike_have_no_order():
    true = np.concatenate([np.arange(100, 110), np.arange(20)]).astype(float)
    collapsed, blind = np.ones(30), true.copy()
    blind[:10] = 200
    first, second = order_along(np.stack([collapsed, blind]), true, good=10)
    assert (first.found, first.local_tau) == (pytest.approx(10 / 3), None)
    assert (second.found, second.local_tau) == (10, None)
    assert order_preservation(blind, true, good=range(10), poor=range(10, 30)).local_tau is None


@pytest.mark.parametrize(
    ("scores", "true", "says"),
    [
        (np.arange(5.0), np.arange(5.0), r"shape \(5,\) and the true ones \(5,\)"),
        (np.ones((2, 4)), np.arange(5.0), "a row for each generation"),
        (np.full((1, 5), np.nan), np.arange(5.0)[::-1], "not finite"),
        (np.ones((1, 5)), np.asarray([3.0, 3, 3, 1, 0]), "a constant ranks nothing"),
    ],
)
def test_bad_generations_are_refused(scores, true, says):
    with pytest.raises(UsageError, match=says):
        order_along(scores, true, good=3)


def test_good_and_poor_are_drawn_apart():
    true = np.random.default_rng(0).normal(size=1000)
    good, poor = draw_good_and_poor(true, np.random.default_rng(1))
    assert (len(set(good)), len(set(poor))) == (10, 20)
    assert true[good].min() >= np.sort(true)[-50] > true[poor].max()
    order_preservation(true, true, good=good.tolist(), poor=poor.tolist())
    with pytest.raises(UsageError, match="the top 1 % holds 10"):
        draw_good_and_poor(true, np.random.default_rng(1), good=11, share=0.01)


@pytest.mark.parametrize(
    ("good", "poor", "says"),
    [
        ([5, 6], [0], "at least three good"),
        ([4, 5, 6], [], "0 poor"),
        ([4, 5, 6], [6], "each only once"),
        ([4, 5, 7], [0], "there are 0 to 6"),
        ([4, 5, 0], [1, 2], "every good one must be better"),
    ],
)
def test_bad_choices_of_good_and_poor_are_refused(good, poor, says):
    with pytest.raises(UsageError, match=says):
        order_preservation(np.arange(7.0), np.arange(7.0), good=good, poor=poor)
