"""Scores joined by ranks."""

from __future__ import annotations

import numpy as np
import pytest

from supernet.errors import UsageError
from supernet.rank.joined import joined_ranks


def test_logarithms_punish_what_one_score_finds_bad() -> None:
    scores = {"a": [4.0, 3.0, 2.0, 1.0], "b": [1.0, 3.0, 4.0, 2.0]}
    assert joined_ranks(scores, logarithmic=False).tolist() == [5, 6, 6, 3]
    np.testing.assert_allclose(joined_ranks(scores), np.log([4 / 16, 9 / 16, 8 / 16, 2 / 16]))


def test_ties_share_a_rank_and_infinity_is_last() -> None:
    assert joined_ranks({"a": [1.0, 1.0, -np.inf]}, logarithmic=False).tolist() == [2.5, 2.5, 1]


def test_the_best_are_told_apart_by_how_near_the_top_they_are() -> None:
    scores, best = {"a": [4.0, 3.0, 2.0, 1.0]}, {"a": [4.0, 3.0, 2.0, 1.0], "b": [0.0, 0.0, 9.0, -np.inf]}
    odds = np.log([4 / 4 * 8 / 1, 3 / 4 * 8 / 3, 2 / 4 * 8 / 5, 1 / 4 * 8 / 7])
    np.testing.assert_allclose(joined_ranks(scores, best=best), odds - np.log([1 / 2, 1 / 2, 1 / 8, 7 / 8]))
    # at the top a step of `best` counts more than one of the scores, at the bottom less
    scale = np.arange(100.0)
    high, low = (
        np.diff(joined_ranks(one, best=other)) for one, other in (({"x": 0 * scale}, {"a": scale}), ({"a": scale}, {}))
    )
    assert high[-1] > 10 * low[-1]
    assert low[0] > 10 * high[0]


def test_plain_ranks_have_no_best_and_lists_must_fit() -> None:
    with pytest.raises(UsageError, match="plain ranks"):
        joined_ranks({"a": [1.0, 2.0]}, logarithmic=False, best={"a": [1.0, 2.0]})
    with pytest.raises(UsageError, match="same architectures"):
        joined_ranks({"a": [1.0, 2.0]}, best={"b": [1.0, 2.0, 3.0]})
    with pytest.raises(UsageError, match="'b'"):
        joined_ranks({"a": [1.0, 2.0]}, best={"b": [1.0, float("nan")]})
    with pytest.raises(UsageError, match="No scores"):
        joined_ranks({}, best={"b": [1.0]})


@pytest.mark.parametrize("scores", [{}, {"a": []}, {"a": [1.0], "b": [1.0, 2.0]}, {"a": [1.0, float("nan")]}])
def test_scores_that_are_none_are_refused(scores: dict[str, list[float]]) -> None:
    with pytest.raises(UsageError):
        joined_ranks(scores)
