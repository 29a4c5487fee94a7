"""The other path's gradient counts as it matches, on what the first one uses."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.train import ConstantMatch, CosineMatch, MatchWeighted
from supernet.train.combines._protocol import Gradients


def t(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def joined(*paths: Gradients, **options: object) -> list[list[float] | None]:
    found = MatchWeighted(**options).join(list(paths), 0.0)  # type: ignore[arg-type]
    return [None if g is None else pytest.approx(g.tolist(), abs=1e-6) for g in found]


def test_orthogonal_gradients_leave_the_first_alone_and_opposite_ones_too() -> None:
    assert joined([t(1, 0)], [t(0, 3)]) == [[1, 0]]
    assert joined([t(1, 0)], [t(-2, 0)]) == [[1, 0]]
    assert joined([t(1, 0)], [t(2, 0)]) == [[3, 0]]


def test_the_weight_is_the_cosine_on_all_that_both_use() -> None:
    own: Gradients = [t(1, 0), t(2), None, t(5)]
    other: Gradients = [t(1, 1), t(-1), t(7), None]
    cosine = (1 - 2) / math.sqrt((1 + 4) * (2 + 1))
    assert cosine < 0
    assert joined(own, other) == [[1, 0], [2], None, [5]]
    positive: Gradients = [t(1, 1), t(1), t(7), None]
    weight = 3 / math.sqrt(5 * 3)
    assert joined(own, positive) == [[1 + weight, weight], [2 + weight], None, [5]]
    assert joined(own, positive, rest="train") == [[1 + weight, weight], [2 + weight], [7], [5]]
    squared = weight**2
    assert joined(own, positive, match=CosineMatch(power=2)) == [[1 + squared, squared], [2 + squared], None, [5]]


def test_several_others_each_have_a_weight() -> None:
    assert joined([t(1, 0)], [t(2, 0)], [t(0, 5)], [t(3, 0)]) == [[6, 0]]
    assert joined([t(1, 0)], [t(0, 2)], match=ConstantMatch(0.5)) == [[1, 1]]
    assert joined([t(1), None], [None, t(1)]) == [[1], None]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="a single path that learns"):
        joined([t(1)])
    with pytest.raises(UsageError, match="rest='drop'"):
        MatchWeighted(rest="drop")
    with pytest.raises(UsageError, match="match is None"):
        MatchWeighted(match=None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="exponent"):
        CosineMatch(power=0)
    with pytest.raises(UsageError, match="weight of the other path"):
        ConstantMatch(-1)
