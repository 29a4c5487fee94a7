"""Attention against a loop over heads, its prefixes, its options, its costs and its exports."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from supernet import Choice, ElasticLinear, Supernet, measure
from supernet.deploy import export
from supernet.errors import UsageError
from supernet.nn import ElasticAttention, RelativeBias2d, RelativePositions2d
from supernet.nn.laws import LAWS, Law


def width() -> Choice:
    return Choice("width", (8, 12))


class Masked(nn.Module):
    """Each token attends itself and those before it."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, x: Tensor) -> Tensor:
        causal = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
        return cast(Tensor, self.attention(x, mask=causal))


class Crossing(nn.Module):
    """Attends a memory of another width."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        w, memory = width(), Choice("memory", (6, 10))
        self.memory = ElasticLinear(w, memory)
        self.attention = ElasticAttention(w, Choice("heads", (1, 3)), 4, memory=memory, **options)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.attention(x, self.memory(x[:, :3])))


def related(*, keys: bool = True, values: bool = True) -> ElasticAttention:
    """AutoFormer's, on a grid of 2 × 2 tokens and a class token."""
    heads, d = Choice("heads", (1, 2)), Choice("head_dim", (3, 5))
    return ElasticAttention(
        width(),
        heads,
        d,
        relative_keys=RelativePositions2d(2, d, clip=1) if keys else None,
        relative_values=RelativePositions2d(2, d) if values else None,
    )


def wide_values() -> ElasticAttention:
    """Values whose width varies by itself, so that the costs of keys and values are told apart."""
    e = Choice("value_dim", (4, 6))
    keys, values = RelativePositions2d(2, 3), RelativePositions2d(2, e)
    return ElasticAttention(width(), 2, 3, value_dim=e, relative_keys=keys, relative_values=values)


def nasvit() -> ElasticAttention:
    """NASViT's, on a grid of 2 × 2 tokens."""
    w = width()
    heads = w // 4
    return ElasticAttention(
        w,
        heads,
        4,
        value_dim=8,
        grid=2,
        value_kernel=3,
        talking=True,
        relative_bias=RelativeBias2d(2, heads, window=3),
        activation=nn.Hardswish(),
    )


def fixed_inner() -> ElasticAttention:
    """HAT's: more heads are narrower ones."""
    heads = Choice("heads", (2, 4))
    return ElasticAttention(width(), heads, 16 // heads, bias=False)


CASES: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "plain": (lambda: ElasticAttention(width(), Choice("heads", (1, 3)), Choice("head_dim", (2, 4))), 4),
    "three matrices": (lambda: ElasticAttention(width(), Choice("heads", (1, 3)), 4, fused=False), 4),
    "fixed inner width": (fixed_inner, 4),
    "relative": (related, 5),
    "relative keys": (lambda: related(values=False), 5),
    "relative values of a width of their own": (wide_values, 5),
    "nasvit": (nasvit, 4),
    "memory": (Crossing, 4),
    "masked": (lambda: Masked(ElasticAttention(width(), Choice("heads", (1, 2)), 4, masked=True)), 4),
    "masked with dropout": (
        lambda: Masked(ElasticAttention(width(), Choice("heads", (1, 2)), 4, masked=True, dropout=0.3)),
        4,
    ),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("case", CASES)
def test_attention_keeps_the_laws(case: str, law: Law) -> None:
    torch.manual_seed(0)
    build, tokens = CASES[case]
    law(Supernet(build()), lambda arch: torch.randn(2, tokens, arch["width"]))


def by_loops(x: Tensor, q: nn.Module, k: nn.Module, v: nn.Module, heads: int, rk: Tensor, rv: Tensor) -> Tensor:
    """Attention token by token: softmax over s of q_t · (k_s + rk_ts) / √d, of v_s + rv_ts."""
    queries, keys, values = (layer(x) for layer in (q, k, v))
    d = queries.shape[-1] // heads
    out = torch.zeros_like(queries)
    for b in range(len(x)):
        for h in range(heads):
            part = slice(h * d, (h + 1) * d)
            for t in range(x.shape[1]):
                logits = torch.stack(
                    [queries[b, t, part] @ (keys[b, s, part] + rk[t, s]) / math.sqrt(d) for s in range(x.shape[1])]
                )
                weights = logits.softmax(0)
                out[b, t, part] = sum(weights[s] * (values[b, s, part] + rv[t, s]) for s in range(x.shape[1]))
    return out


def split(fused: nn.Linear) -> list[nn.Linear]:
    """Queries, keys and values of a layer whose rows are interleaved."""
    made = []
    for part in range(3):
        layer = nn.Linear(fused.in_features, fused.out_features // 3)
        with torch.no_grad():
            layer.weight.copy_(fused.weight[part::3])
            layer.bias.copy_(fused.bias[part::3])
        made.append(layer)
    return made


@pytest.mark.parametrize(("keys", "values"), [(False, False), (True, False), (True, True)])
def test_it_computes_the_formula(keys: bool, values: bool) -> None:
    torch.manual_seed(0)
    module = related(keys=keys, values=values)
    with torch.no_grad():
        for name, table in module.named_parameters():
            if "relative" in name:
                table.normal_()
    net, x = Supernet(module).eval(), torch.randn(2, 5, 8)
    arch = net.space.arch({"width": 8, "heads": 2, "head_dim": 3})
    with net.active(arch), torch.no_grad():
        q, k, v = split(cast(nn.Linear, module.qkv.plain()))
        rk, rv = torch.zeros(5, 5, 3), torch.zeros(5, 5, 3)
        if keys:
            rk = module.attend.parts["relative_keys"]()
        if values:
            rv = module.attend.parts["relative_values"]()
        expected = module.project(by_loops(x, q, k, v, 2, rk, rv))
        torch.testing.assert_close(module(x), expected)


def test_queries_keys_and_values_of_fewer_heads_are_prefixes() -> None:
    module = ElasticAttention(8, Choice("heads", (1, 3)), 4)
    net = Supernet(module)
    whole, part = (split(cast(nn.Linear, net.extract({"heads": h}).qkv)) for h in (3, 1))  # type: ignore[arg-type]
    for large, small in zip(whole, part, strict=True):
        assert torch.equal(large.weight[:4], small.weight)
        assert torch.equal(large.bias[:4], small.bias)


def test_talking_heads_mix_before_and_after_the_softmax() -> None:
    torch.manual_seed(0)
    module = ElasticAttention(8, 2, Choice("head_dim", (4, 6)), talking=True)
    net, x = Supernet(module).eval(), torch.randn(3, 5, 8)
    before, after = module.attend.parts["mix_before"], module.attend.parts["mix_after"]
    with net.active({"head_dim": 4}), torch.no_grad():
        q, k, v = (layer(x).view(3, 5, 2, 4) for layer in split(cast(nn.Linear, module.qkv.plain())))
        logits = torch.einsum("bthd,bshd->btsh", q, k) / 2
        weights = after(before(logits).softmax(2))
        expected = module.project(torch.einsum("btsh,bshd->bthd", weights, v).flatten(2))
        torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize("dropout", [0.0, 0.5])  # fused and by weights
def test_a_scale_replaces_the_root(dropout: float) -> None:
    torch.manual_seed(0)
    module = ElasticAttention(8, Choice("heads", (1, 2)), 4, scale=1.0, dropout=dropout)
    net, x = Supernet(module).eval(), torch.randn(2, 5, 8)
    plain: Any = net.extract({"heads": 2})  # type: ignore[arg-type]
    q, k, v = split(plain.qkv)
    with torch.no_grad():
        q.weight.mul_(2)
        q.bias.mul_(2)  # 2 / √4 = 1
        expected = plain.project(by_loops(x, q, k, v, 2, none := torch.zeros(5, 5, 4), none))
        torch.testing.assert_close(net(x, {"heads": 2}), expected)
        torch.testing.assert_close(plain(x), expected)


def test_a_bias_is_added_to_relative_keys() -> None:
    torch.manual_seed(0)
    heads = Choice("heads", (1, 2))
    keys, bias = RelativePositions2d(2, 4, class_token=False), RelativeBias2d(2, heads)
    both, alone = (ElasticAttention(8, heads, 4, relative_keys=keys, relative_bias=b) for b in (bias, None))
    alone.load_state_dict(both.state_dict(), strict=False)
    x = torch.randn(2, 4, 8)
    with torch.no_grad():
        bias.table.fill_(3.0)
        torch.testing.assert_close(Supernet(both)(x, {"heads": 2}), Supernet(alone)(x, {"heads": 2}))
        bias.table.normal_(std=3.0)
        assert (Supernet(both)(x, {"heads": 2}) - Supernet(alone)(x, {"heads": 2})).abs().max() > 0.01


def test_an_activation_stands_before_the_projection_and_a_bias_may_be_left_out() -> None:
    module = ElasticAttention(8, Choice("heads", (1, 2)), 4, bias=False, activation=nn.Hardsigmoid())
    module.project.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    seen: list[Tensor] = []
    Supernet(module)(torch.randn(2, 3, 8), {"heads": 2})
    assert (seen[0] > 0).all()
    for fused in (True, False):
        biases = [name for name, _ in ElasticAttention(8, 2, 4, bias=False, fused=fused).named_parameters()]
        assert [name for name in biases if name.endswith("bias")] == ["project.bias"]


def test_weights_drop_after_the_heads_have_talked() -> None:
    module, order = ElasticAttention(8, Choice("heads", (1, 2)), 4, talking=True, dropout=0.5), []
    for name, part in module.attend.parts.items():
        part.register_forward_hook(lambda *_, name=name: order.append(name))
    Supernet(module)(torch.randn(2, 3, 8), {"heads": 2})
    assert order == ["mix_before", "mix_after", "dropout"]


def test_values_pass_a_depthwise_convolution_as_an_image() -> None:
    torch.manual_seed(0)
    module = ElasticAttention(8, 2, Choice("head_dim", (2, 4)), value_dim=3, grid=2, value_kernel=3)
    net, x = Supernet(module).eval(), torch.randn(2, 6, 8)
    seen: list[Tensor] = []
    module.attend.register_forward_pre_hook(lambda _, given: seen.append(given[2]))
    assert module.value_conv is not None
    with net.active({"head_dim": 2}), torch.no_grad():
        module(x)
        image = module.value(x).view(2, 3, 2, 6).permute(0, 3, 1, 2)  # rows of two tokens
        torch.testing.assert_close(seen[0].view(2, 3, 2, 6).permute(0, 3, 1, 2), module.value_conv(image))


def test_a_mask_hides_tokens() -> None:
    torch.manual_seed(0)
    heads = Choice("heads", (1, 2))
    options: list[dict[str, Any]] = [{}, {"dropout": 0.5}, {"relative_bias": RelativeBias2d(2, heads)}]
    for chosen in options:  # fused, by weights, and fused with a bias
        net = Supernet(Masked(ElasticAttention(8, heads, 4, masked=True, **chosen))).eval()
        x = torch.randn(1, 4, 8)
        changed = x.clone()
        changed[:, 3:] += 1
        first, second = (net(images, {"heads": 2}) for images in (x, changed))
        torch.testing.assert_close(first[:, :3], second[:, :3])
        assert (first[:, 3:] - second[:, 3:]).abs().max() > 0.01


def test_the_setting_slice_reaches_every_row() -> None:
    """A suffix of the fused layer is a suffix of queries, keys and values, and what they make fits the projection."""
    torch.manual_seed(0)
    module = ElasticAttention(8, Choice("heads", (1, 3)), 4)
    net, x = Supernet(module).eval(), torch.randn(2, 5, 8)
    whole = split(cast(nn.Linear, net.extract({"heads": 3}).qkv))  # type: ignore[arg-type]
    for place, rows in ((0.0, range(4)), (-1.0, range(8, 12)), (0.3, range(3, 7)), (0.75, (9, 10, 11, 0))):
        chosen = torch.tensor(tuple(rows))
        for layer in (q_k_v := [nn.Linear(8, 4) for _ in range(3)]):
            full = whole[q_k_v.index(layer)]
            layer.weight, layer.bias = nn.Parameter(full.weight[chosen]), nn.Parameter(full.bias[chosen])
        none = torch.zeros(5, 5, 4)
        with net.active({"heads": 1}, settings={"slice": place}), torch.no_grad():
            attended = by_loops(x, *q_k_v, 1, none, none)
            expected = nn.functional.linear(attended, module.project.weight[:, chosen], module.project.bias)
            torch.testing.assert_close(module(x), expected)


def macs_by_formula(arch: Any, *, tokens: int, relative: bool) -> int:
    c, inner = arch["width"], arch["heads"] * arch["head_dim"]
    products = tokens**2 * inner * (4 if relative else 2)
    return tokens * (3 * c * inner + inner * c) + products


@pytest.mark.parametrize("relative", [False, True])
def test_macs_count_the_products_of_tokens(relative: bool) -> None:
    net = Supernet(related(keys=relative, values=relative), input_shape=(5, 12))
    costs = measure.CostModel(Supernet(Entry(net.module)), (5, 12))
    assert not costs.blind
    for arch in costs.space.enumerate():
        expected = macs_by_formula(arch, tokens=5, relative=relative) + 5 * 12 * arch["width"]
        assert costs.macs(arch) == expected


class Entry(nn.Module):
    """Tokens of the width 12 to the elastic width, and attention."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        first = next(layer for layer in attention.modules() if isinstance(layer, ElasticLinear))
        self.entry, self.attention = ElasticLinear(12, first.width_in), attention

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.attention(self.entry(x)))


@pytest.mark.parametrize("case", CASES)
def test_costs_are_the_counted_ones(case: str) -> None:
    build, tokens = CASES[case]
    net = Supernet(Entry(build()))
    costs = measure.CostModel(net, (tokens, 12))
    assert not costs.blind
    for arch in net.space.enumerate():
        subnet = net.extract(arch)
        assert costs.macs(arch) == measure.count_macs(subnet, (tokens, 12))
        assert costs.params(arch) == sum(p.numel() for p in subnet.parameters())


@pytest.mark.parametrize("case", ["relative", "nasvit", "masked"])
def test_subnets_are_exported_for_any_number_of_images(case: str, tmp_path: Path) -> None:
    build, tokens = CASES[case]
    net = Supernet(Entry(build())).eval()
    done = export(net, net.space.smallest(), tmp_path / "net.pt2", input_shape=(tokens, 12))
    program = torch.export.load(done.files[0]).module()
    for batch in (1, 3):
        x = torch.randn(batch, tokens, 12)
        torch.testing.assert_close(program(x), net(x, net.space.smallest()))


def test_sizes_and_inputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="leave fused out"):
        ElasticAttention(8, 2, 4, memory=6, fused=True)
    with pytest.raises(UsageError, match="grid="):
        ElasticAttention(8, 2, 4, value_kernel=3)
    with pytest.raises(UsageError, match="number of heads"):
        ElasticAttention(8, Choice("heads", (0, 2)), 4)
    x, heads = torch.randn(1, 3, 8), Choice("heads", (1, 2))
    with pytest.raises(UsageError, match="was given a memory"):
        Supernet(ElasticAttention(8, heads, 4))(x, x, {"heads": 1})
    with pytest.raises(UsageError, match="was given no memory"):
        Supernet(ElasticAttention(8, heads, 4, memory=8))(x, {"heads": 1})
    masked = ElasticAttention(8, heads, 4, masked=True)
    with pytest.raises(UsageError, match="was given no mask"):
        Supernet(masked)(x, {"heads": 1})
    with pytest.raises(UsageError, match=r"a mask of torch\.float32"):
        Supernet(masked)(x, mask=torch.zeros(3, 3), target={"heads": 1})


def test_more_heads_compute_something_else() -> None:
    torch.manual_seed(0)
    net, x = Supernet(ElasticAttention(8, Choice("heads", (1, 2, 3)), 4)).eval(), torch.randn(1, 3, 8)
    outputs = [net(x, arch) for arch in net.space.enumerate()]
    assert all((one - other).abs().max() > 1e-3 for one, other in pairwise(outputs))
