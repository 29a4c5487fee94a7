"""A network without its classifier returns features; afterwards it is as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from small_nets import elastic_net, operations_net
from supernet import Choice, ElasticLinear, Supernet
from supernet.errors import UsageError
from supernet.nn.headless import classifier, classifier_parameters, headless


def test_inside_it_returns_what_enters_the_last_linear_layer() -> None:
    net = operations_net().eval()
    x, arch = torch.randn(3, 1, 8, 8), net.space.smallest()
    logits = net(x, arch)
    called: list[int] = []
    handle = classifier(net).register_forward_hook(lambda *_: called.append(1))
    with headless(net):
        features = net(x, arch)
    assert called == [], "the classifier does not run"
    handle.remove()
    assert features.shape == (3, 32)
    torch.testing.assert_close(classifier(net)(features), logits)
    torch.testing.assert_close(net(x, arch), logits)


def test_an_error_inside_leaves_the_network_as_it_was() -> None:
    net = operations_net().eval()
    names = [name for name, _ in net.named_modules()]
    with pytest.raises(RuntimeError), headless(net):
        net(torch.randn(3, 2, 8, 8), net.space.smallest())
    assert [name for name, _ in net.named_modules()] == names
    assert net(torch.randn(3, 1, 8, 8), net.space.smallest()).shape == (3, 10)


def test_its_parameters_are_found() -> None:
    assert [tuple(p.shape) for p in classifier_parameters(operations_net())] == [(10, 32), (10,)]


def test_networks_without_a_classifier_of_fixed_width_are_refused() -> None:
    with pytest.raises(UsageError, match="depends on the architecture"):
        classifier(elastic_net())
    width = Choice("width", (4, 8))
    with pytest.raises(UsageError, match="it has none"):
        classifier(Supernet(nn.Sequential(nn.Conv2d(1, 2, 1), ChoiceOfWidth(width))))


class ChoiceOfWidth(nn.Module):
    def __init__(self, width: Choice) -> None:
        super().__init__()
        from supernet import ElasticConv2d

        self.body = nn.Sequential(ElasticConv2d(2, width, 1), ElasticConv2d(width, 2, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.body(x)
        return out


def test_an_elastic_layer_of_fixed_input_is_one() -> None:
    net = Supernet(nn.Sequential(nn.Flatten(), ElasticLinear(8, Choice("width", (4, 8)))))
    assert classifier(net).in_features == 8
