"""Statistics policies of batch norm, and their buffers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from small_nets import images
from supernet import Choice, ElasticBatchNorm2d, ElasticConv2d, ElasticLayerNorm, OpChoice, Supernet, measure
from supernet.errors import UsageError
from supernet.nn import Statistics, batch_norm
from supernet.nn.norm import is_batch_norm


def test_tracking_moves_only_the_buffers_of_the_slice() -> None:
    layer = ElasticBatchNorm2d(Choice("w", (2, 5)), statistics="track", momentum=0.3)
    net, dense = Supernet(layer), nn.BatchNorm2d(2, momentum=0.3)
    for _ in range(3):
        x = torch.randn(4, 2, 3, 3) * 2 + 1
        torch.testing.assert_close(net(x, net.space.smallest()), dense(x))
    torch.testing.assert_close(layer.running_mean[:2], dense.running_mean)
    torch.testing.assert_close(layer.running_var[:2], dense.running_var)
    assert layer.running_mean[2:].tolist() == [0, 0, 0]
    assert layer.running_var[2:].tolist() == [1, 1, 1]
    assert layer.num_batches_tracked == 3
    net.eval(), dense.eval()
    torch.testing.assert_close(net(x, net.space.smallest()), dense(x))
    assert layer.num_batches_tracked == 3


def test_without_momentum_the_averages_are_plain_means() -> None:
    layer = ElasticBatchNorm2d(Choice("w", (2, 5)), statistics="track", momentum=None)
    net = Supernet(layer)
    batches = [torch.randn(4, 2, 3, 3) + i for i in range(4)]
    for x in batches:
        net(x, net.space.smallest())
    torch.testing.assert_close(layer.running_mean[:2], torch.stack([x.mean((0, 2, 3)) for x in batches]).mean(0))
    variances = [x.transpose(0, 1).flatten(1).var(1) for x in batches]
    torch.testing.assert_close(layer.running_var[:2], torch.stack(variances).mean(0))


def test_a_calibrating_caller_can_collect_statistics_for_one_subnet() -> None:
    layer = ElasticBatchNorm2d(Choice("w", (2, 5)))
    net = Supernet(layer)
    layer.momentum = None
    layer.reset_running_stats()
    x = torch.randn(4, 2, 3, 3) + 3
    net(x, net.space.smallest())
    torch.testing.assert_close(net.extract(net.space.smallest()).running_mean, x.mean((0, 2, 3)))


def test_calibrate_leaves_the_averages_alone_even_by_a_broken_batch() -> None:
    layer = ElasticBatchNorm2d(Choice("w", (2, 5)))
    net = Supernet(layer)
    net(torch.full((2, 2, 3, 3), torch.nan), net.space.smallest())
    assert layer.running_mean.tolist() == [0] * 5
    assert layer.running_var.tolist() == [1] * 5
    assert layer.num_batches_tracked == 0


def test_batch_statistics_are_used_outside_training() -> None:
    net = Supernet(ElasticBatchNorm2d(Choice("w", (2, 5)), statistics="batch")).eval()
    x = torch.randn(8, 2, 4, 4) * 3 + 5
    for y in (net(x, net.space.smallest()), net.extract(net.space.smallest())(x)):
        torch.testing.assert_close(y.mean((0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
        torch.testing.assert_close(y.var((0, 2, 3), correction=0), torch.ones(2), atol=1e-4, rtol=0)
    assert not list(net.buffers())


@pytest.mark.parametrize(("statistics", "moves"), [("track", True), ("calibrate", True), ("batch", False)])
def test_a_subnet_taken_out_tracks_its_own_statistics(statistics: str, moves: bool) -> None:
    for layer in (ElasticBatchNorm2d(Choice("w", (2, 5)), statistics=statistics), batch_norm(2, statistics=statistics)):
        net = Supernet(nn.Sequential(layer, ElasticLayerNorm(Choice("side", (3, 4)))))
        bn = net.extract(net.space.smallest())[0]
        assert type(bn) is nn.BatchNorm2d
        bn(torch.ones(2, 2, 3, 3))
        assert (bn.running_mean is not None and bn.running_mean.tolist() == pytest.approx([0.1, 0.1])) is moves


@pytest.mark.parametrize("statistics", ["track", "calibrate", "batch"])
@pytest.mark.parametrize("training", [True, False])
def test_fixed_width_computes_what_torch_computes(statistics: str, training: bool) -> None:
    ours, theirs = batch_norm(3, statistics=statistics), nn.BatchNorm2d(3, track_running_stats=statistics != "batch")
    x = torch.randn(4, 3, 2, 2)
    torch.testing.assert_close(ours.train(training)(x), theirs.train(training)(x))
    assert is_batch_norm(ours)
    assert not is_batch_norm(nn.LayerNorm(3))


def test_an_unknown_policy_is_refused() -> None:
    for build in (ElasticBatchNorm2d, batch_norm):
        with pytest.raises(UsageError, match="policy 'frozen' does not exist; use one of"):
            build(4, statistics="frozen")


@pytest.mark.parametrize("statistics", ["batch", "track", "calibrate"])
def test_a_batch_of_one_value_is_refused_in_a_sentence(statistics: Statistics) -> None:
    net = Supernet(nn.Sequential(ElasticConv2d(1, Choice("w", (2, 4)), 1), batch_norm(2, statistics=statistics)))
    with pytest.raises(UsageError, match=r"a single value per channel, from an input of shape \(1, 2, 1, 1\)"):
        net(torch.ones(1, 1, 1, 1), {"w": 2})
    assert net(torch.ones(2, 1, 1, 1), {"w": 2}).shape == (2, 2, 1, 1)


def test_513_images_behind_global_pooling_can_be_scored() -> None:
    head = [nn.AdaptiveAvgPool2d(1), batch_norm(4, statistics="batch"), nn.Flatten(), nn.Linear(4, 10)]
    net = Supernet(nn.Sequential(OpChoice("op", {"a": nn.Conv2d(1, 4, 1), "b": nn.Conv2d(1, 4, 3)}), *head))
    scored = measure.scores(net, net.space.smallest(), images(n=2000), batch_size=512, images=513)
    assert scored.images == 513
