"""Expected costs: brute force over small spaces, gradients, weights of edges, latencies."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path as File
from typing import Any

import pytest
import torch
from torch import Tensor

from latency_devices import Additive
from small_nets import images, operations_net, step
from supernet import Supernet, zoo
from supernet.errors import UsageError
from supernet.measure import LatencyTable, cost_model
from supernet.nn import Decisions, EdgeWeights, Mixture
from supernet.space import Arch
from supernet.space.restriction import Restriction
from supernet.train import CrossEntropy, ExpectedCost, OptionLogits, Outcome, Path, Ramp
from supernet.train.step import Step


@pytest.fixture(scope="module")
def chain() -> Supernet:
    net = operations_net()
    net.input_shape = (1, 8, 8)
    return net


@pytest.fixture(scope="module")
def cells() -> Supernet:
    """Two nodes per cell, which choose their inputs; operations of edges that do not run decide nothing."""
    return darts("pairs")


def darts(inputs: Any) -> Supernet:
    return zoo.darts(
        channels=4, layers=3, nodes=2, operations=("skip_connect", "sep_conv_3x3"), inputs=inputs, image_size=8
    )


def outcome(net: Supernet, target: Arch | Decisions, at: Step | None = None) -> Outcome:
    batch = next(images().train.batches(2))
    path = Path(target, CrossEntropy())
    return Outcome(None, batch, step(net) if at is None else at, path=path)  # type: ignore[arg-type]


def mixed(net: Supernet, seed: int = 0) -> Decisions:
    """Random probabilities for every choice."""
    generator = torch.Generator().manual_seed(seed)
    return Decisions({c.name: Mixture(torch.randn(len(c), generator=generator).softmax(0)) for c in net.space.choices})


def brute_force(net: Supernet, decisions: Decisions, cost: str) -> float:
    """Σ_a P(a) cost(a), where only the choices that an architecture has are drawn."""
    total = 0.0
    for arch in net.space.enumerate():
        probability = 1.0
        for choice, code, active in zip(net.space.choices, arch.code, arch.active, strict=True):
            if active:
                probability *= float(decisions[choice.name].weights[code])  # type: ignore[union-attr]
        total += probability * getattr(cost_model(net), cost)(arch)
    return total


@pytest.mark.parametrize("cost", ["macs", "params"])
@pytest.mark.parametrize("which", ["chain", "cells"])
def test_it_is_the_mean_over_all_architectures(which: str, cost: Any, request: pytest.FixtureRequest) -> None:
    net = request.getfixturevalue(which)
    decisions = mixed(net)
    found = ExpectedCost(cost)(outcome(net, decisions)).item()
    assert found == pytest.approx(brute_force(net, decisions, cost), rel=1e-6)
    assert found != pytest.approx(brute_force(net, mixed(net, 1), cost), rel=1e-3)


@pytest.mark.parametrize("cost", ["macs", "params"])
@pytest.mark.parametrize("which", ["chain", "cells"])
def test_of_one_architecture_it_is_the_cost(which: str, cost: Any, request: pytest.FixtureRequest) -> None:
    net = request.getfixturevalue(which)
    for arch in list(net.space.enumerate())[:: max(1, net.space.size // 9)]:
        one_hot = Decisions(
            {
                c.name: Mixture(torch.nn.functional.one_hot(torch.tensor(code), len(c)).float())
                for c, code in zip(net.space.choices, arch.code, strict=True)
            }
        )
        plain = Decisions(zip(net.space.names, arch.code, strict=True))
        for target in (arch, plain, one_hot):
            assert ExpectedCost(cost)(outcome(net, target)).item() == getattr(cost_model(net), cost)(arch)


def test_a_subset_of_operations_costs_what_they_cost_together(chain: Supernet) -> None:
    def macs(decision: Any) -> float:
        return ExpectedCost("macs")(outcome(chain, Decisions({"block0": decision, "block1": 2}))).item()

    assert macs((0, 1)) == macs(0) + macs(1) - macs(2), "a skip connection costs nothing"


def test_it_is_linear_and_its_gradient_says_what_each_option_costs(chain: Supernet) -> None:
    decisions = mixed(chain)
    weights = decisions["block0"].weights.requires_grad_()  # type: ignore[union-attr]
    ExpectedCost("macs")(outcome(chain, decisions)).backward()
    fixed = cost_model(chain).macs(chain.space.arch({"block0": "skip", "block1": "skip"}))
    model = cost_model(chain)
    own = [model.macs(chain.space.arch({"block0": o, "block1": "skip"})) - fixed for o in ("conv3", "conv1", "skip")]
    assert weights.grad is not None
    differences = (weights.grad - weights.grad[2]).tolist()
    assert differences == pytest.approx(own)
    assert own[0] == 9 * own[1] > 0 == own[2]


def test_edges_that_all_count_once_cost_what_a_node_of_all_edges_costs(cells: Supernet) -> None:
    every = darts("all")
    logits = mixed(every)
    ones = Decisions({**logits, **{name: EdgeWeights(torch.ones(n)) for name, n in cells.nodes.items()}})
    for cost in ("macs", "params"):
        found = ExpectedCost(cost)(outcome(cells, ones)).item()  # type: ignore[arg-type]
        assert found == pytest.approx(ExpectedCost(cost)(outcome(every, logits)).item())  # type: ignore[arg-type]
        assert found == pytest.approx(brute_force(every, logits, cost), rel=1e-6)


def test_an_edge_counts_as_much_as_it_weighs(cells: Supernet) -> None:
    weights = torch.tensor([0.5, 0.0, 2.0], requires_grad=True)
    decisions = Decisions({**mixed(cells), "normal.3.inputs": EdgeWeights(weights)})
    ExpectedCost("macs")(outcome(cells, decisions)).backward()
    assert weights.grad is not None
    for edge in range(3):
        share = decisions[f"normal.3<-{edge}"].weights[1].item()  # type: ignore[union-attr]
        one = {f"normal.3<-{source}": "skip_connect" for source in range(3)}
        pair = next(p for p in ((0, 1), (0, 2), (1, 2)) if edge in p)
        base = cells.space.smallest().options() | {"normal.3.inputs": pair}
        base = {name: option for name, option in base.items() if not name.startswith("normal.3<-")}
        with_edge = {**one, f"normal.3<-{edge}": "sep_conv_3x3"}
        model, space = cost_model(cells), cells.space
        arch = [space.arch({**base, **{n: o for n, o in w.items() if int(n[-1]) in pair}}) for w in (with_edge, one)]
        assert weights.grad[edge].item() == pytest.approx(share * (model.macs(arch[0]) - model.macs(arch[1])), rel=1e-5)


def test_logarithms(chain: Supernet) -> None:
    target = outcome(chain, mixed(chain))
    plain = ExpectedCost("macs")(target)
    assert ExpectedCost("macs", logarithm="whole")(target).item() == pytest.approx(math.log(plain.item()), rel=1e-6)
    conv3 = cost_model(chain).macs(chain.space.arch({"block0": "conv3", "block1": "skip"}))
    skip = cost_model(chain).macs(chain.space.arch({"block0": "skip", "block1": "skip"}))
    own = [conv3 - skip, (conv3 - skip) / 9, 0.0]
    blocks = [
        sum(w * c for w, c in zip(mixed(chain)[b].weights.tolist(), own, strict=True)) for b in ("block0", "block1")
    ]  # type: ignore[union-attr]
    found = ExpectedCost("macs", logarithm="choices")(target).item()
    assert found == pytest.approx(sum(map(math.log, blocks)), rel=1e-6)
    nothing = outcome(chain, Decisions({"block0": 2, "block1": 2}))
    assert ExpectedCost("macs", logarithm="choices")(nothing).item() == 0, "less than 1 counts as 1"


def test_the_factor_may_change_over_time(chain: Supernet) -> None:
    plain = ExpectedCost("macs")(outcome(chain, mixed(chain))).item()
    for index, factor in ((0, 0.0), (9, 3.0)):
        at = step(chain, index)
        found = ExpectedCost("macs", weight=Ramp(0.0, 3.0))(outcome(chain, mixed(chain), at)).item()
        assert found == pytest.approx(factor * plain)


# -- probabilities of a part ----------------------------------------------------------------------------------------


def part(net: Supernet) -> tuple[OptionLogits, Step]:
    logits = OptionLogits(net, scale=1.0, seed=2)
    return logits, step(net, parts={"architecture": logits})


def test_probabilities_are_those_of_the_part_whatever_was_drawn(chain: Supernet) -> None:
    logits, now = part(chain)
    drawn = Decisions({name: Mixture(torch.tensor([0.0, 1.0, 0.0])) for name in chain.space.names})
    found = ExpectedCost("macs", of="probabilities")(outcome(chain, drawn, now))
    p = Decisions({choice.name: Mixture(one.detach().softmax(0)) for choice, one in logits.named()})
    assert found.item() == pytest.approx(brute_force(chain, p, "macs"), rel=1e-6)
    found.backward()
    own = own_macs(chain)
    for one in logits.logits:
        q = one.detach().softmax(0)
        torch.testing.assert_close(one.grad, q * (own - (q * own).sum()), rtol=1e-4, atol=1e-1)


def own_macs(net: Supernet) -> Tensor:
    model, space = cost_model(net), net.space
    found = [model.macs(space.arch({"block0": o, "block1": "skip"})) for o in ("conv3", "conv1", "skip")]
    return torch.tensor(found) - found[2]


def test_of_options_that_run_alone_only_their_share_is_divided(chain: Supernet) -> None:
    """∂E/∂αᵢ = m qᵢ (Fᵢ − Σ q F) with the mass m of the two options and their softmax q; the value is that of all."""
    logits, now = part(chain)
    drawn = Decisions({name: Mixture(torch.tensor([0.0, 0.0, 1.0]), (2, 0)) for name in chain.space.names})
    found = ExpectedCost("macs", of="probabilities")(outcome(chain, drawn, now))
    p = Decisions({choice.name: Mixture(one.detach().softmax(0)) for choice, one in logits.named()})
    assert found.item() == pytest.approx(brute_force(chain, p, "macs"), rel=1e-6)
    found.backward()
    own = own_macs(chain)
    for one in logits.logits:
        assert one.grad is not None
        whole = one.detach().softmax(0)
        mass, q = whole[[0, 2]].sum(), one.detach()[[0, 2]].softmax(0)
        expected = mass * q * (own[[0, 2]] - (q * own[[0, 2]]).sum())
        torch.testing.assert_close(one.grad[[0, 2]], expected, rtol=1e-4, atol=1e-1)
        assert one.grad[1] == 0


def test_what_is_forbidden_has_no_probability(chain: Supernet) -> None:
    logits, now = part(chain)
    restriction = Restriction(chain.space)
    restriction.allow("block0", ("conv3", "skip"))
    drawn = Decisions({"block0": Mixture(torch.tensor([1.0, 0.0, 0.0]), (0, 2)), "block1": 2})
    found = ExpectedCost("macs", of="probabilities")(outcome(chain, drawn, replace(now, restriction=restriction)))
    q = logits.logits[0].detach()[[0, 2]].softmax(0)
    skips = cost_model(chain).macs(chain.space.arch({"block0": "skip", "block1": "skip"}))
    assert found.item() == pytest.approx(skips + (q[0] * own_macs(chain)[0]).item(), rel=1e-6)


# -- latency --------------------------------------------------------------------------------------------------------


def test_the_latency_of_a_table_is_expected_too(chain: Supernet, tmp_path: File) -> None:
    file = tmp_path / "latency.json"
    table = LatencyTable.build(chain, Additive(start_ms=5.0, slow=2.0), repeats=1, anchors=9, max_settings=3, out=file)
    decisions = mixed(chain)
    codes = chain.space.codes(list(chain.space.enumerate()))
    expected = sum(
        float(ms) * math.prod(float(decisions[n].weights[c]) for n, c in zip(chain.space.names, code, strict=True))  # type: ignore[union-attr]
        for ms, code in zip(table.predict_ms(codes), codes.tolist(), strict=True)
    )
    cost = ExpectedCost("latency", table=str(file))
    assert cost(outcome(chain, decisions)).item() == pytest.approx(expected, rel=1e-6)
    assert table.line.offset_ms != 0
    assert len(table.entries) > 1
    with pytest.raises(UsageError, match="is of the space"):
        cost(outcome(zoo.nasbench201(channels=4, cells=1), Decisions()))


# -- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"cost": "energy"}, "cost of an expected cost is one of 'macs', 'params', 'latency'; got 'energy'"),
        ({"logarithm": "some"}, "logarithm of an expected cost is one of"),
        ({"of": "hopes"}, "distribution of an expected cost is one of"),
        ({"weight": math.inf}, "weight of the expected cost is inf"),
        ({"cost": "latency"}, "Give the file of a measure.LatencyTable"),
        ({"cost": "macs", "table": "somewhere.json"}, "with no other"),
        ({"cost": "latency", "table": "nowhere.json"}, "There is no latency table 'nowhere.json'"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        ExpectedCost(**given)


def test_what_has_no_expectation_is_refused(cells: Supernet, chain: Supernet, tmp_path: File) -> None:
    with pytest.raises(UsageError, match="nothing weighs its options"):
        ExpectedCost("macs")(outcome(chain, Decisions({"block0": 0})))
    with pytest.raises(UsageError, match="belongs to none"):
        ExpectedCost("macs")(replace(outcome(chain, mixed(chain)), path=None))
    file = tmp_path / "latency.json"
    LatencyTable.build(cells, Additive(), repeats=1, anchors=2, max_settings=12, out=file)
    weighed = Decisions({**mixed(cells), "normal.3.inputs": EdgeWeights(torch.ones(3))})
    with pytest.raises(UsageError, match="Weigh the options of the inputs instead"):
        ExpectedCost("latency", table=str(file))(outcome(cells, weighed))
