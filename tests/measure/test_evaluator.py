import copy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from measure_networks import blobs, small_net
from supernet import data, measure, search, zoo
from supernet.errors import UsageError
from supernet.measure import Calibration, Latency, NetEvaluator, weights_version
from supernet.search.evaluation import Evaluator, costs_of, values_of

QUICK = Calibration(images=60, batch_size=20)


class Fake:
    def __init__(self):
        self.calls = 0

    def measure(self, module, input_shape):
        self.calls += 1
        return Latency(float(sum(p.numel() for p in module.parameters())), 0.0, 0.0, 1)


def test_it_tells_what_the_functions_tell():
    net = small_net()
    evaluator: Evaluator = NetEvaluator(net, blobs().sealed(), calibration=QUICK, device=Fake())
    archs = list(net.space.enumerate())
    columns = costs_of(evaluator, net.space.codes(archs), ("macs", "params"))
    for row, arch in enumerate(archs):
        assert columns["macs"][row] == measure.macs(net, arch)
        assert columns["params"][row] == measure.params(net, arch)
        told = values_of(evaluator, arch, ("accuracy", "loss", "latency_ms", "macs"))
        expected = measure.scores(net, arch, blobs(), calibration=QUICK)
        assert told["accuracy"] == expected.accuracy
        assert told["loss"] == pytest.approx(expected.loss, rel=1e-6)
        assert told["latency_ms"] == measure.params(net, arch)
        assert told["macs"] == columns["macs"][row]


def test_quantities_say_unit_and_direction():
    evaluator = NetEvaluator(small_net(), blobs())
    goals = {name: (q.name, q.goal) for name, q in evaluator.quantities.items()}
    assert goals["accuracy"] == ("accuracy", "max")
    assert {goal for name, (_, goal) in goals.items() if not name.startswith("accuracy")} == {"min"}
    assert goals["accuracy_int8"][1] == "max"
    assert evaluator.quantities["latency_ms"].unit == "ms"
    assert evaluator.cheap == {"macs", "params", "weights_mb"} < set(evaluator.quantities)


def test_results_are_remembered_until_a_weight_changes():
    net, device = small_net(), Fake()
    evaluator = NetEvaluator(net, blobs(), calibration=QUICK, device=device)
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
    x, y = next(blobs().train.batches(8))
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
    evaluator = NetEvaluator(net, blobs(), calibration=QUICK, device=Fake())
    evaluator.evaluate(net.space.largest(), ["accuracy", "latency_ms", "macs"])
    assert weights_version(net) == version


def test_a_sub_space_can_be_searched():
    net = small_net()
    small = net.space.restrict({"width": (4, 6)})
    evaluator = NetEvaluator(net, blobs(), space=small)
    assert evaluator.space is small
    codes = small.population(np.random.default_rng(0), 20)
    assert evaluator.costs(codes, "params").max() == measure.params(net, small.arch({"width": 6, "op": "conv"}))


def test_unknown_quantities_are_refused():
    evaluator = NetEvaluator(small_net(), blobs())
    with pytest.raises(UsageError, match="'energy' is not known here"):
        evaluator.evaluate(evaluator.space.largest(), ["energy"])
    with pytest.raises(UsageError, match="not told for whole populations"):
        evaluator.costs(evaluator.space.codes([]), "accuracy")


class Slow(Fake):
    def measure(self, module, input_shape):
        return Latency(3.5 * super().measure(module, input_shape).median_ms, 0.0, 0.0, 1)


def test_a_latency_model_makes_latency_cheap():
    net, device = small_net(), Fake()
    table = measure.LatencyTable.build(net, Slow(), input_shape=blobs().shape, max_settings=5, repeats=1)
    plain = NetEvaluator(net, blobs(), calibration=QUICK, device=device)
    evaluator = NetEvaluator(net, blobs(), calibration=QUICK, device=device, latency=table)
    assert evaluator.cheap == {"macs", "params", "weights_mb", "latency_ms"}
    assert plain.cheap == NetEvaluator.cheap == {"macs", "params", "weights_mb"}
    codes = net.space.codes(list(net.space.enumerate()))
    assert (evaluator.costs(codes, "latency_ms") == table.predict_ms(codes)).all()
    arch = net.space.largest()
    predicted = float(table.predict_ms(net.space.codes([arch]))[0])
    assert evaluator.evaluate(arch, ["latency_ms"]) == {"latency_ms": predicted}
    assert device.calls == 0
    assert evaluator.latency(arch).median_ms == measure.params(net, arch)
    assert device.calls == 1
    with pytest.raises(UsageError, match="not told for whole populations"):
        plain.costs(codes, "latency_ms")


def test_a_search_meets_a_latency_constraint_without_measuring():
    net, device = small_net(), Fake()
    table = measure.LatencyTable.build(net, Slow(), input_shape=blobs().shape, max_settings=5, repeats=1)
    evaluator = NetEvaluator(net, blobs(), calibration=QUICK, device=device, latency=table)
    values = table.predict_ms(net.space.codes(list(net.space.enumerate())))
    bound = float(np.sort(values)[2])
    front = search.random(evaluator, constraints={"latency_ms": bound}, budget=3, seed=0)
    assert device.calls == 0
    assert all(point.values["latency_ms"] <= bound for point in front.points)
    with pytest.raises(UsageError, match="latency_ms"):
        search.random(evaluator, constraints={"latency_ms": float(values.min()) / 2}, budget=3, seed=0)


def test_a_latency_model_of_something_else_is_refused():
    net = small_net()
    table = measure.LatencyTable.build(net, Slow(), input_shape=(1, 12, 12), repeats=1)
    with pytest.raises(UsageError, match=r"of inputs of shape \(1, 12, 12\), not \(1, 8, 8\)"):
        NetEvaluator(net, blobs(), latency=table)


def test_it_measures_together_what_has_a_common_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    net = zoo.nasbench_macro(channels=4, head_channels=8, in_channels=1, num_classes=10)
    images = data.digits()
    archs = [arch for arch, _ in zip(net.space.enumerate(), range(20), strict=False)]
    quick: dict[str, Any] = {"calibration": Calibration(images=40, batch_size=20), "images": 40}
    expected = [NetEvaluator(net, images, **quick).scores(arch) for arch in archs]
    evaluator = NetEvaluator(net, images, **quick)
    evaluator.look_ahead(archs[:5], ["macs"])
    assert not evaluator._scores, "no score is asked for"
    evaluator.look_ahead(archs, ["accuracy", "macs"])
    monkeypatch.setattr("supernet.measure.evaluator.run_scores", None)  # nothing is left to measure
    assert [evaluator.scores(arch) for arch in archs] == expected
    apart = [net.space.smallest(), net.space.largest()]
    evaluator.look_ahead(apart)
    assert not set(evaluator._scores) & {arch.code for arch in apart if arch not in archs}, "they share too little"


def test_a_search_is_the_same_with_and_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = zoo.nasbench_macro(channels=4, head_channels=8, in_channels=1, num_classes=10, statistics="track")
    evaluator = NetEvaluator(net, data.digits(), calibration=None, images=20)
    asked: list[int] = []
    ahead = NetEvaluator.look_ahead

    def counted(self: NetEvaluator, archs: Any, names: Any = None) -> None:
        asked.append(len(archs))
        ahead(self, archs, names)

    monkeypatch.setattr(NetEvaluator, "look_ahead", counted)
    searcher = search.Evolution(population=10, parents=5, mutations=5, crossovers=5)
    run = partial(search.run, searcher, evaluator, budget=20)
    run(out=tmp_path / "ahead")
    assert asked[0] == 10
    lines = (tmp_path / "ahead" / "search.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "ahead" / "search.jsonl").write_text("".join(lines[:4]))
    evaluator.forget()
    asked.clear()
    run(out=tmp_path / "ahead", resume=True)
    assert asked[0] == 6, "what is on record is not measured again"
    monkeypatch.setattr(NetEvaluator, "look_ahead", lambda *_: None)
    evaluator.forget()
    run(out=tmp_path / "alone")
    assert (tmp_path / "ahead" / "search.jsonl").read_text() == (tmp_path / "alone" / "search.jsonl").read_text()
