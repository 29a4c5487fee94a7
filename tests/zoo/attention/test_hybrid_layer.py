"""NASViT's transformer layer against a loop over heads, queries and keys."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet import Choice, Supernet
from supernet.nn import ElasticLayerNorm, RelativeBias2d, ScalingBank
from supernet.nn.laws import LAWS, Law, output_is_dense
from supernet.zoo.attention.hybrid_layer import HybridLayer, Norm


def layer(norm: Norm = "joint") -> HybridLayer:
    made = HybridLayer(Choice("width", (8, 16)), Choice("depth", (2, 3)), Choice("side", (2, 3)), window=4, norm=norm)
    with torch.no_grad():
        for tensor in made.parameters():
            tensor.normal_(std=0.3)
        for bank in made.modules():
            if isinstance(bank, ScalingBank):
                bank.table.normal_()
    return made


@pytest.mark.parametrize(
    ("law", "norm"),
    [*((law, "joint") for law in LAWS), pytest.param(output_is_dense, "token", marks=pytest.mark.slow)],
)
def test_it_keeps_the_laws(law: Law, norm: Norm) -> None:
    torch.manual_seed(0)
    law(Supernet(layer(norm)), lambda arch: torch.randn(2, arch["width"], arch["side"], arch["side"]))


@pytest.mark.parametrize("norm", ["joint", "token"])
def test_it_computes_what_the_released_code_defines(norm: Norm) -> None:
    torch.manual_seed(0)
    made = layer(norm).double()
    net, x = Supernet(made), torch.randn(2, 8, 3, 3).double()
    found = net(x, {"width": 8, "depth": 3, "side": 3})
    tokens = x.flatten(2).transpose(1, 2)
    attention, parts = made.attend.body, made.attend.body.attend.parts
    assert isinstance(attention, nn.Module)

    def normed(branch: nn.Module, x: Tensor) -> Tensor:
        own = branch.norm if norm == "token" else branch.norm.norm  # type: ignore[union-attr]
        over = (8,) if norm == "token" else (9, 8)
        return F.layer_norm(x, over, own.weight[:8].expand(over), own.bias[:8].expand(over))  # type: ignore[union-attr, index, operator]

    def linear(of: nn.Linear, x: Tensor, rows: int, columns: int) -> Tensor:
        return x @ of.weight[:rows, :columns].T + of.bias[:rows]

    h = normed(made.attend, tokens)
    q, k = (linear(of, h, 8, 8) for of in (attention.query, attention.key))
    v = linear(attention.value, h, 32, 8)
    v = F.conv2d(v.transpose(1, 2).reshape(2, 32, 3, 3), attention.value_conv.weight[:32], padding=1, groups=32)
    v = v.flatten(2).transpose(1, 2)
    bias = parts["relative_bias"]
    assert isinstance(bias, RelativeBias2d)
    with net.active({"width": 8, "depth": 3, "side": 3}):
        logits = q @ k.transpose(1, 2) / 8**0.5 + bias()  # one head
    before, after = parts["mix_before"], parts["mix_after"]
    weights = (logits * before.weight[0, 0] + before.bias[0]).softmax(-1) * after.weight[0, 0] + after.bias[0]
    out = linear(attention.project, F.silu(weights @ v), 8, 32)
    tokens = tokens + out * made.attend.scale.table[:8, 3, 1] * 8 / 8
    for branch in made.mix:
        first, _, second = branch.body  # type: ignore[misc]
        out = linear(second, F.silu(linear(first, normed(branch, tokens), 8, 8)), 8, 8)
        tokens = tokens + out * branch.scale.table[:8, 3, 1] * 8 / 8
    torch.testing.assert_close(found, tokens.transpose(1, 2).reshape(2, 8, 3, 3))


def test_mlps_share_their_scales_and_attention_has_its_own() -> None:
    made = layer()
    banks = {id(branch.scale) for branch in made.mix}
    assert len(banks) == 1
    assert id(made.attend.scale) not in banks


def test_it_begins_close_to_its_input() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 16, 3, 3)
    assert 0 < (HybridLayer(16, 2, 3)(x) - x).abs().max() < 1e-3


def test_norms_are_those_that_were_asked_for() -> None:
    assert not any(isinstance(m, ElasticLayerNorm) for m in layer().modules())
    assert sum(isinstance(m, ElasticLayerNorm) for m in layer("token").modules()) == 3
