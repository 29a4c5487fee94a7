"""The learning rate falls at shares of the training."""

from __future__ import annotations

import pytest

from small_nets import plain_net, step
from supernet.errors import UsageError
from supernet.train import Milestones


def test_it_falls_at_each_share() -> None:
    schedule = Milestones(at=(0.25, 0.5), factor=0.5)
    assert [schedule(step(plain_net(), n, total=8), []) for n in range(8)] == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]


@pytest.mark.parametrize("at", [(), (0.5, 0.5), (0.6, 0.5), (0.0, 0.5), (0.5, 1.0)])
def test_shares_lie_between_0_and_1_and_rise(at: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="the smaller ones first"):
        Milestones(at=at)


def test_the_factor_is_at_most_1() -> None:
    with pytest.raises(UsageError, match="factor on the learning rate"):
        Milestones(at=(0.5,), factor=2.0)
