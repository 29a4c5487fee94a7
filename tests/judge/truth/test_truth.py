import itertools

import numpy as np
import pytest

from supernet import Choice, Space, zoo
from supernet.errors import UsageError
from supernet.judge.truth.truth import Truth, one_per_stratum
from supernet.quantity import LOSS
from supernet.rank.noise import noise_ceiling

depth = Choice("depth", (1, 2))
SPACE = Space([depth, Choice("k1", (3, 5, 7)), Choice("k2", (3, 5, 7), when=depth > 1)])
ALL = list(SPACE.enumerate())


def truth(values=None, *, archs=None, **options):
    archs = ALL if archs is None else archs
    return Truth.of(archs, np.arange(len(archs), dtype=float) if values is None else values, **options)


def test_lookup_is_the_mean_of_the_trainings_that_are_there():
    made = truth([[1.0, 2.0, np.nan], [4.0, np.nan, np.nan]], archs=ALL[:2])
    assert made.lookup([ALL[1], ALL[0], ALL[1]]).tolist() == [4.0, 1.5, 4.0]
    assert made.trainings([ALL[0]])[0, :2].tolist() == [1.0, 2.0]
    assert (len(made), ALL[0] in made, ALL[2] in made, "depth=1" in made) == (2, True, False, False)
    assert made.archs == ALL[:2]


def test_one_truth_serves_every_width_and_depth_of_a_network():
    small, large = (zoo.nasbench201(channels=c, cells=n).space for c, n in ((1, 1), (4, 2)))
    made = Truth.of([small.smallest(), small.largest()], [1.0, 2.0])
    assert made.lookup([large.largest(), large.smallest()]).tolist() == [2.0, 1.0]
    assert large.largest() in made


def test_inactive_choices_make_no_difference():
    made = Truth(space=SPACE, codes=np.array([[0, 1, 2]]), values=np.array([5.0]))
    assert made.lookup([SPACE.arch({"depth": 1, "k1": 5})]).tolist() == [5.0]


def test_the_first_missing_architecture_is_named():
    with pytest.raises(UsageError, match=r"no accuracy of Arch\(depth=1, k1=7\) \(2 of 3 architectures are missing"):
        truth(archs=ALL[:2]).lookup([ALL[0], ALL[2], ALL[5]])
    other = Space([Choice("k1", (3, 5, 7))])
    with pytest.raises(UsageError, match="do not move between spaces"):
        truth().lookup([other.smallest()])
    assert other.smallest() not in truth()


def test_nothing_of_it_can_change():
    values = np.ones((len(ALL), 1))
    made = truth(values)
    values[0] = 7
    assert made.mean.tolist() == [1.0] * len(ALL)
    for array in (made.values, made.codes, made.mean):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    ("archs", "values", "options", "words"),
    [
        ([], [], {}, "The truth is empty"),
        (ALL[:2], [1.0], {}, r"shape \(2, seeds\); got \(1,\)"),
        (ALL[:2], np.ones((2, 0)), {}, r"got \(2, 0\)"),
        (ALL[:2], [1.0, np.inf], {}, r"Arch\(depth=1, k1=5\) are \[inf\]"),
        (ALL[:2], [[1.0, 2.0], [np.nan, np.nan]], {}, r"Arch\(depth=1, k1=5\) has no value at all"),
        ([ALL[1], ALL[0], ALL[1]], [1.0, 2.0, 3.0], {}, r"k1=5\) is given twice, in rows 0 and 2.*\[1.0\] and \[3.0\]"),
        (ALL[:1], [[1.0, 2.0]], {"seeds": ["a"]}, "2 columns, which are named a"),
        (ALL[:1], [[1.0, 2.0]], {"seeds": ["a", "a"]}, "a name of its own"),
    ],
)
def test_what_cannot_be_truth(archs, values, options, words):
    with pytest.raises(UsageError, match=words):
        truth(values, archs=archs, **options)


def test_the_same_row_twice_counts_once():
    made = truth([[1.0, np.nan], [2.0, 3.0], [1.0, np.nan]], archs=[ALL[0], ALL[1], ALL[0]])
    assert made.archs == ALL[:2]


def test_subset_keeps_the_order_that_was_asked_for():
    made = truth(seeds=["x"]).subset([ALL[4], ALL[1]])
    assert (made.archs, made.mean.tolist(), made.seeds) == ([ALL[4], ALL[1]], [4.0, 1.0], ("x",))


def test_strata_hold_one_each():
    values = np.random.default_rng(0).permutation(100).astype(float)
    rows = one_per_stratum(values, 10, np.random.default_rng(1))
    assert (values[rows] // 10).tolist() == list(range(10))
    draws = {tuple(one_per_stratum(values, 10, np.random.default_rng(seed))) for seed in range(5)}
    assert len(draws) == 5
    # Equal values are drawn evenly: none of them stands in a place of its own.
    counts = np.bincount(
        [one_per_stratum(np.zeros(4), 2, np.random.default_rng(s))[0] for s in range(400)], minlength=4
    )
    assert counts.min() > 70


def test_samples():
    values = np.repeat([0.0, 100.0], [11, 1])  # 12 architectures
    made = truth(values)
    rng = np.random.default_rng(0)
    assert len(made.sample(12, rng)) == 12
    assert all(100.0 in made.sample(12, rng, stratify=s).mean for s in (True, False))
    plain = [made.sample(3, rng, stratify=False) for _ in range(200)]
    assert {arch.code for sample in plain for arch in sample.archs} == {arch.code for arch in ALL}
    assert all(len(set(sample.archs)) == 3 for sample in plain)
    by = np.arange(12)[::-1]
    assert [by[ALL.index(arch)] // 4 for arch in made.sample(3, rng, by=by).archs] == [0, 1, 2]
    same = [made.sample(4, np.random.default_rng(7)).archs for _ in range(2)]
    assert same[0] == same[1]


def test_samples_that_cannot_be_drawn():
    rng = np.random.default_rng(0)
    for n in (0, 13):
        with pytest.raises(UsageError, match=f"{n} architectures cannot be drawn out of 12"):
            truth().sample(n, rng)
    with pytest.raises(UsageError, match=r"`by` has shape \(3,\)"):
        truth().sample(2, rng, by=[1, 2, 3])
    with pytest.raises(UsageError, match="no use for `by`"):
        truth().sample(2, rng, stratify=False, by=np.ones(12))


def test_merge_joins_architectures_and_trainings():
    first = truth([[1.0, 2.0], [3.0, np.nan]], archs=ALL[:2], seeds=["0", "1"], source="a")
    second = truth([[4.0, 5.0], [6.0, 7.0]], archs=ALL[1:3], seeds=["1", "2"], source="b")
    merged = first.merge(second)
    assert merged.archs == ALL[:3]
    assert merged.seeds == ("0", "1", "2")
    assert merged.source == "a; b"
    np.testing.assert_array_equal(merged.values, [[1, 2, np.nan], [3, 4, 5], [np.nan, 6, 7]])
    np.testing.assert_array_equal(merged.merge(first).values, merged.values)


def test_truths_that_cannot_be_merged():
    with pytest.raises(UsageError, match=r"disagree on Arch\(depth=1, k1=3\), seed 0: 0.0 and 1.0"):
        truth().merge(truth(np.ones(len(ALL))))
    with pytest.raises(UsageError, match="cannot be merged with"):
        truth().merge(truth(metric=LOSS))
    with pytest.raises(UsageError, match="do not move between spaces"):
        truth().merge(Truth.of([zoo.nasbench201(channels=1, cells=1).space.smallest()], [1.0]))


def plain_tau(x, y):
    """Kendall's τ-b from its definition, pair by pair."""
    signs = np.array(
        [(np.sign(x[a] - x[b]), np.sign(y[a] - y[b])) for a, b in itertools.combinations(range(len(x)), 2)]
    )
    return (signs[:, 0] * signs[:, 1]).sum() / np.sqrt((signs[:, 0] != 0).sum() * (signs[:, 1] != 0).sum())


def test_noise_ceiling_from_its_definition():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(12, 1)) + 0.5 * rng.normal(size=(12, 3)).round(1)
    a, b, c = values.T
    found = truth(values).noise_ceiling()
    assert found.single == pytest.approx((plain_tau(a, b) + plain_tau(a, c) + plain_tau(b, c)) / 3)
    left_out = [plain_tau((b + c) / 2, a), plain_tau((a + c) / 2, b), plain_tau((a + b) / 2, c)]
    assert found.mean == pytest.approx(sum(left_out) / 3)
    assert (found.averaged, found.architectures) == (2, 12)
    assert found.std == pytest.approx(np.sqrt(np.mean([np.var(row, ddof=1) for row in values])))
    assert "τ 0." in str(found)
    assert found.to_json()["single"] == found.single


def test_noise_ceiling_of_known_noise():
    """With Gaussian signal and noise, τ = 2/π · arcsin r, where r is the correlation of two trainings."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(4000, 1)) + 0.5 * rng.normal(size=(4000, 3))
    found = noise_ceiling(values)
    assert found.std == pytest.approx(0.5, rel=0.03)
    assert found.single == pytest.approx(2 / np.pi * np.arcsin(1 / 1.25), abs=0.015)
    assert found.mean == pytest.approx(2 / np.pi * np.arcsin(1 / np.sqrt(1.25 * 1.125)), abs=0.015)


def test_noise_needs_trainings_to_compare():
    holes = np.where(np.arange(12)[:, None] < 10, [[1.0, np.nan]], [[1.0, 2.0]])
    for values in (np.ones(12), holes):
        with pytest.raises(UsageError, match="trained at least twice"):
            truth(values).noise_ceiling()
    kept = np.random.default_rng(0).normal(size=(12, 2))
    kept[3, 1] = np.nan
    assert truth(kept).noise_ceiling().architectures == 11
