"""One linear layer on the differences, of the classes that the network has."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from small_nets import operations_net
from supernet import OpChoice, Supernet
from supernet.errors import UsageError
from supernet.train import MatchesOutputs
from supernet.train.part import Setting
from supernet.train.parts.matching_net import MatchingNet


def test_it_is_a_weighted_sum_of_the_differences() -> None:
    net = MatchingNet(4, 10)
    assert net.linear.weight.shape == (1, 40)
    assert net.linear.bias.item() == 0
    assert 0.9 < net.linear.weight.abs().max().item() <= 1
    difference = torch.randn(4, 10)
    found = net(difference)
    assert found.shape == ()
    assert torch.allclose(found, (net.linear.weight[0] * difference.flatten()).sum(), atol=1e-5)


def test_classes_are_those_of_the_network_and_nothing_of_it_changes() -> None:
    net = operations_net().train()
    net.input_shape = (1, 8, 8)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert MatchesOutputs(examples=3)(Setting(net, 0, {})).linear.in_features == 30
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.training


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UsageError, match="shape of its inputs"):
        MatchesOutputs()(Setting(operations_net(), 0, {}))
    blocks = {"a": nn.Conv2d(1, 3, 1), "b": nn.Conv2d(1, 3, 3, padding=1)}
    setting = Setting(Supernet(OpChoice("op", blocks), input_shape=(1, 4, 4)), 0, {})
    with pytest.raises(UsageError, match="network that classifies"):
        MatchesOutputs()(setting)
    with pytest.raises(UsageError, match="at least 1"):
        MatchesOutputs(examples=0)
