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


@pytest.mark.parametrize("scores", [{}, {"a": []}, {"a": [1.0], "b": [1.0, 2.0]}, {"a": [1.0, float("nan")]}])
def test_scores_that_are_none_are_refused(scores: dict[str, list[float]]) -> None:
    with pytest.raises(UsageError):
        joined_ranks(scores)
