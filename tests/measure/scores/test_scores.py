import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from measure_networks import blobs, small_net
from supernet import zoo
from supernet.errors import RunError, UsageError
from supernet.measure import Calibration, accuracies, accuracy, calibrate, loss, scores

QUICK = Calibration(images=60, batch_size=20)


class Fixed(nn.Module):
    """Logits that are right on a known share of the images: those whose brightest rows are the first two."""

    def forward(self, x):
        bright = x.mean((1, 3))
        return torch.stack([bright[:, 0:2].sum(1), torch.zeros(len(x)), torch.full((len(x),), -1.0)], 1) * 5


def test_accuracy_and_loss_equal_numpy():
    module = Fixed()
    x, y = next(blobs().validation.batches(10**6))
    logits = module(x).double().numpy()
    expected = (logits.argmax(1) == y.numpy()).mean()
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    cross_entropy = -log_p[np.arange(len(y)), y.numpy()].mean()
    for batch_size in (7, 512):
        found = scores(module, None, blobs().validation, calibration=None, batch_size=batch_size)
        assert found.accuracy == expected
        assert found.loss == pytest.approx(cross_entropy, rel=1e-5)
        assert found.images == len(blobs().validation) == len(y)
    assert 0.3 < expected < 1


def test_images_limit_the_set():
    x, y = next(blobs().validation.batches(13))
    expected = (Fixed()(x).argmax(1) == y).double().mean().item()
    assert accuracy(Fixed(), None, blobs(), calibration=None, images=13, batch_size=5) == expected


def test_the_subnet_is_judged_in_evaluation_mode_and_left_alone():
    net = small_net(statistics="track").train()
    arch = net.space.largest()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    found = [loss(net, arch, blobs(), calibration=None) for _ in range(2)]  # dropout would make them differ
    x, y = next(blobs().validation.batches(10**6))
    assert found[0] == found[1] == pytest.approx(F.cross_entropy(net.extract(arch).eval()(x), y).item(), rel=1e-5)
    assert all(m.training for m in net.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_calibration_is_the_default_and_changes_the_result():
    net = small_net(statistics="track")
    arch = net.space.arch({"width": 6, "op": "conv"})
    module = net.extract(arch)
    assert calibrate(module, None, blobs()) == 2
    assert loss(net, arch, blobs()) == pytest.approx(loss(module, None, blobs().validation, calibration=None), rel=1e-5)
    assert abs(loss(net, arch, blobs()) - loss(net, arch, blobs(), calibration=None)) > 1e-3


def test_many_architectures_report_progress():
    net = small_net()
    archs = list(net.space.enumerate())
    seen = []
    found = accuracies(
        net, archs, blobs(), calibration=QUICK, progress=lambda done, latest: seen.append((done, latest))
    )
    assert found == [accuracy(net, arch, blobs(), calibration=QUICK) for arch in archs]
    assert [done for done, _ in seen] == [1, 2, 3, 4, 5, 6]
    assert [latest.accuracy for _, latest in seen] == found


def test_diverged_weights_are_named():
    net = small_net()
    with torch.no_grad():
        net.module[7].bias[0] = float("nan")
    with pytest.raises(RunError, match=r"not finite.*width=4,op=skip"):
        accuracy(net, net.space.arch({"width": 4, "op": "skip"}), blobs(), calibration=QUICK)


def test_statistics_that_were_never_computed_are_refused():
    net = small_net(statistics="calibrate")
    with pytest.raises(UsageError, match=r"never given any. Pass a calibration"):
        accuracy(net, net.space.largest(), blobs(), calibration=None)


def test_what_does_not_fit_together_is_refused():
    net = small_net()
    with pytest.raises(UsageError, match="only one split was given"):
        accuracy(net, net.space.largest(), blobs().validation)
    with pytest.raises(UsageError, match="one architecture at a time"):
        accuracy(net, None, blobs())
    with pytest.raises(UsageError, match="which is no Supernet"):
        accuracy(Fixed(), net.space.largest(), blobs())
    foreign = zoo.nasbench201(channels=4, cells=1).space.largest()
    with pytest.raises(UsageError, match="belongs to the space"):
        accuracy(net, foreign, blobs())


def test_the_test_images_are_never_read():
    net = small_net()
    assert 0 <= accuracy(net, net.space.largest(), blobs().sealed(), calibration=QUICK) <= 1
