"""Which entries of its weights an architecture uses: counted, shifted, and refused where weights are made."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from small_nets import elastic_net
from supernet import Choice, Supernet, zoo
from supernet.errors import UsageError
from supernet.measure import params
from supernet.nn.entries import active_entries
from supernet.nn.transform_conv import TransformConv2d
from supernet.zoo.elastic.fedsup import TINY


def test_as_many_entries_as_the_architecture_has_parameters() -> None:
    net = zoo.fedsup(**TINY, image_size=8, in_channels=1)
    names = {name for name, _ in net.named_parameters()}
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    for arch in (net.space.smallest(), net.space.largest(), net.space.sample(np.random.default_rng(0))):
        masks = active_entries(net, arch)
        assert sum(int(masks[name].sum()) for name in names) == params(net, arch)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_prefixes_statistics_and_centres_of_kernels() -> None:
    net = elastic_net()
    masks = active_entries(net, net.space.smallest())
    assert masks["module.0.weight"].flatten(1).all(1).tolist() == [True] * 4 + [False] * 4
    assert masks["module.1.running_mean"].tolist() == [True] * 4 + [False] * 4
    assert bool(masks["module.1.num_batches_tracked"])
    assert not masks["module.3.0.0.weight"].any(), "a block that does not run"
    one = active_entries(net, net.space.arch({"width": 4, "depth": 1, "kernel": 1}))["module.3.0.0.weight"]
    assert one.nonzero()[:, 2:].unique().tolist() == [1]
    assert int(one.sum()) == 16


def test_a_window_rolls_around() -> None:
    net = zoo.fedsup(**TINY, image_size=8, in_channels=1)
    masks = active_entries(net, net.space.smallest(), settings={"slice": 0.75})
    name = next(n for n, p in net.named_parameters() if p.shape == (16,))
    assert masks[name].tolist() == [True] * 4 + [False] * 8 + [True] * 4


def test_weights_that_are_made_of_others_are_refused() -> None:
    net = Supernet(TransformConv2d(2, 2, Choice("kernel", (3, 5))))
    with pytest.raises(UsageError, match="makes weights of others"):
        active_entries(net, net.space.smallest())
