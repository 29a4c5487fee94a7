import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from measure_networks import blobs, small_net
from supernet.errors import UsageError
from supernet.measure import Calibration, accuracy, calibrate, calibrated


def state_of(net):
    tensors = [*net.parameters(), *net.buffers()]
    layers = [(m.training, getattr(m, "momentum", None), len(m._forward_hooks)) for m in net.modules()]
    return [(id(t), t._version, t.detach().clone()) for t in tensors], layers


def assert_same_state(before, after):
    assert before[1] == after[1]
    for (old_id, old_version, old), (new_id, new_version, new) in zip(before[0], after[0], strict=True):
        assert (old_id, old_version) == (new_id, new_version)
        assert torch.equal(
            old.view(torch.int32 if old.is_floating_point() else old.dtype),
            new.view(torch.int32 if new.is_floating_point() else new.dtype),
        )


def numpy_statistics(batches: list[np.ndarray], policy: Calibration, mean: float, var: float):
    """Straight from the definitions, on the inputs (B, C, H, W) of the layer."""
    rows = [batch.astype(np.float64).transpose(0, 2, 3, 1).reshape(-1, batch.shape[1]) for batch in batches]
    if policy.mode == "pooled":
        joined = np.concatenate(rows)
        return joined.mean(0), joined.var(0, ddof=1)
    ddof = 0 if policy.mode == "mean_of_batches" else 1
    if policy.mode != "ema":
        return np.mean([r.mean(0) for r in rows], 0), np.mean([r.var(0, ddof=ddof) for r in rows], 0)
    m, v = np.full(rows[0].shape[1], mean), np.full(rows[0].shape[1], var)
    for r in rows:
        m = (1 - policy.momentum) * m + policy.momentum * r.mean(0)
        v = (1 - policy.momentum) * v + policy.momentum * r.var(0, ddof=1)
    return m, v


@pytest.mark.parametrize(
    "policy",
    [
        Calibration(images=100, batch_size=20),
        Calibration(mode="cumulative", images=100, batch_size=20),
        Calibration(mode="mean_of_batches", images=100, batch_size=20),
        Calibration(mode="ema", images=100, batch_size=20, momentum=0.3),
        Calibration(mode="ema", images=100, batch_size=20, reset=False),
    ],
    ids=lambda policy: f"{policy.mode} {policy.momentum} {policy.reset}",
)
def test_every_mode_equals_its_definition(policy):
    net = small_net()
    arch = net.space.arch({"width": 6, "op": "skip"})
    layer = net.module[1]
    layer.running_mean.fill_(3.0)
    layer.running_var.fill_(7.0)
    conv = net.extract(arch)[0]
    with torch.no_grad():
        batches = [conv(b.x).numpy() for b in blobs().train.batches(20, limit=100)]
    start = (0.0, 1.0) if policy.reset else (3.0, 7.0)
    mean, var = numpy_statistics(batches, policy, *start)
    with calibrated(net, arch, blobs(), policy):
        np.testing.assert_allclose(layer.running_mean[:6].numpy(), mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(layer.running_var[:6].numpy(), var, rtol=1e-5, atol=1e-6)
        assert layer.running_mean[6:].tolist() == [3.0, 3.0]
        assert layer.running_var[6:].tolist() == [7.0, 7.0]
        assert layer.num_batches_tracked.item() == 5


def test_the_modes_tell_each_other_apart():
    modes = [
        Calibration(mode=mode, images=90, batch_size=10) for mode in ("pooled", "cumulative", "mean_of_batches", "ema")
    ]
    net = small_net()
    found = []
    for policy in modes:
        with calibrated(net, net.space.largest(), blobs(), policy):
            found.append(net.module[1].running_var.clone())
    for first in range(4):
        for second in range(first):
            assert not torch.allclose(found[first], found[second], rtol=1e-4), (modes[first], modes[second])


def test_ema_and_cumulative_are_what_torch_computes():
    for momentum, policy in ((0.1, Calibration(mode="ema", images=100, batch_size=20)),
                             (None, Calibration(mode="cumulative", images=100, batch_size=20))):  # fmt: skip
        torch.manual_seed(0)
        ours = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
        torch.manual_seed(0)
        theirs = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
        theirs[1].momentum = theirs[4].momentum = momentum
        with torch.no_grad():
            for batch in blobs().train.batches(20, limit=100):
                theirs(batch.x)
        assert calibrate(ours, None, blobs(), policy) == 2
        for name, value in theirs.state_dict().items():
            torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-5, atol=1e-6)


def test_one_batch_gives_the_statistics_of_that_batch():
    net = nn.Sequential(nn.BatchNorm2d(1))
    x = next(blobs().train.batches(50)).x
    for mode in ("pooled", "cumulative", "mean_of_batches"):
        calibrate(net, None, blobs(), Calibration(mode=mode, images=50, batch_size=50))
        assert net[0].running_mean.item() == pytest.approx(x.mean().item(), abs=1e-6)
        assert net[0].running_var.item() == pytest.approx(x.var(unbiased=mode != "mean_of_batches").item(), rel=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_everything_is_put_back_bit_for_bit(training):
    net = small_net(statistics="track").train(training)
    net.module[1].running_mean[2] = float("nan")  # bits, not values
    net.module[4].training = not training
    before = state_of(net)
    with calibrated(net, net.space.largest(), blobs(), Calibration(images=60, batch_size=20)):
        assert not any(m.training for m in net.modules())
        assert torch.isfinite(net.module[1].running_mean).all()
        net(blobs().train.images[:2].float())
    assert_same_state(before, state_of(net))
    with pytest.raises(KeyError), calibrated(net, net.space.largest(), blobs()):
        raise KeyError
    assert_same_state(before, state_of(net))


def test_only_batch_norms_that_run_are_touched():
    net = small_net(statistics="track")
    inner = net.module[3].candidates["conv"][1]
    arch = net.space.arch({"width": 4, "op": "skip"})
    with calibrated(net, arch, blobs(), Calibration(images=60, batch_size=20)):
        assert inner.num_batches_tracked.item() == 0
        assert not inner.running_mean.any()
        assert net.module[1].running_mean[:4].all()
        assert not net.module[1].running_mean[4:].any()


class CountingSplit:
    def __init__(self, split):
        self.split, self.asked = split, []

    def __len__(self):
        return len(self.split)

    def batches(self, batch_size, *, limit=None):
        for batch in self.split.batches(batch_size, limit=limit):
            self.asked.append(len(batch.x))
            yield batch


def test_nothing_runs_where_no_batch_norm_keeps_statistics():
    split = CountingSplit(blobs().train)
    net = small_net(statistics="batch")
    before = net(blobs().train.images[:9].float(), net.space.largest())
    with calibrated(net, net.space.largest(), split):
        pass
    assert split.asked == []
    assert before.shape == (9, 3)
    lone = small_net(statistics="track")
    lone.module[1] = nn.Identity()
    with calibrated(lone, lone.space.arch({"width": 4, "op": "skip"}), split, Calibration(images=60, batch_size=20)):
        pass
    assert split.asked == [20]  # one batch shows that none of them is part of this subnet


def test_images_are_whole_batches_of_the_split_that_was_named():
    split = CountingSplit(blobs().train)
    net = nn.Sequential(nn.BatchNorm2d(1))
    calibrate(net, None, split, Calibration(images=70, batch_size=30))
    calibrate(net, None, split, Calibration(images=10, batch_size=30))
    calibrate(net, None, split, Calibration(images=10**6, batch_size=100))
    assert split.asked == [30, 30, 10, 100]  # the split holds 192
    data = dataclasses.replace(blobs(), train=split, validation=CountingSplit(blobs().validation)).sealed()
    calibrate(net, None, data, Calibration(images=40, batch_size=40, split="validation"))
    assert (split.asked[4:], data.validation.asked) == ([], [40])


def test_a_calibrated_subnet_is_the_calibrated_supernet():
    net, policy = small_net(), Calibration(images=100, batch_size=20)
    x = next(blobs().validation.batches(20)).x
    for arch in net.space.enumerate():
        module = net.extract(arch)
        calibrate(module, None, blobs(), policy)
        with calibrated(net, arch, blobs(), policy), torch.no_grad():
            torch.testing.assert_close(module.eval()(x), net(x), rtol=0, atol=1e-5)
        assert accuracy(net, arch, blobs(), calibration=policy) == accuracy(
            module, None, blobs().validation, calibration=None
        )


def test_presets_are_those_of_the_published_code():
    assert Calibration.spos() == Calibration(mode="ema", images=25_600, batch_size=128, momentum=0.1, reset=True)
    assert Calibration.ofa() == Calibration(mode="mean_of_batches", images=2000, batch_size=200)
    assert Calibration.attentive(32) == Calibration(mode="cumulative", images=64 * 32, batch_size=32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "mean"}, "mode='mean' does not exist"),
        ({"split": "test"}, "split='test' does not exist"),
        ({"images": 1}, "less than two examples"),
        ({"batch_size": 0}, "less than two examples"),
        ({"momentum": 0.1}, "belong to mode='ema'"),
        ({"reset": False}, "belong to mode='ema'"),
        ({"mode": "ema", "momentum": 0.0}, "not the weight of a batch"),
    ],
)
def test_impossible_policies_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        Calibration(**options)
