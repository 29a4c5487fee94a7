import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from supernet.data.stratify import hold_out, interleave
from supernet.errors import UsageError


def draw(labels: list[int], size: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    classes = [f"c{i}" for i in range(max(labels) + 1)]
    return hold_out(np.array(labels), size, rng=np.random.default_rng(seed), classes=classes, option="validation")


@settings(deadline=None)
@given(sizes=st.lists(st.integers(2, 60), min_size=2, max_size=6), share=st.floats(0.05, 0.95), seed=st.integers(0, 99))
def test_shares_are_kept_and_nothing_is_lost(sizes: list[int], share: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    count = round(share * len(labels))
    assume(len(sizes) <= count <= len(labels) - len(sizes))
    kept, out = draw(labels.tolist(), share, seed)
    assert len(out) == count
    assert sorted([*kept.tolist(), *out.tolist()]) == list(range(len(labels)))
    held = np.bincount(labels[out], minlength=len(sizes))
    assert (held >= 1).all()
    assert (held <= np.array(sizes) - 1).all()
    if all(1 <= share * n <= n - 1 for n in sizes):  # no class needs its guaranteed image
        assert np.abs(held - count * np.array(sizes) / len(labels)).max() < 1


def test_equal_classes_are_held_out_equally() -> None:
    labels = np.arange(100) % 4
    kept, out = draw(labels.tolist(), 20)
    assert np.bincount(labels[out]).tolist() == [5, 5, 5, 5]
    for part in (kept, out):  # and every run of four has one of each
        assert all(sorted(labels[part[i : i + 4]]) == [0, 1, 2, 3] for i in range(0, len(part), 4))


def test_the_seed_decides() -> None:
    labels = [0, 1] * 50
    assert np.array_equal(draw(labels, 0.3, 1)[1], draw(labels, 0.3, 1)[1])
    assert set(draw(labels, 0.3, 1)[1].tolist()) != set(draw(labels, 0.3, 2)[1].tolist())


def test_every_image_is_equally_likely_to_be_held_out() -> None:
    counts = np.zeros(10)
    for seed in range(1000):
        counts[draw([0] * 5 + [1] * 5, 4, seed)[1]] += 1
    assert np.abs(counts - 400).max() < 4 * (1000 * 0.4 * 0.6) ** 0.5


def test_prefixes_of_an_interleaved_order_keep_the_shares() -> None:
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    order = interleave(labels, np.random.default_rng(0))
    for n in (10, 50, 200, 500):
        share = np.bincount(labels[order[:n]], minlength=3)
        assert np.abs(share - n * np.array([0.6, 0.3, 0.1])).max() <= 2


@pytest.mark.parametrize("size", [0, -1, -0.2, 2.5, float("nan"), float("inf")])
def test_what_is_not_a_size_is_refused(size: float) -> None:
    with pytest.raises(UsageError, match=r"validation=.* fraction between 0 and 1, or a whole number"):
        draw([0, 1] * 50, size)


@pytest.mark.parametrize("size", [1, 0.001, 99, 0.999, 1000])
def test_both_sides_need_every_class(size: float) -> None:
    with pytest.raises(UsageError, match="hold out 2 to 98 images"):
        draw([0, 1] * 50, size)


def test_a_scarce_class_is_named() -> None:
    with pytest.raises(UsageError, match=r"Class 'c2' has 1 image left to divide, but validation=0.5 needs at least 2"):
        draw([0, 0, 0, 1, 1, 1, 2], 0.5)
