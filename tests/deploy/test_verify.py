import copy

import pytest
import torch
from torch import nn

from measure_networks import blobs, small_net
from supernet import deploy
from supernet.errors import RunError, UsageError
from supernet.measure import Calibration, accuracy
from supernet.search import Constraint, Constraints


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    net = small_net()
    path = tmp_path_factory.mktemp("files") / "net"
    calibration = Calibration(images=60, batch_size=20)
    arch = net.space.arch({"width": 8, "op": "conv"})
    return deploy.export(net, arch, path, data=blobs(), calibration=calibration, formats=("onnx", "program"))


@pytest.mark.parametrize(("place", "runtime"), [(0, "onnxruntime"), (1, "torch")])
def test_the_file_itself_is_judged(exported, place, runtime):
    found = deploy.verify(exported.files[place], exported.module, blobs().validation, images=40, batch_size=16)
    expected = accuracy(exported.module, None, blobs().validation, calibration=None, images=40)
    assert found.accuracy_file == found.accuracy_module == expected
    assert (found.images, found.agreement, found.file) == (40, 1.0, exported.files[place])
    assert found.max_difference <= 1e-5
    assert found.runtime.startswith(runtime)
    assert found.threads == torch.get_num_threads()
    x, _ = next(blobs().validation.batches(40))
    with torch.no_grad():
        assert found.logit_scale == pytest.approx(exported.module(x).abs().max().item(), rel=1e-5)


def shifted(module: nn.Module, by: float, label: int = 0) -> nn.Module:
    other = copy.deepcopy(module)
    with torch.no_grad():
        other[-1].bias[label] += by
    return other


@pytest.mark.parametrize("place", [0, 1])
def test_a_difference_is_measured_and_refused(exported, place):
    x, y = next(blobs().validation.batches(10**6))
    with torch.no_grad():
        logits = exported.module(x)
    rare = int(logits.argmax(1).bincount(minlength=3).argmin())
    by = float((logits.max(1).values - logits[:, rare]).median())  # half of the images change class
    other = shifted(exported.module, by, rare)
    with torch.no_grad():
        ours, theirs = logits.argmax(1), other(x).argmax(1)

    loose = deploy.verify(exported.files[place], other, blobs().validation, tolerance=10.0)
    assert loose.max_difference == pytest.approx(by, rel=1e-3)
    assert loose.agreement == pytest.approx((ours == theirs).double().mean().item(), abs=1e-9)
    assert 0.2 < loose.agreement < 0.8
    assert loose.accuracy_file == pytest.approx((ours == y).double().mean().item(), abs=1e-9)
    assert loose.accuracy_module == pytest.approx((theirs == y).double().mean().item(), abs=1e-9)
    with pytest.raises(RunError, match=rf"{exported.files[place].name} does not compute .* on 48 examples. Do not use"):
        deploy.verify(exported.files[place], other, blobs().validation)


def test_logits_that_are_no_numbers_are_refused(exported):
    with pytest.raises(RunError, match="does not compute"):
        deploy.verify(exported.files[0], shifted(exported.module, float("nan")), blobs().validation)


def test_files_that_do_not_fit_are_refused(exported, tmp_path):
    module = exported.module
    with pytest.raises(UsageError, match="There is no file"):
        deploy.verify(tmp_path / "net.onnx", module, blobs().validation)
    for name in ("net.onnx", "net.pt2"):
        (tmp_path / name).write_bytes(b"no model")
        with pytest.raises(RunError, match=rf"{name} cannot be loaded"):
            deploy.verify(tmp_path / name, module, blobs().validation)
    (tmp_path / "net.txt").write_text("")
    with pytest.raises(UsageError, match=r"end in .int8.pt2, .onnx, .pt2, .pte or .xml can"):
        deploy.verify(tmp_path / "net.txt", module, blobs().validation)
    larger = blobs(60, size=10)
    for file in exported.files:
        with pytest.raises(RunError, match=r"does not run on inputs of float32 \(\d+, 1, 10, 10\)"):
            deploy.verify(file, module, larger.validation)


def test_the_module_is_left_alone(exported):
    module = copy.deepcopy(exported.module).train()
    deploy.verify(exported.files[1], module, blobs().validation, images=20)
    assert all(m.training for m in module.modules())
    for name, value in module.state_dict().items():
        assert torch.equal(value, exported.module.state_dict()[name])


def test_what_was_promised_and_not_kept_is_said():
    limits = Constraints((Constraint("latency_ms", 0.1, 0.45), Constraint("accuracy", low=0.9), Constraint("odd", 1.0)))
    assert deploy.missed(limits, {"latency_ms": 0.45, "accuracy": 0.9, "macs": 1e9}) == ()
    assert deploy.missed(Constraints(), {"latency_ms": 9.0}) == ()
    told = deploy.missed(limits, {"latency_ms": 0.5, "accuracy": 0.85, "odd": float("nan")})
    assert told == (
        "latency_ms measured after export is 0.5 ms, outside the bound of the search: 0.1 ≤ latency_ms ≤ 0.45.",
        "accuracy measured after export is 0.85, outside the bound of the search: 0.9 ≤ accuracy.",
        "odd measured after export is nan, outside the bound of the search: 1 ≤ odd.",
    )
