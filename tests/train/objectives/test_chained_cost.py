"""The price of routes in a loss: its logarithm, its unit, and the latency of a table."""

import math

import numpy as np
import pytest
import torch

from dense_nets import dense_net
from latency_devices import Additive
from small_nets import images, step
from supernet.errors import UsageError
from supernet.measure import LatencyTable, cost_model
from supernet.nn import Decisions, Mixture
from supernet.nn.output import Output
from supernet.train import ChainedCost, CrossEntropy, Outcome, Path, Ramp
from supernet.train.alone import alone


@pytest.fixture(scope="module")
def net():
    return dense_net()


def outcome(net, decisions, index=0) -> Outcome:
    batch = next(images().train.batches(4))
    logits = torch.randn(len(batch.y), 10, generator=torch.Generator().manual_seed(0))
    return Outcome(Output(logits), batch, step(net, index, total=11), path=Path(decisions, CrossEntropy()))


def mixtures(net):
    generator = torch.Generator().manual_seed(0)
    leaves = {c.name: torch.randn(len(c), generator=generator).requires_grad_() for c in net.space.choices}
    return leaves, Decisions({name: Mixture(values.softmax(0)) for name, values in leaves.items()})


def expected(net, decisions, costs) -> float:
    """Over all architectures, by the weights of what each decides."""
    total = 0.0
    for arch, cost in zip(net.space.enumerate(), costs, strict=True):
        weights = (
            decisions[name].weights.detach()[net.space.choices[net.space.column(name)].position(option)]
            for name, option in arch.options().items()
        )
        total += float(cost) * math.prod(map(float, weights))
    return total


@pytest.mark.parametrize("cost", ["macs", "params"])
def test_the_price_is_the_weighted_logarithm_of_the_expectation_in_millions(net, cost) -> None:
    leaves, decisions = mixtures(net)
    codes = net.space.codes(list(net.space.enumerate()))
    wanted = expected(net, decisions, getattr(cost_model(net), cost)(codes)) / 1e6
    found = ChainedCost(cost)(outcome(net, decisions))
    assert found["loss"].item() == CrossEntropy()(outcome(net, decisions)).item()
    assert found[f"cost/{cost}"].item() == pytest.approx(0.15 * math.log(wanted, 15), rel=1e-5)
    other = ChainedCost(cost, weight=Ramp(0.0, 0.2, until=1.0), base=3500.0, objective=CrossEntropy(0.1))
    seen = outcome(net, decisions, 5)
    assert other(seen)[f"cost/{cost}"].item() == pytest.approx(0.1 * math.log(wanted, 3500), rel=1e-5)
    assert other(seen)["loss"].item() == CrossEntropy(0.1)(seen).item()
    assert alone(other) == CrossEntropy(0.1)
    slopes = torch.autograd.grad(found[f"cost/{cost}"], list(leaves.values()))
    assert all(slope.abs().max() > 0 for slope in slopes)


def test_the_latency_of_a_table_is_chained_too_in_milliseconds(net, tmp_path) -> None:
    file = tmp_path / "latency.json"
    table = LatencyTable.build(net, Additive(start_ms=5.0, slow=2.0), repeats=1, anchors=4, max_settings=3, out=file)
    _, decisions = mixtures(net)
    codes = net.space.codes(list(net.space.enumerate()))
    wanted = expected(net, decisions, table.predict_ms(codes))
    assert wanted > 5
    found = ChainedCost("latency", table=str(file))
    assert found.expectation(outcome(net, decisions)).item() == pytest.approx(wanted, rel=1e-6)
    assert found(outcome(net, decisions))["cost/latency"].item() == pytest.approx(0.15 * math.log(wanted, 15), rel=1e-5)
    arch = net.space.sample(np.random.default_rng(0))
    alone_ms = float(found.expectation(outcome(net, arch)))
    assert alone_ms == pytest.approx(float(table.predict_ms(net.space.codes([arch]))[0]))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"cost": "energy"}, "'macs', 'params' or 'latency'; got 'energy'"),
        ({"cost": "latency"}, "Give the file of a measure.LatencyTable"),
        ({"table": "somewhere.json"}, "with no other"),
        ({"cost": "latency", "table": "nowhere.json"}, "There is no latency table 'nowhere.json'"),
        ({"base": 1.0}, "base of the logarithm"),
        ({"weight": -1.0}, "weight of the cost"),
        ({"skip_share": -0.1}, "share that an option without cost"),
    ],
)
def test_what_makes_no_sense_is_refused(given, told) -> None:
    with pytest.raises(UsageError, match=told):
        ChainedCost(**given)
