"""The chained cost is the expectation over all routes."""

import numpy as np
import pytest
import torch

from dense_nets import dense_net
from supernet.errors import UsageError
from supernet.measure import cost_model, count_macs, count_params
from supernet.measure.costs.chained import ChainedTerms
from supernet.nn import Decisions, Mixture
from supernet.nn.routes import routes_of


@pytest.fixture(scope="module")
def net():
    return dense_net()


def mixtures(net, seed=0):
    """Random weights of every choice, with a gradient."""
    generator = torch.Generator().manual_seed(seed)
    logits = {c.name: torch.randn(len(c), generator=generator, dtype=torch.float64) for c in net.space.choices}
    leaves = {name: values.requires_grad_() for name, values in logits.items()}
    return leaves, Decisions({name: Mixture(values.softmax(0)) for name, values in leaves.items()})


@pytest.mark.parametrize("cost", ["macs", "params"])
def test_costs_of_populations_are_those_of_what_is_taken_out(net, cost) -> None:
    model = cost_model(net)
    archs = net.space.wrap(net.space.population(np.random.default_rng(0), 12))
    counted = [
        count_macs(net.extract(arch), net.input_shape) if cost == "macs" else count_params(net.extract(arch))
        for arch in archs
    ]
    assert getattr(model, cost)(net.space.codes(archs)).tolist() == counted


@pytest.mark.parametrize("cost", ["macs", "params"])
def test_the_chained_cost_is_the_expectation_over_all_routes_by_enumeration(net, cost) -> None:
    leaves, decisions = mixtures(net)
    model, ways = cost_model(net), routes_of(net).ways
    chained = ChainedTerms(net.space, model.terms(cost), ways)(decisions)
    expected = torch.zeros((), dtype=torch.float64)
    for arch in net.space.enumerate():
        chance = torch.ones((), dtype=torch.float64)
        for name, option in arch.options().items():
            choice = net.space.choices[net.space.column(name)]
            chance = chance * decisions[name].weights[choice.position(option)]
        expected = expected + chance * getattr(model, cost)(arch)
    torch.testing.assert_close(chained, expected)
    found, wanted = (torch.autograd.grad(of, list(leaves.values()), retain_graph=True) for of in (chained, expected))
    torch.testing.assert_close(found, wanted)


def test_a_route_costs_what_its_architecture_does(net) -> None:
    model, ways = cost_model(net), routes_of(net).ways
    chained = ChainedTerms(net.space, model.terms("macs"), ways)
    for arch in net.space.wrap(net.space.population(np.random.default_rng(1), 8)):
        decisions = Decisions(zip(net.space.names, arch.code, strict=True))
        assert float(chained(decisions)) == model.macs(arch)


def test_an_option_without_cost_is_charged_a_share_of_the_first_one(net) -> None:
    model, ways = cost_model(net), routes_of(net).ways
    arch = net.space.arch({**net.space.largest().options(), "block1.layer1": "skip"})
    first = net.space.arch({**arch.options(), "block1.layer1": net.space.allowed("block1.layer1")[0]})
    decisions = Decisions(zip(net.space.names, arch.code, strict=True))
    plain, charged = (
        float(ChainedTerms(net.space, model.terms("macs"), ways, skip_share=share)(decisions)) for share in (0.0, 0.1)
    )
    assert charged - plain == pytest.approx(0.1 * (model.macs(first) - model.macs(arch)))


def test_a_choice_that_nothing_weighs_is_named(net) -> None:
    chained = ChainedTerms(net.space, cost_model(net).terms("macs"), routes_of(net).ways)
    _, decisions = mixtures(net)
    del decisions["block0.next"]
    with pytest.raises(UsageError, match=r"'block0.next', but nothing weighs"):
        chained(decisions)
