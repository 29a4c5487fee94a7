"""Dimensions sorted by importance: nothing is lost, and the best comes first."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision.models as tv
from torch import Tensor, nn

from own_models import IDS, IMAGES, Language
from supernet import elastic, zoo
from supernet.data import from_arrays
from supernet.errors import UsageError
from supernet.pretrained import sort_by_importance


def noise(classes: int = 3) -> Any:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(60, 3, 32, 32)).astype(np.float32)
    return from_arrays(images, rng.integers(0, classes, 60), name="noise")


def two_layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 6), nn.ReLU(), nn.Linear(6, 3))


@pytest.mark.parametrize("importance", ["norm", "taylor", "activation"])
def test_the_largest_subnet_computes_what_it_did(importance: Any) -> None:
    torch.manual_seed(0)
    net = elastic(tv.shufflenet_v2_x0_5(num_classes=3), IMAGES).eval()
    before, largest = net(IMAGES, net.space.largest()), net.space.largest()
    weights = {name: p.detach().clone() for name, p in net.named_parameters()}
    found = sort_by_importance(net, importance, None if importance == "norm" else noise(), images=64)
    torch.testing.assert_close(net(IMAGES, largest), before, atol=1e-5, rtol=1e-4)
    assert any(not torch.equal(p, weights[name]) for name, p in net.named_parameters())
    assert found.keys() == {choice.name for choice in net.space.choices}
    assert all((scores.diff() <= 0).all() for scores in found.values())


def test_attention_heads_and_tied_embeddings_are_sorted_as_one() -> None:
    torch.manual_seed(0)
    net = elastic(Language(), IDS, multiple=1).eval()
    before = net(IDS, net.space.largest())
    kv = net.module.layers._modules["0"].kv._parameters["weight"]
    with torch.no_grad():
        kv.view(2, 2, 4, 16)[:, 1].mul_(3)  # the second keys, and their values
    expected = net(IDS, net.space.largest())
    assert not torch.equal(before, expected)
    second = kv.view(2, 2, 4, 16)[:, 1].clone()
    found = sort_by_importance(net)
    torch.testing.assert_close(net(IDS, net.space.largest()), expected, atol=1e-5, rtol=1e-4)
    assert net.module.head.weight is net.module.embed.weight
    assert found["layers.0.q.heads"][0] > found["layers.0.q.heads"][1]
    first = kv.view(2, 2, 4, 16)[:, 0]  # columns have been sorted too
    assert torch.equal(first.sort(-1).values, second.sort(-1).values)


def test_by_norm_it_is_the_order_of_the_squares() -> None:
    model = two_layers()
    rows, columns = model[1].weight, model[3].weight
    expected = (rows.square().sum(1) + columns.square().sum(0)).sort(descending=True)
    net, other = (elastic(model, IMAGES, multiple=1) for _ in range(2))
    found = sort_by_importance(net)
    torch.testing.assert_close(found["1.width"], expected.values.double())
    assert torch.equal(sort_by_importance(other, "norm", noise())["1.width"], found["1.width"])
    assert torch.equal(net.module[1]._parameters["weight"], rows[expected.indices])
    assert torch.equal(net.module[1]._parameters["bias"], model[1].bias[expected.indices])
    assert torch.equal(net.module[3]._parameters["weight"], columns[:, expected.indices])


def test_by_taylor_it_is_the_square_of_gradient_times_weight() -> None:
    model, data = two_layers(), noise()
    net = elastic(model, IMAGES, multiple=1)
    found = sort_by_importance(net, "taylor", data, images=48, seed=3)
    twin, total = copy.deepcopy(model), torch.zeros(6, dtype=torch.float64)
    batch = next(data.train.stream(min(64, len(data.train)), seed=3))
    assert isinstance(batch.y, Tensor)
    F.cross_entropy(twin(batch.x), batch.y).backward()
    for layer, axis in ((twin[1], 0), (twin[3], 1)):
        total += (layer.weight.grad * layer.weight).square().transpose(0, axis).sum(1).double().detach()
    torch.testing.assert_close(found["1.width"], total.sort(descending=True).values)


def test_by_activation_it_is_the_order_of_what_layers_give() -> None:
    model, data = two_layers(), noise()
    net = elastic(model, IMAGES, multiple=1)
    sort_by_importance(net, "activation", data, images=48, seed=3)
    batch = next(data.train.stream(min(64, len(data.train)), seed=3))
    order = model[1](model[0](batch.x)).abs().mean(0).argsort(descending=True)
    assert torch.equal(net.module[1]._parameters["bias"], model[1].bias[order])


def test_pruned_by_norm_it_keeps_more_of_a_trained_net_than_without() -> None:
    """Neurons that do nothing stand in front: sorting brings them to the end."""
    model = two_layers()
    with torch.no_grad():
        for tensor in (model[1].weight, model[1].bias):
            tensor[:3] = 0
        model[3].weight[:, :3] = 0
    net = elastic(model, IMAGES, multiple=1).eval()
    half, expected = {"1.width": 3}, model(IMAGES)
    assert not torch.allclose(net(IMAGES, half), expected)
    sort_by_importance(net)
    torch.testing.assert_close(net(IMAGES, half), expected)


def test_what_is_refused() -> None:
    net = elastic(two_layers(), IMAGES, multiple=1)
    with pytest.raises(UsageError, match="The importance 'size' does not exist; use one of"):
        sort_by_importance(net, "size")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="The importance 'taylor' is measured on training images; give data="):
        sort_by_importance(net, "taylor")
    with pytest.raises(UsageError, match=r"no width that `supernet.elastic` made elastic"):
        sort_by_importance(zoo.nasbench201(channels=4, cells=1))
