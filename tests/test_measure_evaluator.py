import copy

import numpy as np
import pytest
import torch
from torch import nn

from measure_networks import blobs, small_net
from supernet import measure
from supernet.errors import UsageError
from supernet.measure import Calibration, Latency, NetEvaluator, weights_version
from supernet.search.evaluator import Evaluator, costs_of, values_of

DATA = blobs()
QUICK = Calibration(images=60, batch_size=20)


class Fake:
    def __init__(self):
        self.calls = 0

    def measure(self, module, input_shape):
        self.calls += 1
        return Latency(float(sum(p.numel() for p in module.parameters())), 0.0, 0.0, 1)


def test_it_tells_what_the_functions_tell():
    net = small_net()
    evaluator: Evaluator = NetEvaluator(net, DATA.sealed(), calibration=QUICK, device=Fake())
    archs = list(net.space.enumerate())
    columns = costs_of(evaluator, net.space.codes(archs), ("macs", "params"))
    for row, arch in enumerate(archs):
        assert columns["macs"][row] == measure.macs(net, arch)
        assert columns["params"][row] == measure.params(net, arch)
        told = values_of(evaluator, arch, ("accuracy", "loss", "latency_ms", "macs"))
        expected = measure.scores(net, arch, DATA, calibration=QUICK)
        assert told["accuracy"] == expected.accuracy
        assert told["loss"] == pytest.approx(expected.loss, rel=1e-6)
        assert told["latency_ms"] == measure.params(net, arch)
        assert told["macs"] == columns["macs"][row]


def test_quantities_say_unit_and_direction():
    evaluator = NetEvaluator(small_net(), DATA)
    goals = {name: (q.name, q.goal) for name, q in evaluator.quantities.items()}
    assert goals["accuracy"] == ("accuracy", "max")
    assert {goal for name, (_, goal) in goals.items() if name != "accuracy"} == {"min"}
    assert evaluator.quantities["latency_ms"].unit == "ms"
    assert evaluator.cheap == {"macs", "params"} < set(evaluator.quantities)


def test_results_are_remembered_until_a_weight_changes():
    net, device = small_net(), Fake()
    evaluator = NetEvaluator(net, DATA, calibration=QUICK, device=device)
    runs = []
    net.module[0].register_forward_hook(lambda *_: runs.append(1))
    arch, other = net.space.largest(), net.space.smallest()
    first = evaluator.evaluate(arch, ["accuracy", "loss", "latency_ms"])
    once = len(runs)
    assert evaluator.evaluate(arch, ["loss", "accuracy", "latency_ms"]) == first
    assert (len(runs), device.calls) == (once, 1)
    evaluator.evaluate(other, ["loss"])
    assert len(runs) == 2 * once
    assert evaluator.evaluate(arch, ["loss"])["loss"] == first["loss"]
    assert len(runs) == 2 * once
    with torch.no_grad():
        net.module[7].weight.mul_(2.0)
    assert evaluator.evaluate(arch, ["loss"])["loss"] != first["loss"]
    evaluator.evaluate(arch, ["latency_ms"])
    assert device.calls == 1
    evaluator.forget()
    evaluator.evaluate(arch, ["latency_ms"])
    assert device.calls == 2


@pytest.mark.parametrize("optimiser", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
@pytest.mark.parametrize("foreach", [False, True])
def test_the_version_sees_every_way_weights_change(optimiser, foreach):
    net = small_net(statistics="track")
    seen = [weights_version(net)]
    assert weights_version(net) == seen[0]
    x, y = next(DATA.train.batches(8))
    steps = optimiser(net.parameters(), lr=0.1, foreach=foreach)
    nn.functional.cross_entropy(net(x, net.space.largest()), y).backward()
    seen.append(weights_version(net))  # running statistics moved
    steps.step()
    seen.append(weights_version(net))
    saved = copy.deepcopy(net.state_dict())
    net.load_state_dict(saved)
    seen.append(weights_version(net))
    net.load_state_dict(saved, assign=True)
    seen.append(weights_version(net))
    assert len(set(seen)) == len(seen)


def test_measuring_does_not_change_the_version():
    net = small_net(statistics="track")
    version = weights_version(net)
    evaluator = NetEvaluator(net, DATA, calibration=QUICK, device=Fake())
    evaluator.evaluate(net.space.largest(), ["accuracy", "latency_ms", "macs"])
    assert weights_version(net) == version


def test_a_sub_space_can_be_searched():
    net = small_net()
    small = net.space.restrict({"width": (4, 6)})
    evaluator = NetEvaluator(net, DATA, space=small)
    assert evaluator.space is small
    codes = small.population(np.random.default_rng(0), 20)
    assert evaluator.costs(codes, "params").max() == measure.params(net, small.arch({"width": 6, "op": "conv"}))


def test_unknown_quantities_are_refused():
    evaluator = NetEvaluator(small_net(), DATA)
    with pytest.raises(UsageError, match="'energy' is not known here"):
        evaluator.evaluate(evaluator.space.largest(), ["energy"])
    with pytest.raises(UsageError, match="not told for whole populations"):
        evaluator.costs(evaluator.space.codes([]), "accuracy")
