"""A softmax over drawn options: how often each pair is drawn, and what weighs it."""

from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest
import torch

from small_nets import operations_net, step
from supernet.errors import UsageError
from supernet.space.restriction import Restriction
from supernet.train import SampledSoftmax
from supernet.train.relaxations._protocol import Given

P = (0.6, 0.3, 0.1)


@pytest.fixture(scope="module")
def net():
    return operations_net()


def given(net, index=0, **options) -> Given:
    return Given(replace(step(net, index), **options), "block0", "weights")


def test_pairs_are_drawn_one_after_the_other_by_the_softmax(net) -> None:
    logits, draws = torch.tensor(P).log(), 1200
    found = Counter(SampledSoftmax().mixture(logits, given(net, index)).run for index in range(draws))
    for i, j in combinations(range(3), 2):
        p = P[i] * P[j] / (1 - P[i]) + P[j] * P[i] / (1 - P[j])
        assert found[i, j] / draws == pytest.approx(p, abs=4 * (p * (1 - p) / draws) ** 0.5)
    single = Counter(SampledSoftmax(1).mixture(logits, given(net, index)).run for index in range(draws))
    for i, p in enumerate(P):
        assert single[i,] / draws == pytest.approx(p, abs=4 * (p * (1 - p) / draws) ** 0.5)


def test_the_temperature_is_that_of_the_weights_and_not_of_the_draws(net) -> None:
    logits = torch.tensor([1.0, -0.5, 0.2], requires_grad=True)
    for index in range(12):
        cold, warm = (SampledSoftmax(temperature=t).mixture(logits, given(net, index)) for t in (0.25, 4.0))
        assert cold.run == warm.run
        run = list(cold.run)
        for temperature, one in ((0.25, cold), (4.0, warm)):
            torch.testing.assert_close(one.weights[run], (logits[run] / temperature).softmax(0))
            (still,) = {0, 1, 2} - set(run)
            assert one.weights[still] == 0
        (slope,) = torch.autograd.grad(cold.weights[run[0]], logits)
        assert slope[run].abs().min() > 0
        assert slope[still] == 0


def test_what_is_forbidden_is_not_drawn_and_fewer_are_where_fewer_are_allowed(net) -> None:
    restriction = Restriction(net.space)
    restriction.allow("block0", ("conv1", "skip"))
    logits = torch.tensor([9.0, 0.0, 0.0])
    for index in range(8):
        now = given(net, index, restriction=restriction)
        assert SampledSoftmax().mixture(logits, now).run == (1, 2)
        assert SampledSoftmax(3).mixture(logits, now).run == (1, 2)
        assert SampledSoftmax(1).mixture(logits, now).run in ((1,), (2,))
    assert SampledSoftmax(7).mixture(logits, given(net)).run == (0, 1, 2)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="over 0 drawn options"):
        SampledSoftmax(0)
    with pytest.raises(UsageError, match="temperature of the softmax"):
        SampledSoftmax(temperature=0.0)
