"""HAT against its README, a formula, the transformer written down again, and the laws."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet import Arch, Supernet, deploy, measure, zoo
from supernet.data import text_pairs
from supernet.errors import UsageError
from supernet.measure.latency.blocks import blocks_of
from supernet.nn import ElasticDropout, Field, Inputs
from supernet.nn.laws import LAWS, Law
from supernet.zoo.attention.hat_published import PUBLISHED

# README of mit-han-lab/hardware-aware-transformers: parameters in millions and FLOPs in thousand millions, without
# embeddings and output layer, of a sentence of 30 tokens (IWSLT: 23) a side.
README = {
    "wmt14ende_raspberrypi": (
        ("3.5s", 25.22, 1.53), ("4.0s", 29.42, 1.78), ("4.5s", 35.72, 2.19), ("5.0s", 36.77, 2.26),
        ("6.0s", 44.13, 2.70), ("6.9s", 48.33, 3.02),
    ),
    "wmt14ende_xeon": (
        ("137.9ms", 30.47, 1.87), ("204.2ms", 35.72, 2.19), ("278.7ms", 40.97, 2.54), ("340.2ms", 46.23, 2.86),
        ("369.6ms", 51.48, 3.21), ("450.9ms", 56.73, 3.53),
    ),
    "wmt14ende_titanxp": (
        ("57.1ms", 30.47, 1.87), ("91.2ms", 35.72, 2.19), ("126.0ms", 40.97, 2.54), ("146.7ms", 51.20, 3.17),
        ("208.1ms", 49.38, 3.09),
    ),
    "wmt14enfr_raspberrypi": (
        ("4.3s", 25.22, 1.53), ("5.3s", 35.72, 2.23), ("5.8s", 36.77, 2.26), ("6.9s", 44.13, 2.70),
        ("7.8s", 49.38, 3.09), ("9.1s", 56.73, 3.57),
    ),
    "wmt14enfr_xeon": (
        ("154.7ms", 30.47, 1.84), ("208.8ms", 35.72, 2.23), ("329.4ms", 44.13, 2.70), ("394.5ms", 51.48, 3.28),
        ("442.0ms", 56.73, 3.57),
    ),
    "wmt14enfr_titanxp": (
        ("69.3ms", 30.47, 1.84), ("94.9ms", 35.72, 2.23), ("132.9ms", 40.97, 2.51), ("168.3ms", 46.23, 2.90),
        ("208.3ms", 51.48, 3.25),
    ),
    "wmt19ende_titanxp": (
        ("55.7ms", 36.89, 2.27), ("93.2ms", 42.28, 2.63), ("134.5ms", 40.97, 2.54), ("176.1ms", 46.23, 2.86),
        ("204.5ms", 51.48, 3.18), ("237.8ms", 56.73, 3.53),
    ),
    "iwslt14deen_titanxp": (
        ("45.6ms", 16.82, 0.78), ("74.5ms", 19.98, 0.93), ("109.0ms", 23.13, 1.13), ("137.8ms", 27.33, 1.32),
        ("168.8ms", 31.54, 1.52),
    ),
}  # fmt: skip
GOLDEN = {f"{where}@{when}": costs for where, rows in README.items() for when, *costs in rows}
V = 40
LENGTH = 7
SMALL: dict[str, Any] = {
    "variant": "tiny",
    "num_classes": V,
    "encoder_widths": (8, 12),
    "decoder_widths": (8, 12),
    "ffn": (6, 10),
    "heads": (2, 4),
    "encoder_layers": 3,
    "depths": (1, 2),
    "qkv_width": 8,
    "length": LENGTH,
    "dropout": 0.0,
}


@cache
def published_net(task: str) -> Supernet:
    """A published space, without numbers in its weights."""
    with torch.device("meta"):
        return zoo.hat(variant="iwslt" if task.startswith("iwslt") else "wmt", num_classes=V)


def small(**options: Any) -> Supernet:
    torch.manual_seed(0)
    return zoo.hat(**{**SMALL, **options})


def archs_of(net: Supernet, n: int) -> list[Arch]:
    drawn = net.space.wrap(net.space.population(np.random.default_rng(0), n))
    return [net.space.smallest(), net.space.largest(), *drawn]


def inputs(batch: int = 3) -> dict[str, Tensor]:
    ids = torch.randint(V, (2, batch, LENGTH), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(LENGTH) < torch.tensor([4, 7, 2])[:batch, None]).long()
    return {"input_ids": ids[0], "attention_mask": mask, "decoder_input_ids": ids[1]}


def params_of(arch: Arch) -> int:
    """The released count: every layer, without embeddings and output (a formula of its own, q = 512)."""
    q, e, d = 512, arch["encoder.width"], arch["decoder.width"]

    def attention(c: int, m: int) -> int:
        return q * c + 2 * q * m + 3 * q + q * c + c

    def feed(c: int, f: int) -> int:
        return 2 * c * f + f + c

    total = sum(attention(e, e) + feed(e, arch[f"encoder.layer{n}.ffn"]) + 4 * e for n in range(1, 7))
    for n in range(1, arch["decoder.depth"] + 1):
        total += attention(d, d) + attention(d, e) + feed(d, arch[f"decoder.layer{n}.ffn"]) + 6 * d
    return total


def macs_of(arch: Arch, tokens: int, *, q: int = 512, layers: int = 6) -> int:
    """Linear layers and products of attention for `tokens` a side; no embeddings, no output."""
    e, d = arch["encoder.width"], arch["decoder.width"]
    total = 0
    for n in range(1, layers + 1):
        total += tokens * (4 * q * e + 2 * e * arch[f"encoder.layer{n}.ffn"]) + 2 * q * tokens**2
    for n in range(1, arch["decoder.depth"] + 1):
        keys = tokens * arch[f"decoder.layer{n}.attended"]
        total += tokens * (4 * q * d + 2 * d * arch[f"decoder.layer{n}.ffn"]) + 2 * q * tokens**2
        total += tokens * 2 * q * d + keys * 2 * q * e + 2 * q * tokens * keys
    return total


@pytest.mark.slow
def test_every_published_network_has_the_parameters_and_flops_of_the_readme() -> None:
    assert GOLDEN.keys() == PUBLISHED.keys()
    for name, (params, flops) in GOLDEN.items():
        net = published_net(name)
        arch = zoo.hat_arch(net.space, name)
        tables = V * sum(widths(net, arch))
        assert measure.params(net, arch) - tables == params_of(arch)
        assert params_of(arch) / 1e6 == pytest.approx(params, abs=0.005 + 1e-9), name
        told = 2 * macs_of(arch, 23 if name.startswith("iwslt") else 30) / 1e9
        assert told == pytest.approx(flops, abs=0.005 + 0.002), name  # the authors' counter sees norms too
    unequal = zoo.hat_arch(published_net("wmt").space, "wmt19ende_titanxp@55.7ms")
    assert (unequal["encoder.width"], unequal["decoder.width"], params_of(unequal)) == (640, 512, 36_892_672)


def widths(net: Supernet, arch: Arch) -> list[int]:
    """Widths of the tables of vectors that a subnet has: those that are the same slice of one are one."""
    e, d = arch["encoder.width"], arch["decoder.width"]
    shared = net.module.head.weight is net.module.source.tokens.weight  # type: ignore[union-attr]
    return sorted({e, d}) if shared else [e, d, d]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wmt14ende_titanxp@57.1ms", "iwslt14deen_titanxp@168.8ms"])
def test_macs_of_published_networks_are_those_of_the_formula(name: str) -> None:
    net, tokens = published_net(name.split("_")[0]), 23 if name.startswith("iwslt") else 30
    arch = zoo.hat_arch(net.space, name)
    assert measure.macs(net, arch) == macs_of(arch, tokens) + tokens * V * arch["decoder.width"]


@pytest.mark.slow
def test_costs_without_building_are_the_counted_ones() -> None:
    net = small()
    shape = Inputs(tuple(Field(name, (LENGTH,), "int64") for name in inputs()))
    for arch in archs_of(net, 8):
        subnet = net.extract(arch)
        macs = macs_of(arch, LENGTH, q=8, layers=3) + LENGTH * V * arch["decoder.width"]
        assert measure.macs(net, arch, input_shape=shape) == measure.count_macs(subnet, shape) == macs
        assert measure.params(net, arch) == measure.count_params(subnet)
    assert measure.cost_model(net, shape).blind == ()


def test_the_spaces_are_as_large_as_published() -> None:
    def size(ffn: int, heads: int) -> int:
        decoder = sum((ffn * heads * heads * 3) ** depth for depth in range(1, 7))
        return 2 * (ffn * heads) ** 6 * 2 * decoder

    assert published_net("wmt").space.size == published_net("iwslt").space.size == size(3, 2)
    assert published_net("wmt").space.size == pytest.approx(4.18e14, rel=0.01)  # "10¹⁵" in the paper


@pytest.mark.parametrize(
    ("task", "tables", "tokens", "ffn", "heads"),
    [("wmt", 1, 30, (1024, 2048, 3072), (4, 8)), ("iwslt", 3, 23, (512, 1024, 2048), (2, 4))],
)
def test_the_two_tasks_differ_in_tables_tokens_and_options(
    task: str, tables: int, tokens: int, ffn: tuple[int, ...], heads: tuple[int, ...]
) -> None:
    net = published_net(task)
    module: Any = net.module
    vectors = (module.source.tokens.weight, module.target.tokens.weight, module.head.weight)
    assert len({*map(id, vectors)}) == tables
    assert {field.shape for field in net.input_shape.fields} == {(tokens,)}  # type: ignore[union-attr]
    options = {choice.name.rpartition(".")[2]: choice.options for choice in net.space.choices}
    expected = {"ffn": ffn, "heads": heads, "cross_heads": heads, "attended": (1, 2, 3), "width": (512, 640)}
    assert options == {**expected, "depth": (1, 2, 3, 4, 5, 6)}


def test_parameters_depend_on_neither_heads_nor_attended_layers() -> None:
    net = published_net("wmt")
    largest = net.space.largest()
    few = {name: net.space.choices[net.space.column(name)].options[0] for name in net.space.names if _free(name)}
    assert len(few) == 6 + 6 * 3
    changed = net.space.arch({**largest.options(), **few})
    assert measure.params(net, changed) == measure.params(net, largest)
    assert macs_of(changed, 30) < macs_of(largest, 30)


def _free(name: str) -> bool:
    return name.endswith(("heads", "attended"))


def test_choices_of_layers_beyond_the_depth_do_not_count() -> None:
    net = small()
    deep = net.space.largest().options()
    one = net.space.arch({**deep, "decoder.depth": 1})
    assert one == net.space.arch({**deep, "decoder.depth": 1, "decoder.layer2.attended": 1, "decoder.layer2.ffn": 6})
    assert [one[f"decoder.layer{n}.attended"] for n in (1, 2)] == [3, None]


# -- the transformer written down again ------------------------------------------------------------------------------


def reference(net: Supernet, arch: Arch, x: dict[str, Tensor], *, norm_first: bool) -> Tensor:
    """A subnet by plain functions on slices of the supernet's weights."""
    module: Any = net.module
    e, d = arch["encoder.width"], arch["decoder.width"]

    def norm(layer: Any, y: Tensor) -> Tensor:
        c = y.shape[-1]
        return F.layer_norm(y, (c,), layer.weight[:c], layer.bias[:c])

    def around(sub: Any, y: Tensor, inner: Callable[[Tensor], Tensor]) -> Tensor:
        return y + inner(norm(sub.norm, y)) if norm_first else norm(sub.norm, y + inner(y))

    def attend(layer: Any, y: Tensor, memory: Tensor, mask: Tensor, heads: int) -> Tensor:
        c, m = y.shape[-1], memory.shape[-1]
        if layer.fused:
            parts = [(layer.qkv.weight[j::3], layer.qkv.bias[j::3]) for j in range(3)]
        else:
            parts = [(one.weight, one.bias) for one in (layer.query, layer.key, layer.value)]
        q, k, v = (
            F.linear(z, weight[:, :size], bias).unflatten(-1, (heads, -1)).transpose(1, 2)
            for z, size, (weight, bias) in zip((y, memory, memory), (c, m, m), parts, strict=True)
        )
        logits = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).masked_fill(~mask, -torch.inf)
        out = (logits.softmax(-1) @ v).transpose(1, 2).flatten(2)
        return F.linear(out, layer.project.weight[:c], layer.project.bias[:c])

    def feed(layers: Any, y: Tensor, hidden: int) -> Tensor:
        c = y.shape[-1]
        inside = F.relu(F.linear(y, layers[0].weight[:hidden, :c], layers[0].bias[:hidden]))
        return F.linear(inside, layers[2].weight[:c, :hidden], layers[2].bias[:c])

    def embedded(part: Any, ids: Tensor, c: int) -> Tensor:
        full = part.tokens.weight.shape[1]
        places = [
            [function(t * 10000 ** (-i / (full // 2 - 1))) for function in (np.sin, np.cos) for i in range(full // 2)]
            for t in range(ids.shape[1])
        ]
        return part.tokens.weight[ids, :c] * c**0.5 + torch.tensor(np.array(places), dtype=torch.float32)[:, :c]

    seen = x["attention_mask"].bool()[:, None, None]
    y, outputs = embedded(module.source, x["input_ids"], e), []
    for n, layer in enumerate(module.encoder, start=1):
        heads, hidden = arch[f"encoder.layer{n}.heads"], arch[f"encoder.layer{n}.ffn"]
        y = around(layer.attend, y, lambda z, a=layer.attend, h=heads: attend(a.inner, z, z, seen, h))
        y = around(layer.feed, y, lambda z, f=layer.feed, h=hidden: feed(f.inner, z, h))
        outputs.append(y)
    if norm_first:
        outputs[-1] = norm(module.encoder_norm, outputs[-1])
    y = embedded(module.target, x["decoder_input_ids"], d)
    causal = torch.ones(y.shape[1], y.shape[1], dtype=torch.bool).tril()
    for n in range(1, arch["decoder.depth"] + 1):
        layer, count = module.decoder[n - 1], arch[f"decoder.layer{n}.attended"]
        memory, visible = torch.cat(outputs[-count:], 1), torch.cat([seen] * count, -1)  # attention knows no order
        own, cross = arch[f"decoder.layer{n}.heads"], arch[f"decoder.layer{n}.cross_heads"]
        hidden = arch[f"decoder.layer{n}.ffn"]
        y = around(layer.attend, y, lambda z, a=layer.attend, h=own: attend(a.inner, z, z, causal, h))
        y = around(layer.look, y, lambda z, a=layer, m=memory, v=visible, h=cross: attend(a.cross, z, m, v, h))
        y = around(layer.feed, y, lambda z, f=layer.feed, h=hidden: feed(f.inner, z, h))
    if norm_first:
        y = norm(module.decoder_norm, y)
    return F.linear(y, module.head.weight[:, :d])


@pytest.mark.parametrize("norm_first", [False, True])
def test_subnets_are_the_transformers_of_the_paper(norm_first: bool) -> None:
    net = small(norm_first=norm_first).eval()
    with torch.no_grad():
        for parameter in net.parameters():  # norms and biases that do something
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)) * 0.2)
    x = inputs()
    outputs = []
    for arch in archs_of(net, 6):
        with torch.no_grad():
            found = net(x, arch)
            torch.testing.assert_close(found, reference(net, arch, x, norm_first=norm_first), rtol=1e-4, atol=1e-5)
        outputs.append(found)
    assert all(not torch.allclose(outputs[0], other, atol=1e-2) for other in outputs[1:])


def test_neither_later_words_nor_padding_are_seen() -> None:
    net, x = small().eval(), inputs()
    later, padded = x["decoder_input_ids"].clone(), x["input_ids"].clone()
    later[:, 4:] = 5
    padded[0, 4:] = 5
    with torch.no_grad():
        before = net(x, net.space.largest())
        after = net({**x, "decoder_input_ids": later, "input_ids": padded}, net.space.largest())
    assert torch.allclose(before[:, :4], after[:, :4], atol=1e-6)
    assert not torch.allclose(before[:, 4:], after[:, 4:], atol=1e-3)


def test_every_attended_layer_is_seen_and_no_other() -> None:
    net = small(depths=(1,)).eval()
    seen: list[Tensor] = []
    cross: Any = net.module.decoder[0].cross  # type: ignore[union-attr,index]
    cross.register_forward_hook(lambda _, given, __: seen.append(given[1]))
    for count in (1, 2, 3):
        with torch.no_grad():
            net(inputs(), net.space.arch({**net.space.largest().options(), "decoder.layer1.attended": count}))
        assert seen[-1].shape == (3, count * LENGTH, 12)
        assert len({tuple(part.flatten().tolist()) for part in seen[-1].chunk(count, 1)}) == count
    assert torch.equal(seen[2][:, :LENGTH], seen[0])  # the last layer comes first


# -- laws, weights ---------------------------------------------------------------------------------------------------


class Packed(nn.Module):
    """The three inputs as one tensor (B, 3, T), as the laws give it."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.inner(x[:, 0], x[:, 1], x[:, 2])
        return found


FEW: dict[str, Any] = {"encoder_layers": 2, "attended": (1, 2)}
LAWFUL: dict[str, dict[str, Any]] = {
    "shared": FEW,
    "apart, norms first, learned positions": {
        **FEW,
        "share_embeddings": False,
        "norm_first": True,
        "learned_positions": True,
        "attention_dropout": 0.1,
    },
    "no choice of attended layers": {**FEW, "attended": (2,), "depths": (2,), "heads": (2,)},
}
CASES = [pytest.param(case, marks=() if case == "shared" else pytest.mark.slow) for case in LAWFUL]


@pytest.mark.parametrize("law", [law for law in LAWS if law.__name__ != "training_commutes"])
@pytest.mark.parametrize("case", CASES)
def test_networks_keep_the_laws(case: str, law: Law) -> None:
    net = small(**LAWFUL[case])
    x = torch.stack(list(inputs().values()), 1)
    law(Supernet(Packed(net.module)), lambda arch: x)


@pytest.mark.slow
def test_a_step_on_the_supernet_is_a_step_on_the_subnet() -> None:
    """`training_commutes`, where widths are equal: of unequal ones the subnet's tables are no longer one."""
    commutes = next(law for law in LAWS if law.__name__ == "training_commutes")
    x = torch.stack(list(inputs().values()), 1)
    one: tuple[dict[str, Any], ...] = (
        {"encoder_widths": (12,), "decoder_widths": (12,)},
        {"share_embeddings": False},
    )
    for options in one:
        commutes(Supernet(Packed(small(**FEW, **options).module)), lambda arch: x)


def test_tables_of_vectors_are_one_where_they_are_shared() -> None:
    net = small()
    module: Any = net.module
    assert module.source.tokens.weight is module.target.tokens.weight is module.head.weight
    for e, d, count in ((12, 12, 1), (8, 12, 2)):
        arch = net.space.arch({**net.space.largest().options(), "encoder.width": e, "decoder.width": d})
        tables = [p for p in net.extract(arch).parameters() if p.shape[0] == V]
        assert sorted(p.shape[1] for p in tables) == sorted({e, d})
        assert len(tables) == count
    apart: Any = small(share_embeddings=False).module
    assert len({id(apart.source.tokens.weight), id(apart.target.tokens.weight), id(apart.head.weight)}) == 3


def test_weights_start_as_in_the_released_code() -> None:
    torch.manual_seed(0)
    module: Any = zoo.hat(variant="tiny", num_classes=500).module
    assert module.head.weight.std().item() == pytest.approx(128**-0.5, rel=0.02)
    layer = module.decoder[0]
    assert layer.feed.inner[0].weight.abs().max().item() == pytest.approx((6 / (128 + 512)) ** 0.5, rel=0.01)
    fused = (6 / (128 + 3 * 128)) ** 0.5
    for weight in (layer.attend.inner.qkv.weight, layer.cross.query.weight, layer.cross.value.weight):
        assert weight.abs().max().item() == pytest.approx(fused, rel=0.01)
    assert not any(m.bias.any() for m in module.modules() if isinstance(m, nn.Linear) and m.bias is not None)


def test_dropout_follows_the_width_but_behind_the_attention_of_the_encoder() -> None:
    net = small(dropout=0.3, attention_dropout=0.1)
    narrow = net.space.arch({**net.space.largest().options(), "encoder.width": 8})
    found: Any = net.extract(narrow)
    assert found.source.dropout.p == pytest.approx(0.3 * 8 / 12)
    assert found.target.dropout.p == 0.3
    assert getattr(found.encoder, "0").attend.dropout.p == 0.3
    assert getattr(found.encoder, "0").feed.dropout.p == pytest.approx(0.2)
    ours = [m for m in net.modules() if isinstance(m, ElasticDropout)]
    assert len(ours) == 2 + 3 + 2 * 3
    wmt, iwslt = (
        {m.p for m in published_net(task).modules() if isinstance(m, ElasticDropout)} for task in ("wmt", "iwslt")
    )
    assert (wmt, iwslt) == ({0.3}, {0.375})
    weights = {
        task: sorted(
            m.parts["dropout"].p for m in published_net(task).modules() if "dropout" in getattr(m, "parts", ())
        )
        for task in ("wmt", "iwslt")
    }
    assert weights == {"wmt": [0.1] * 18, "iwslt": []}, "three attentions of six layers"


# -- configurations, sentences ---------------------------------------------------------------------------------------

CONFIG = {  # what HAT_wmt14ende_titanxp@208.1ms_bleu@28.5.yml holds
    "encoder-embed-dim-subtransformer": 512,
    "decoder-embed-dim-subtransformer": 512,
    "encoder-ffn-embed-dim-all-subtransformer": [3072, 3072, 3072, 3072, 3072, 3072],
    "decoder-ffn-embed-dim-all-subtransformer": [2048, 2048, 3072, 3072, 3072],
    "encoder-layer-num-subtransformer": 6,
    "decoder-layer-num-subtransformer": 5,
    "encoder-self-attention-heads-all-subtransformer": [8, 4, 8, 8, 8, 4],
    "decoder-self-attention-heads-all-subtransformer": [8, 8, 8, 4, 8],
    "decoder-ende-attention-heads-all-subtransformer": [4, 8, 8, 8, 8],
    "decoder-arbitrary-ende-attn-all-subtransformer": [-1, 1, 1, 1, -1],
}


def test_configurations_of_the_released_code_are_read_and_written() -> None:
    space = published_net("wmt").space
    arch = zoo.hat_arch(space, CONFIG)
    assert arch == zoo.hat_arch(space, "wmt14ende_titanxp@208.1ms")
    assert zoo.hat_config(arch) == CONFIG
    assert zoo.hat_config(zoo.hat_arch(space, "wmt14enfr_raspberrypi@9.1s"))[
        "decoder-arbitrary-ende-attn-all-subtransformer"
    ] == [-1, 1, -1, 1, 2, -1]


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("wmt14ende_titanxp@57ms", "Did you mean 'wmt14ende_titanxp@57.1ms'"),
        ({**CONFIG, "decoder-layer-num-subtransformer": 4}, "has 5 entries for 4 layers"),
        ({**CONFIG, "decoder-arbitrary-ende-attn-all-subtransformer": [-1, 0, 1, 1, 1]}, "holds 0; -1 stands for"),
        ({"encoder-embed-dim-subtransformer": 512}, "decoder-embed-dim-subtransformer, .* are missing"),
        ({**CONFIG, "encoder-embed-dim-subtransformer": 500}, "not in this space"),
    ],
)
def test_networks_that_there_are_not_are_refused(network: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        zoo.hat_arch(published_net("wmt").space, network)


def test_what_the_code_cannot_write_is_refused() -> None:
    net = small(attended=(1,))
    with pytest.raises(UsageError, match="the space has"):
        zoo.hat_config(net.space.largest())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"variant": "big"}, "'big' does not exist"),
        ({"heads": (2, 3)}, "3 heads do not divide the width 8"),
        ({"attended": (1, 4)}, "the last 4 layers of the encoder, which has 3"),
        ({"depths": ()}, "The depths are \\(\\)"),
        ({"ffn": (6, 6)}, "each once"),
        ({"decoder_widths": (8, 16)}, "largest widths are 12 and 16"),
        ({"encoder_widths": (7, 9), "decoder_widths": (9,)}, "give an even one"),
        ({"dropout": 1.0}, "The dropout is 1.0"),
        ({"num_classes": 0}, "num_classes is 0"),
        ({"length": 5, "input_shape": Inputs(tuple(Field(n, (6,), "int64") for n in inputs()))}, "6 tokens do not fit"),
        ({"input_shape": (3, 8, 8)}, "a sequence each, but the inputs are"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        small(**options)


def test_sequences_and_tokens_that_do_not_fit_are_refused_while_it_runs() -> None:
    net = small()
    long = {name: tensor.repeat(1, 2) for name, tensor in inputs().items()}
    with pytest.raises(UsageError, match="14 tokens came to a table of 7 positions"):
        net(long, net.space.largest())
    with pytest.raises(UsageError, match="An embedding of 40 vectors was given the index 40; they go from 0 to 39"):
        net({**inputs(), "input_ids": torch.full((3, LENGTH), V)}, net.space.largest())


def test_the_blocks_that_latencies_are_measured_of_stand_alone() -> None:
    net = small(encoder_layers=1, depths=(1,), attended=(1,))
    shape = Inputs(tuple(Field(name, (LENGTH,), "int64") for name in inputs()))
    blocks = {block.name: block for block in blocks_of(net, shape, max_settings=64)}
    feed = blocks["decoder.0.feed"]
    assert {choice.name for choice in feed.choices} == {"decoder.width", "decoder.layer1.ffn"}
    assert len(feed.settings) == 4
    for setting in feed.settings.values():
        width, plain = setting.input_shape[-1], feed.plain(net, setting)
        assert plain(torch.zeros(2, LENGTH, width)).shape == (2, LENGTH, width)


def test_a_copy_has_an_attention_of_its_own() -> None:
    net = small()
    twin: Any = copy.deepcopy(net)
    layer = twin.module.decoder[0]
    looks = layer.look.inner.candidates.values()
    assert all(look._held[0] is layer.cross for look in looks)
    assert not any("candidates" in name for name in net.state_dict())


@pytest.mark.slow
def test_files_compute_the_same_for_any_number_of_sentences(tmp_path: Path) -> None:
    """ONNX and program of the smallest, the largest and a random subnet, traced with one number and run with others."""
    for package in ("onnxruntime", "onnxscript", "tokenizers"):
        pytest.importorskip(package)
    pairs = [(f"one {n} and {n % 7}", f"eins {n} und {n % 7}") for n in range(60)]
    corpus = text_pairs(pairs, vocabulary=270, length=24, validation=0.2, test=0.2)
    net = zoo.hat(variant="tiny", num_classes=corpus.outputs, input_shape=corpus.shape, encoder_widths=(16, 32),
                  decoder_widths=(16, 32), ffn=(16, 32), qkv_width=16, attention_dropout=0.1)  # fmt: skip
    for number, arch in enumerate(archs_of(net, 1)):
        files = deploy.export(net, arch, tmp_path / f"net{number}", data=corpus, formats=("onnx", "program"))
        assert {file.suffix for file in files.files} == {".onnx", ".pt2"}
        for file in files.files:
            for batch_size in (5, 12):
                found = deploy.verify(file, files.module, corpus.validation, task=corpus.task, batch_size=batch_size)
                assert found.images == len(corpus.validation) == 12
                assert found.scores_file["loss"] == pytest.approx(found.scores_module["loss"], rel=1e-4)
