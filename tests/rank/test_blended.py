"""Cheap scores blended by a few true ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from supernet.errors import UsageError
from supernet.rank import kendall_tau
from supernet.rank.blended import blend
from supernet.rank.joined import joined_ranks

N = 200


def made(few: int) -> tuple[dict[str, np.ndarray], np.ndarray, dict[int, float]]:
    """A score that says much, one that says the rest the wrong way round, one that says nothing; the truth."""
    rng = np.random.default_rng(0)
    much, rest, nothing = rng.normal(size=(3, N))
    worth = 2 * much - rest + 0.3 * rng.normal(size=N)
    truth = {int(row): float(worth[row]) for row in rng.choice(N, few, replace=False)}
    return {"much": much, "rest": rest, "nothing": nothing}, worth, truth


def test_what_is_learned_is_which_scores_count_and_which_way() -> None:
    scores, worth, truth = made(30)
    found = blend(range(N), scores, truth)
    unseen = [row for row in range(N) if row not in truth]
    assert kendall_tau(found.scores[unseen], worth[unseen]) > 0.75
    assert kendall_tau(joined_ranks(scores, logarithmic=False)[unseen], worth[unseen]) < 0.4
    assert found.tau is not None
    assert found.added is not None
    # What is held out tells what is unseen.
    assert found.tau == pytest.approx(kendall_tau(found.scores[unseen], worth[unseen]), abs=0.08)
    assert found.added < 0.4
    assert found.weights["much"] > -found.weights["rest"] > 0
    brings = {name: found.tau - tau for name, tau in found.without.items()}
    assert brings["much"] > brings["rest"] > 0.1
    assert abs(brings["nothing"]) < 0.05
    assert found.alone["rest"] < -0.1
    assert "brings the blend +" in found.sentences()[1]


def test_noise_is_not_taken_for_knowledge() -> None:
    """τ that is held out is about 0 where scores say nothing; that of the fit itself is not."""
    rng = np.random.default_rng(1)
    held, fitted = [], []
    for seed in range(8):
        scores = {str(place): rng.normal(size=60) for place in range(4)}
        truth = {row: float(rng.normal()) for row in range(20)}
        found = blend(range(60), scores, truth, repeats=2, seed=seed)
        held.append(found.tau)
        fitted.append(kendall_tau(found.scores[:20], list(truth.values())))
    assert abs(np.mean(held)) < 0.15
    assert np.mean(fitted) > 0.2


def test_the_blend_is_a_ridge_regression_on_ranks() -> None:
    scores, _, truth = made(40)
    found = blend(range(N), scores, truth)
    rows = list(truth)
    ranks = np.stack([np.sqrt(12) * ((rankdata(v) - 0.5) / N - 0.5) for v in scores.values()], axis=1)
    x, y = ranks[rows], rankdata(list(truth.values()))
    centred = x - x.mean(0)
    losses = []
    fits = []
    for penalty in np.logspace(-2, 3, 11):
        inverse = np.linalg.inv(centred.T @ centred + penalty * np.eye(3))
        hat = centred @ inverse @ centred.T + 1 / len(y)
        losses.append((((y - hat @ y) / (1 - np.diag(hat))) ** 2).mean())
        fits.append(y.mean() + (ranks - x.mean(0)) @ inverse @ centred.T @ (y - y.mean()))
    np.testing.assert_allclose(found.scores, fits[int(np.argmin(losses))], rtol=1e-6)


def test_a_network_that_failed_does_not_decide_the_fit() -> None:
    scores, _, truth = made(30)
    worst = min(truth, key=lambda row: truth[row])
    failed = blend(range(N), scores, truth | {worst: -1000.0}, repeats=1)
    assert failed.scores.tolist() == blend(range(N), scores, truth, repeats=1).scores.tolist()


def test_what_cannot_be_used_is_told_and_the_rest_goes_on() -> None:
    scores, _, truth = made(12)
    of_others = {"a network": 1.0}
    found = blend(
        range(N),
        {
            **scores,
            "flat": np.ones(N),
            "holes": np.where(np.arange(N) == 3, np.nan, scores["much"]),
            "short": [1.0, 2.0],
            "elsewhere": of_others,
            "last": np.where(np.arange(N) == 3, -np.inf, scores["much"]),
        },
        truth | {"a network": 1.0, next(iter(truth)): np.nan},
    )
    assert set(found.weights) == {*scores, "last"}
    assert found.n == 11
    assert found.tau is not None
    assert np.isfinite(found.scores).all()
    told = " ".join(found.sentences())
    for said in (
        "flat is left out: it is 1 for all",
        "holes is left out: of 1 of 200",
        "short is left out: it has the shape (2,)",
        "elsewhere is left out: it knows none of these architectures. Is it of another space?",
        "The truth of 1 architectures is left out: they have no scores",
        "The truth of 1 architectures is left out: it is not finite",
    ):
        assert said in told


def test_too_few_truths_leave_the_ranks_added() -> None:
    scores, _, _ = made(3)
    found = blend(range(N), scores, {0: 1.0, 1: 2.0})
    assert found.scores.tolist() == joined_ranks(scores, logarithmic=False).tolist()
    assert (found.weights, found.tau, found.n) == ({}, None, 2)
    assert "Nothing was fitted: the truth of 2" in found.sentences()[-1]
    assert "it is the same" in blend(range(N), scores, dict.fromkeys(range(5), 1.0)).sentences()[-1]
    five = blend(range(N), scores, {row: float(row) for row in range(5)})
    assert five.tau is None
    assert five.weights


@pytest.mark.parametrize(
    ("archs", "scores", "options"),
    [
        ([], {"a": []}, {}),
        ([1, 1], {"a": [1.0, 2.0]}, {}),
        ([1, 2], {"a": [1.0, 1.0]}, {}),
        ([1, 2], {}, {}),
        ([1, 2], {"a": [1.0, 2.0]}, {"folds": 1}),
        ([1, 2], {"a": [1.0, 2.0]}, {"repeats": 0}),
    ],
)
def test_nothing_to_blend_is_refused(archs: list[int], scores: dict[str, list[float]], options: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        blend(archs, scores, {}, **options)
