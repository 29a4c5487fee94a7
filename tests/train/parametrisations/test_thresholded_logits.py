"""Weights of operations above a threshold, by their formula written down again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from small_nets import operations_net, step
from supernet import Supernet, zoo
from supernet.errors import UsageError
from supernet.nn import EdgeWeights
from supernet.space.restriction import Restriction
from supernet.train import LogitsAndThresholds, Setting, Softmax, ThresholdedLogits

OPERATIONS = ("skip_connect", "sep_conv_3x3", "max_pool_3x3")


def cells(**options: Any) -> Supernet:
    sizes = {"channels": 2, "layers": 3, "nodes": 3, "in_channels": 1, "image_size": 8, "operations": OPERATIONS}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return zoo.darts(**{**sizes, "inputs": "subsets", "several_ops": True, **options})


def by_numpy(logits: np.ndarray, beta: float, temperature: float) -> np.ndarray:
    """q̂ of one node, its edges of three operations each."""
    exp = np.exp(logits.reshape(-1, 3) / temperature)
    p = exp / exp.sum(1, keepdims=True)
    q = np.maximum(p / p.max() - 1 / (1 + np.exp(-beta)), 0)
    sums = q.sum(1, keepdims=True)
    return np.divide(q, sums, out=np.zeros_like(q), where=sums > 0).ravel()


def drawn(module: ThresholdedLogits, net: Supernet) -> Any:
    return module.draw(step(net, parts={"architecture": module}), Softmax(), "weights")


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_weights_are_those_of_the_formula_and_exactly_zero_below_the_threshold(temperature: float) -> None:
    net = cells()
    module = ThresholdedLogits(net, threshold=0.6, temperature=temperature, scale=1.0)
    decisions, counts = drawn(module, net), set()
    for number, node in enumerate(module.nodes):
        logits = module.logits[number].detach().double().numpy()
        expected = by_numpy(logits, module.thresholds[number].item(), temperature)
        weights = module.weights(number).detach()
        assert weights.numpy() == pytest.approx(expected, abs=1e-6)
        assert np.array_equal(weights.numpy() == 0, expected == 0)
        run = []
        for place, edge in enumerate(node.edges):
            decision = decisions[edge.choice.name]
            assert isinstance(decision, EdgeWeights)
            assert decision.weights.detach().numpy() == pytest.approx(expected[3 * place : 3 * place + 3], abs=1e-6)
            run += [3 * place + member for member in decision.run or ()]
        assert run == np.flatnonzero(expected).tolist(), "what is zero does not run"
        assert decisions[node.name].run == tuple(sorted({place // 3 for place in run}))
        counts.add(len(run))
    assert len(counts) > 2, "nodes keep any number"


def test_gradients_to_logits_and_thresholds_are_those_of_the_formula() -> None:
    module = ThresholdedLogits(cells(), threshold=0.4, scale=0.8, seed=1).double()
    slopes = np.random.default_rng(0).normal(size=9)
    number, epsilon = 1, 1e-6
    (module.weights(number) @ torch.tensor(slopes)).backward()  # type: ignore[no-untyped-call]
    logits, beta = module.logits[number].detach().numpy().copy(), module.thresholds[number].item()
    assert 0 < np.count_nonzero(by_numpy(logits, beta, 1.0)) < 9
    for place in range(9):
        ends = [by_numpy(logits + sign * epsilon * (np.arange(9) == place), beta, 1.0) @ slopes for sign in (1, -1)]
        assert float(module.logits[number].grad[place]) == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-6)  # type: ignore[index]
    ends = [by_numpy(logits, beta + sign * epsilon, 1.0) @ slopes for sign in (1, -1)]
    expected = (ends[0] - ends[1]) / 2e-6
    assert abs(expected) > 1e-3
    assert float(module.thresholds[number].grad) == pytest.approx(expected, abs=1e-6)  # type: ignore[arg-type]


def test_all_run_at_first_and_the_strongest_whatever_the_threshold() -> None:
    module = LogitsAndThresholds()(Setting(cells(), 0, {}))
    assert all(bool((module.weights(number) > 0).all()) for number in range(6))
    assert [beta.item() for beta in module.thresholds] == [0.0] * 6
    for beta in (3.0, 1e6):
        with torch.no_grad():
            module.logits[2][4] = 1.0
            module.thresholds[2].fill_(beta)
        assert module.weights(2).tolist() == [0.0] * 4 + [1.0] + [0.0] * 7


def test_what_is_forbidden_does_not_run() -> None:
    net = cells()
    module = ThresholdedLogits(net, threshold=0.3, scale=0.1)
    restriction = Restriction(net.space)
    restriction.allow("normal.3<-1", [("skip_connect",)])
    restriction.allow("normal.3.inputs", [(0, 1), (1,)])
    weights = module.weights(1, restriction)
    assert weights[3:6].tolist() == [1.0, 0.0, 0.0]
    assert weights[6:].tolist() == [0.0] * 3, "an edge that no option keeps"
    assert weights[:3].sum().item() == pytest.approx(1), "p is a third of that on edge 1, which has one left"
    weights[3].backward()
    assert torch.isfinite(module.logits[1].grad).all()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (lambda: cells(several_ops=False), "runs one of them"),
        (lambda: cells(inputs="pairs"), "runs at least one"),
        (lambda: cells(inputs="all"), "runs at least one"),
        (operations_net, "runs one of them"),
    ],
)
def test_spaces_that_do_not_hold_any_number_are_refused(net: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ThresholdedLogits(net())


@pytest.mark.parametrize("options", [{"threshold": 0.0}, {"threshold": 1.0}, {"temperature": 0.0}, {"scale": -1.0}])
def test_numbers_outside_their_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        LogitsAndThresholds(**options)
