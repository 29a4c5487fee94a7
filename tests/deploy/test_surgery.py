"""Another classifier or input for a supernet: what is new, what stays, and that it can still be extracted."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from small_nets import elastic_net, operations_net
from supernet import Choice, ElasticLinear, Supernet, measure, zoo
from supernet.deploy import find_classifier, replace_classifier
from supernet.deploy.surgery import LearnedInput, with_learned_input
from supernet.errors import UsageError


@pytest.mark.parametrize("space", ["mbconv", "nasbench201", "nasbench_macro"])
def test_the_classifier_of_every_space_is_found_and_replaced(space: str) -> None:
    if space == "mbconv":
        net = zoo.mbconv(num_classes=7, in_channels=3, image_size=32)
    elif space == "nasbench201":
        net = zoo.nasbench201(num_classes=7, channels=4, cells=1)
    else:
        net = zoo.nasbench_macro(num_classes=7, channels=4, head_channels=16)
    name = find_classifier(net, 7)
    before, same_space = {k: v.clone() for k, v in net.state_dict().items()}, net.space
    replace_classifier(net, name, 3)
    assert net.space is same_space
    changed = {k for k, v in net.state_dict().items() if k not in before or not torch.equal(v, before[k])}
    assert changed == {f"module.{name}.weight", f"module.{name}.bias"}
    x = torch.randn(2, 3, 32, 32)
    for arch in (net.space.smallest(), net.space.largest()):
        assert net(x, arch).shape == (2, 3)
        assert net.extract(arch).eval()(x).shape == (2, 3)


def test_an_elastic_classifier_follows_its_input() -> None:
    net = elastic_net()
    name = find_classifier(net, 10)
    replace_classifier(net, name, 4)
    for arch in (net.space.smallest(), net.space.largest()):
        assert net(torch.randn(2, 1, 8, 8), arch).shape == (2, 4)
    assert isinstance(net.module.get_submodule(name), ElasticLinear)


def test_the_new_layer_is_drawn_from_the_seed() -> None:
    drawn = []
    for seed in (0, 0, 1):
        net = operations_net()
        torch.manual_seed(seed)
        replace_classifier(net, find_classifier(net, 10), 10)
        drawn.append(net.state_dict()["module.8.weight"])
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], operations_net().state_dict()["module.8.weight"])


def test_what_is_no_classifier_is_refused() -> None:
    net = operations_net()
    with pytest.raises(UsageError, match=r"No linear layer of this supernet has 11 outputs.*8 \(10\)"):
        find_classifier(net, 11)
    with pytest.raises(UsageError, match=r"'0' is a Conv2d; name a linear layer: 8"):
        replace_classifier(net, "0", 5)
    with pytest.raises(UsageError, match=r"'fc' does not exist; name a linear layer: 8"):
        replace_classifier(net, "fc", 5)
    width = Choice("width", (2, 4))
    elastic = Supernet(nn.Sequential(ElasticLinear(3, width), ElasticLinear(width, 2)))
    with pytest.raises(UsageError, match="elastic number of outputs"):
        replace_classifier(elastic, "0", 2)


@pytest.mark.parametrize(("channels", "wanted"), [(1, 3), (3, 1), (3, 3), (4, 3)])
def test_a_learned_input_starts_as_what_would_be_done_without_learning(channels: int, wanted: int) -> None:
    x = torch.randn(2, channels, 6, 6)
    y = LearnedInput(channels, (wanted, 9, 8))(x)
    plain = F.interpolate(x, size=(9, 8), mode="bilinear")
    expected = {1: plain.mean(1, keepdim=True), 3: plain.repeat(1, 3, 1, 1) if channels == 1 else plain[:, :3]}[wanted]
    torch.testing.assert_close(y, expected)


def test_a_learned_input_is_part_of_the_network() -> None:
    inner = operations_net().eval()
    net = with_learned_input(inner, 3, (1, 8, 8)).eval()
    assert net.space.fingerprint == inner.space.fingerprint
    x, arch = torch.randn(2, 3, 12, 12), net.space.largest()
    torch.testing.assert_close(
        net(x, arch), inner(F.interpolate(x, size=(8, 8), mode="bilinear").mean(1, keepdim=True), arch)
    )
    torch.testing.assert_close(net.extract(arch)(x), net(x, arch))
    assert not list(net.extract(arch).modules())[1].__class__.__module__.startswith("supernet")
    added = measure.macs(net, arch, input_shape=(3, 12, 12)) - measure.macs(inner, arch, input_shape=(1, 8, 8))
    assert added == 3 * 12 * 12
