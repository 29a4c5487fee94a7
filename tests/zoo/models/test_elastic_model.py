"""A model of another library as a space by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import cut_model
from supernet import zoo
from supernet.errors import UsageError
from supernet.pretrained.models import load_model


def test_the_largest_subnet_is_the_model(tmp_path: Path) -> None:
    file = cut_model.saved(tmp_path)
    net = zoo.elastic_model(model="cut_model:build", weights=str(file), input_shape=(1, 8, 8), sort="none").eval()
    x = torch.randn(3, 1, 8, 8)
    assert torch.equal(net(x, net.space.largest()), load_model("cut_model:build", weights=file)(x))


def test_it_is_sorted_by_norm_and_computes_the_same(tmp_path: Path) -> None:
    file = str(cut_model.saved(tmp_path))
    net = zoo.elastic_model(model="cut_model:build", weights=file, input_shape=(1, 8, 8)).eval()
    plain = zoo.elastic_model(model="cut_model:build", weights=file, input_shape=(1, 8, 8), sort="none").eval()
    x = torch.randn(3, 1, 8, 8)
    torch.testing.assert_close(net(x, net.space.largest()), plain(x, plain.space.largest()), rtol=1e-4, atol=1e-4)
    name = "module.3.0.into.weight"
    assert not torch.equal(net.get_parameter(name), plain.get_parameter(name))


def test_the_same_names_give_the_same_space() -> None:
    spaces = [
        zoo.elastic_model(model="torchvision.models:resnet18", input_shape=(3, 32, 32), num_classes=4).space
        for _ in range(2)
    ]
    assert spaces[0].fingerprint == spaces[1].fingerprint


def test_another_order_is_refused() -> None:
    with pytest.raises(UsageError, match="'norm'"):
        zoo.elastic_model(model="cut_model:build", input_shape=(1, 8, 8), sort="taylor")  # type: ignore[arg-type]
