"""The maximum mean discrepancy: closed forms between normals, equal sets, pairs by hand, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.train import KernelDiscrepancy

ESTIMATORS = ("linear", "cyclic", "unbiased", "biased")


def drawn(seed: int, n: int, dimensions: int = 3, mean: float = 0.0, deviation: float = 1.0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(mean, deviation, (n, dimensions)))


def closed_form(mean: float, deviation: float, dimensions: int, widths: list[float]) -> float:
    """MMD² between N(0, I) and N(mean, deviation² I), kernels exp(−|x − y|² / h) with the mean over h.

    x − y is normal with variance s² = σ₁² + σ₂², so that E k = (1 + 2 s² / h)^(−D/2) exp(−|δ|² / (h + 2 s²)).
    """

    def expected(delta: float, variance: float, h: float) -> float:
        squared = dimensions * delta**2
        return float((1 + 2 * variance / h) ** (-dimensions / 2) * np.exp(-squared / (h + 2 * variance)))

    square = deviation**2
    found = [expected(0, 2, h) + expected(0, 2 * square, h) - 2 * expected(mean, 1 + square, h) for h in widths]
    return float(np.mean(found))


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (0.7, 1.0), (0.0, 2.0), (-0.5, 0.6)])
def test_it_estimates_the_closed_form_between_normals(estimator: Any, mean: float, deviation: float) -> None:
    """Within five standard errors of the mean of 40 samples, each of which has 60 and 60 examples."""
    measure = KernelDiscrepancy(kernels=3, factor=2.0, width=4.0, estimator=estimator)
    found = [float(measure(drawn(2 * i, 60), drawn(2 * i + 1, 60, 3, mean, deviation))) for i in range(40)]
    expected = closed_form(mean, deviation, 3, [2.0, 4.0, 8.0])
    if estimator == "biased":  # an example with itself: k = 1 in 1 / n of the pairs within a set
        within = 0.5 * sum(_within(d, 3, [2.0, 4.0, 8.0]) for d in (1.0, deviation))
        expected += 2 / 60 * (1 - within)
    assert abs(np.mean(found) - expected) < 5 * np.std(found) / np.sqrt(40)
    assert np.std(found) < 0.2


def _within(deviation: float, dimensions: int, widths: list[float]) -> float:
    return float(np.mean([(1 + 4 * deviation**2 / h) ** (-dimensions / 2) for h in widths]))


def test_biased_it_is_zero_for_equal_sets_and_never_negative() -> None:
    measure = KernelDiscrepancy(estimator="biased")
    x = drawn(0, 17, 5)
    assert float(measure(x, x)) == 0
    assert float(measure(x, x[torch.randperm(17, generator=torch.Generator().manual_seed(1))])) == pytest.approx(
        0, abs=1e-6
    )
    assert min(float(measure(drawn(i, 4), drawn(i + 50, 6))) for i in range(20)) > 0
    assert any(float(KernelDiscrepancy(estimator="unbiased")(drawn(i, 4), drawn(i + 50, 6))) < 0 for i in range(20))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_it_is_the_sum_over_pairs_that_it_says(estimator: Any) -> None:
    """Loops over pairs in plain Python, with widths from the mean of all squared distances."""
    x, y = drawn(3, 6).numpy(), drawn(4, 6, mean=0.5).numpy()
    both = np.concatenate([x, y])
    squared = [float(((a - b) ** 2).sum()) for i, a in enumerate(both) for j, b in enumerate(both) if i != j]
    widths = [np.mean(squared) * 3.0**power for power in (-2, -1, 0, 1, 2)]

    def k(a: Any, b: Any) -> float:
        return float(np.mean([np.exp(-((a - b) ** 2).sum() / h) for h in widths]))

    if estimator in ("linear", "cyclic"):
        pairs = [(0, 1), (2, 3), (4, 5)] if estimator == "linear" else [(i, (i + 1) % 6) for i in range(6)]
        expected = np.mean([k(x[i], x[j]) + k(y[i], y[j]) - k(x[i], y[j]) - k(x[j], y[i]) for i, j in pairs])
    else:
        inside = [(i, j) for i in range(6) for j in range(6) if estimator == "biased" or i != j]
        expected = np.mean([k(x[i], x[j]) + k(y[i], y[j]) for i, j in inside])
        expected -= 2 * np.mean([k(a, b) for a in x for b in y])
    found = KernelDiscrepancy(factor=3.0, estimator=estimator)(torch.from_numpy(x), torch.from_numpy(y))
    assert float(found) == pytest.approx(float(expected), abs=1e-6)


def test_widths_and_shares_of_kernels() -> None:
    x, y = drawn(5, 8), drawn(6, 8)
    both = torch.cat([x, y])
    squared = torch.pdist(both).square()
    mean, median = (KernelDiscrepancy(width=w)._widths(x, y) for w in ("mean", "median"))
    assert mean.tolist() == pytest.approx([float(squared.mean()) * f for f in (0.25, 0.5, 1, 2, 4)], rel=1e-6)
    assert median[2].item() == pytest.approx(float(torch.cat([squared, squared]).median()))
    one = [float(KernelDiscrepancy(kernels=1, width=w)(x, y)) for w in (1.0, 2.0, 4.0)]
    told = KernelDiscrepancy(kernels=3, width=2.0, shares=(1, 3, 4))(x, y)
    assert float(told) == pytest.approx((one[0] + 3 * one[1] + 4 * one[2]) / 8, abs=1e-6)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_its_gradient_is_that_of_differences_with_the_width_held(estimator: Any) -> None:
    x, y = drawn(7, 6).requires_grad_(), drawn(8, 6, mean=1.0)
    width = float(KernelDiscrepancy()._widths(x.detach(), y)[2])
    (found,) = torch.autograd.grad(KernelDiscrepancy(estimator=estimator)(x, y), x)
    held, away = KernelDiscrepancy(estimator=estimator, width=width), torch.zeros(6, 3, dtype=torch.float64)
    for place in ((0, 0), (3, 2), (5, 1)):
        away.zero_()
        away[place] = 1e-2
        with torch.no_grad():
            slope = (held(x + away, y) - held(x - away, y)) / 2e-2
        assert float(found[place]) == pytest.approx(float(slope), abs=3e-5)
    assert float(found.norm()) > 1e-3


def test_features_that_are_all_alike_give_zero_and_no_nan() -> None:
    for estimator in ESTIMATORS:
        x = torch.ones(4, 3, requires_grad=True)
        found = KernelDiscrepancy(estimator=estimator)(x, torch.ones(4, 3))  # type: ignore[arg-type]
        (gradient,) = torch.autograd.grad(found, x)
        assert float(found.detach()) == 0
        assert torch.equal(gradient, torch.zeros(4, 3))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kernels": 0}, "to have 0 kernels; give 1"),
        ({"factor": 1.0}, "factor between the widths of kernels is 1.0"),
        ({"width": 0.0}, "width of the middle kernel is 0.0"),
        ({"width": "mode"}, "a number, 'mean' or 'median'; got 'mode'"),
        ({"estimator": "square"}, "estimated by one of"),
        ({"shares": (1.0,)}, "give one for each"),
        ({"shares": (1.0, 1.0, 1.0, 1.0, -1.0)}, "none below 0"),
    ],
)
def test_values_outside_their_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        KernelDiscrepancy(**options)


def test_one_image_and_other_features_are_refused() -> None:
    measure = KernelDiscrepancy()
    with pytest.raises(UsageError, match=r"was given 1 of the source and 4 of the target\. Train on batches"):
        measure(drawn(0, 1), drawn(1, 4))
    with pytest.raises(UsageError, match=r"got \(4, 3\) and \(4, 2\)"):
        measure(drawn(0, 4), drawn(1, 4, 2))
