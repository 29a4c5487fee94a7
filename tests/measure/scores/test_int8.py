"""Subnets in eight bits: the arithmetic, the score, and the file of the same."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from measure_networks import blobs, small_net
from supernet import deploy
from supernet.deploy.formats import Int8
from supernet.errors import RunError, UsageError
from supernet.measure import Calibration, NetEvaluator
from supernet.measure.scores.int8 import quantised
from supernet.nn.program import traced

QUICK = Calibration(images=60, batch_size=20)


def need_torchao() -> None:
    pytest.importorskip("torchao", reason="torchao is not installed: pip install 'supernet[int8]'")


def rounded(x: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor, low: int, high: int) -> torch.Tensor:
    return ((torch.round(x / scale) + zero).clamp(low, high) - zero) * scale


def test_weights_are_rounded_per_channel_and_activations_per_tensor() -> None:
    need_torchao()
    torch.manual_seed(0)
    linear = nn.Linear(6, 4)
    x = torch.cat([torch.linspace(-1, 3, 58), torch.tensor([-1.0, 3.0])]).reshape(10, 6)
    program = traced(nn.Sequential(linear).eval(), (6,), None)
    done = quantised(program, [x]).program.module()
    weight = linear.weight.detach()
    scale = weight.abs().amax(1, keepdim=True) / 127.5
    [stored] = [one.float() for one in quantised(program, [x]).program.state_dict.values() if one.dtype == torch.int8]
    assert float((stored - weight / scale).abs().max()) <= 0.501  # the nearest of −128 … 127
    by_hand = stored * scale
    nodes = quantised(program, [x]).program.graph.nodes
    [(step, zero)] = [
        node.args[1:3] for node in nodes if str(node.target) == "quantized_decomposed.quantize_per_tensor.default"
    ]
    assert 0.9 * 4 / 255 < step <= 1.01 * 4 / 255  # the histogram may cut a little off
    seen = rounded(x, torch.tensor(step), torch.tensor(zero), 0, 255)
    expected = seen @ by_hand.T + linear.bias.detach()
    with torch.no_grad():
        told = done(x)
        exact = linear(x)
    torch.testing.assert_close(told, expected, rtol=0, atol=1e-5)
    assert float((told - exact).abs().max()) > 1e-3
    kinds = {name: tensor.dtype for name, tensor in quantised(program, [x]).program.state_dict.items()}
    assert [tensor for tensor in kinds.values() if tensor == torch.int8] == [torch.int8]
    assert "0.weight" not in kinds
    assert torch.equal(program.program.module()(x), exact)  # what it was made from is left as it is


def test_the_search_is_told_what_the_file_scores(tmp_path: Path) -> None:
    need_torchao()
    net, data = small_net(), blobs()
    arch = net.space.arch({"width": 8, "op": "conv"})
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    told = NetEvaluator(net, data, calibration=QUICK).evaluate(arch, ["accuracy_int8", "loss_int8", "accuracy", "loss"])
    assert all(torch.equal(state[name], tensor) for name, tensor in net.state_dict().items())
    done = deploy.export(net, arch, tmp_path / "net.int8.pt2", data=data, calibration=QUICK)
    found = deploy.verify(done.files[0], done.module, data.validation)
    assert (told["accuracy_int8"], told["accuracy"]) == (found.accuracy_file, found.accuracy_module)
    assert told["loss_int8"] == pytest.approx(found.scores_file["loss"], rel=1e-6)
    assert told["loss_int8"] != told["loss"]
    assert 1e-5 < found.max_difference < 0.2 * found.logit_scale
    with pytest.raises(RunError, match="does not compute"):
        deploy.verify(done.files[0], done.module, data.validation, tolerance=1e-4)


def test_changed_weights_are_quantised_anew() -> None:
    need_torchao()
    net = small_net()
    evaluator, arch = NetEvaluator(net, blobs(), calibration=QUICK), net.space.largest()
    before = evaluator.evaluate(arch, ["loss_int8"])
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(2)
    assert evaluator.evaluate(arch, ["loss_int8"]) != before


def test_a_file_loads_where_only_torch_is(tmp_path: Path) -> None:
    need_torchao()
    net = small_net()
    done = deploy.export(
        net, net.space.largest(), tmp_path / "net.int8.pt2", data=blobs(), calibration=QUICK, batch_size=5
    )
    script = (
        "import sys, torch, torch.ao.quantization.fx._decomposed\n"
        f"print(tuple(torch.export.load({str(done.files[0])!r}).module()(torch.zeros(5, 1, 8, 8)).shape))\n"
        "assert 'torchao' not in sys.modules"
    )
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "(5, 3)\n"
    found = deploy.verify(done.files[0], done.module, blobs().validation)
    assert found.images == 48


def test_training_examples_are_needed(tmp_path: Path) -> None:
    need_torchao()
    net = small_net(statistics="track")
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None:
            layer.running_mean.fill_(0.1)
    with pytest.raises(UsageError, match="An int8 file needs training examples"):
        deploy.export(net, net.space.smallest(), tmp_path / "net", formats=(Int8(),), input_shape=(1, 8, 8))


def test_without_torchao_the_objective_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "torchao" else find(name, *rest)
    )
    net = small_net()
    evaluator = NetEvaluator(net, blobs(), calibration=QUICK)
    assert evaluator.quantities["accuracy_int8"].goal == "max"
    assert evaluator.quantities["loss_int8"].goal == "min"
    with pytest.raises(RunError, match=r"needs the package 'torchao'.*pip install 'supernet\[int8\]'"):
        evaluator.evaluate(net.space.largest(), ["accuracy_int8"])
