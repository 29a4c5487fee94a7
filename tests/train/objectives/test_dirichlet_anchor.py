"""The divergence of Dirichlet distributions from an anchor, against its formula and against simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import special, stats

from small_nets import operations_net, step
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Output
from supernet.space.restriction import Restriction
from supernet.train import DirichletAnchor, OptionLogits, Outcome

ROWS = ([1.0, -0.5, 0.3], [-2.0, 0.0, 4.0])


def outcome(rows: Sequence[Sequence[float]], allowed: tuple[str, ...] | None = None) -> Outcome:
    net = operations_net()
    architecture = OptionLogits(net)
    with torch.no_grad():
        for logits, row in zip(architecture.logits, rows, strict=True):
            logits.copy_(torch.tensor(row))
    restriction = Restriction(net.space)
    if allowed is not None:
        restriction.allow("block0", allowed)
    now = replace(step(net, parts={"architecture": architecture}), restriction=restriction)
    return Outcome(Output(torch.zeros(2, 10)), Batch(torch.zeros(2, 1, 8, 8), torch.zeros(2, dtype=torch.long)), now)


def beta(row: Sequence[float]) -> np.ndarray:
    x = np.asarray(row)
    return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))


def divergence(a: np.ndarray, b: np.ndarray) -> float:
    """KL(Dir(a) ‖ Dir(b)) in closed form."""
    log_of_norms = special.gammaln(a.sum()) - special.gammaln(a).sum() - special.gammaln(b.sum())
    slopes = special.digamma(a) - special.digamma(a.sum())
    return float(log_of_norms + special.gammaln(b).sum() + ((a - b) * slopes).sum())


@pytest.mark.parametrize("anchor", [1.0, 0.5])
def test_it_is_the_sum_over_choices_of_the_closed_form(anchor: float) -> None:
    expected = sum(divergence(beta(row), np.full(3, anchor)) for row in ROWS)
    assert DirichletAnchor(anchor)(outcome(ROWS)).item() == pytest.approx(expected, rel=1e-5)
    assert expected > 0.5


def test_the_closed_form_is_the_mean_log_ratio_of_densities() -> None:
    """The anchor is its second argument: samples are those of the learned distribution."""
    a, b = beta(ROWS[0]), np.ones(3)
    samples = np.random.default_rng(0).dirichlet(a, 20_000)
    ratio = stats.dirichlet.logpdf(samples.T, a) - stats.dirichlet.logpdf(samples.T, b)
    assert divergence(a, b) == pytest.approx(ratio.mean(), abs=4 * ratio.std() / np.sqrt(len(ratio)))


def test_it_is_zero_where_logits_are_and_draws_them_there() -> None:
    assert DirichletAnchor()(outcome([[0.0] * 3] * 2)).item() == pytest.approx(0, abs=1e-6)
    seen = outcome(ROWS)
    DirichletAnchor()(seen).backward()
    for logits, row in zip(seen.step.part("architecture", OptionLogits).logits, ROWS, strict=True):
        assert logits.grad is not None
        high = int(np.argmax(row))
        assert logits.grad[high] > 0, "descent lowers what stands above the anchor"


def test_forbidden_options_and_decided_choices_do_not_count() -> None:
    first, second = beta(ROWS[0]), divergence(beta(ROWS[1]), np.ones(3))
    two = divergence(first[[0, 2]], np.ones(2)) + second
    assert DirichletAnchor()(outcome(ROWS, ("conv3", "skip"))).item() == pytest.approx(two, rel=1e-5)
    assert DirichletAnchor()(outcome(ROWS, ("conv1",))).item() == pytest.approx(second, rel=1e-5)


def test_an_anchor_that_is_not_positive_is_refused() -> None:
    with pytest.raises(UsageError, match="concentration of the anchor"):
        DirichletAnchor(0.0)
