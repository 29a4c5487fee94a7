"""How much inputs and updates of shared layers change with the path, against computation by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from small_nets import images, operations_net
from supernet import OpChoice, Supernet
from supernet.errors import UsageError
from supernet.measure import feature_shift, parameter_shift, path_gradients
from supernet.nn.batch import Batch


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * x


def signs() -> Supernet:
    torch.manual_seed(0)
    options = {"same": Times(1.0), "twice": Times(2.0), "opposite": Times(-1.0)}
    return Supernet(nn.Sequential(nn.Linear(4, 4), OpChoice("sign", options), nn.Linear(4, 3)))


def test_the_shift_of_features_is_one_less_the_cosine_of_inputs() -> None:
    net = signs()
    batch = Batch(torch.randn(6, 4), torch.zeros(6, dtype=torch.int64))
    same, twice, opposite = (net.space.arch({"sign": option}) for option in ("same", "twice", "opposite"))
    found = feature_shift(net, [same, opposite], batch)
    assert found.layers == {"0": pytest.approx(0, abs=1e-6), "2": pytest.approx(2)}
    assert found.mean == pytest.approx(1)
    assert feature_shift(net, [same, twice], batch).layers["2"] == pytest.approx(0, abs=1e-6)
    three = feature_shift(net, [same, twice, opposite], batch)
    assert three.layers["2"] == pytest.approx((0 + 2 + 2) / 3)


def test_features_are_compared_image_by_image() -> None:
    net = operations_net().train()
    batch = next(images().train.batches(16, limit=16))
    archs = [net.space.arch({"block0": op, "block1": "conv3"}) for op in ("conv3", "skip")]
    x = net.module[:3](batch.x)
    block = net.module[3]
    a, b = (block.candidate(place)(x).flatten(1).detach() for place in (0, 2))
    found = feature_shift(net, archs, batch)
    assert found.layers["4.candidates.conv3.0"] == pytest.approx(
        float((1 - F.cosine_similarity(a, b)).mean()), rel=1e-4
    )
    assert "3.candidates.conv3.0" not in found.layers, "only one path runs it"


def test_the_shift_of_parameters_compares_consecutive_paths_on_their_own_examples() -> None:
    net = operations_net()
    stream = images().train.stream(16, seed=1)
    batches = [next(stream) for _ in range(3)]
    archs = [net.space.arch({"block0": "conv3", "block1": op}) for op in ("conv1", "skip", "conv1")]
    gradients = [path_gradients(net, [arch], batch)[0] for arch, batch in zip(archs, batches, strict=True)]
    found = parameter_shift(net, archs, batches)

    def cosine(i: int, j: int, layer: str) -> float:
        a, b = (torch.cat([gradients[k][f"{layer}.{what}"].flatten() for what in ("weight", "bias")]) for k in (i, j))
        return float(F.cosine_similarity(a, b, dim=0))

    assert found.layers["0"] == pytest.approx(1 - (cosine(0, 1, "0") + cosine(1, 2, "0")) / 2, rel=1e-4)
    assert "4.candidates.conv1.0" not in found.layers, "no two consecutive paths use it"
    assert found.mean == pytest.approx(sum(found.layers.values()) / len(found.layers))


def test_paths_that_share_no_layer_have_no_shift() -> None:
    net = Supernet(OpChoice("all", {"a": nn.Linear(4, 3), "b": nn.Linear(4, 3)}))
    batch = Batch(torch.randn(6, 4), torch.zeros(6, dtype=torch.int64))
    archs = [net.space.arch({"all": option}) for option in "ab"]
    assert feature_shift(net, archs, batch) == (None, {})
    assert parameter_shift(net, archs, [batch, batch]) == (None, {})


def test_too_few_paths_or_batches_are_refused() -> None:
    net = signs()
    batch = Batch(torch.randn(6, 4), torch.zeros(6, dtype=torch.int64))
    arch = net.space.smallest()
    with pytest.raises(UsageError, match="1 was given"):
        feature_shift(net, [arch], batch)
    with pytest.raises(UsageError, match="2 paths were given with 1 batches"):
        parameter_shift(net, [arch, arch], [batch])
