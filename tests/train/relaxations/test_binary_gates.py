"""Gates on two options, or on all: how often each opens, and what its logit learns."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
import torch
from scipy import stats

from small_nets import operations_net, step
from supernet import Supernet
from supernet.errors import UsageError
from supernet.nn import Mixture
from supernet.space.restriction import Restriction
from supernet.train import BinaryGates
from supernet.train.relaxations._protocol import Given

LOGITS = torch.tensor([0.4, -0.3, 1.1])
COST = torch.tensor([1.0, -2.0, 0.5])


@pytest.fixture(scope="module")
def net() -> Supernet:
    return operations_net()


def given(net: Supernet, index: int = 0) -> Given:
    return Given(step(net, index), "block0", "architecture")


def limited(net: Supernet, *options: str) -> Given:
    restriction = Restriction(net.space)
    restriction.allow("block0", options)
    asked = given(net)
    return asked._replace(step=replace(asked.step, restriction=restriction))


@pytest.fixture(scope="module", params=["two", "all"])
def drawn(request: pytest.FixtureRequest, net: Supernet) -> list[Mixture]:
    """The gates of 900 steps."""
    return [BinaryGates(request.param).mixture(LOGITS, given(net, index)) for index in range(900)]


def test_pairs_are_drawn_without_replacement_by_the_softmax(drawn: list[Mixture]) -> None:
    """P(first i, then j) = pᵢ pⱼ / (1 − pᵢ)."""
    runs = [mixture.run for mixture in drawn]
    if None in runs:
        assert set(runs) == {None}, "all options are inside"
        return
    p = LOGITS.double().softmax(0).tolist()
    pairs = list(permutations(range(3), 2))
    expected = [len(runs) * p[i] * p[j] / (1 - p[i]) for i, j in pairs]
    assert stats.chisquare([runs.count(pair) for pair in pairs], expected).pvalue > 1e-3


def test_the_open_gate_is_drawn_by_the_softmax_of_those_there_are(drawn: list[Mixture]) -> None:
    opened: dict[tuple[int, ...], list[int]] = {}
    for weights, run in drawn:
        assert sorted(weights.tolist()) == [0.0, 0.0, 1.0]
        inside = tuple(sorted(range(3) if run is None else run))
        opened.setdefault(inside, []).append(int(weights.argmax()))
    assert set(opened) in ({(0, 1), (0, 2), (1, 2)}, {(0, 1, 2)})
    for inside, found in opened.items():
        expected = len(found) * LOGITS[list(inside)].double().softmax(0)
        assert stats.chisquare([found.count(option) for option in inside], expected.tolist()).pvalue > 1e-3


@pytest.mark.parametrize("paths", ["two", "all"])
def test_the_gradient_is_that_of_equation_4(net: Supernet, paths: str) -> None:
    """Of a loss that is linear in the gates, Σ cⱼ gⱼ: ∂L/∂αᵢ = Σⱼ cⱼ pⱼ (δᵢⱼ − pᵢ) over the options there are."""
    for index in range(10):
        logits = LOGITS.clone().requires_grad_()
        weights, run = BinaryGates(paths).mixture(logits, given(net, index))  # type: ignore[arg-type]
        (COST * weights).sum().backward()
        inside = list(range(3)) if run is None else list(run)
        p = LOGITS[inside].softmax(0)
        expected = torch.zeros(3)
        for a, i in enumerate(inside):
            expected[i] = sum(COST[j] * p[b] * (float(i == j) - p[a]) for b, j in enumerate(inside))
        torch.testing.assert_close(logits.grad, expected)
        assert (expected == 0).sum() == 3 - len(inside)


def test_gates_are_on_options_that_are_allowed(net: Supernet) -> None:
    for index in range(20):
        asked = limited(net, "conv3", "skip")
        asked = asked._replace(step=replace(asked.step, index=index))
        weights, run = BinaryGates().mixture(LOGITS, asked)
        assert sorted(run or ()) == [0, 2]
        assert weights[1] == 0
        weights, run = BinaryGates("all").mixture(LOGITS, asked)
        assert run == (0, 2)
        assert weights[1] == 0


def test_draws_are_the_steps_and_torch_s_own_generator_is_left_alone(net: Supernet) -> None:
    before = torch.get_rng_state()
    for index in range(10):
        first, again = (BinaryGates().mixture(LOGITS, given(net, index)) for _ in range(2))
        assert first.run == again.run
        assert torch.equal(first.weights, again.weights)
    assert torch.equal(before, torch.get_rng_state())
    torch.testing.assert_close(BinaryGates().probabilities(LOGITS), LOGITS.softmax(0))
    with pytest.raises(UsageError, match="on 'two' paths or on 'all'; got 'three'"):
        BinaryGates("three")  # type: ignore[arg-type]
