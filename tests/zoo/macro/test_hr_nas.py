"""HR-NAS's network: units, widths and costs as published, and the same once channels and tokens are gone."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet import Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.nn.laws import LAWS, Law
from supernet.train import CutChannels
from supernet.train.edits.cut_channels import absorb
from supernet.train.rewriting import Rewriter
from supernet.zoo import hr_nas_sizes
from supernet.zoo.macro.hr_nas_network import HRNet, HRStage
from supernet.zoo.macro.hr_nas_transformer import LightTransformer, places
from zoo_networks import computes_the_same_in_onnx, images, randomise_statistics

TINY: dict[str, Any] = {"variant": "tiny", "image_size": 8, "in_channels": 1, "num_classes": 3}
PIXELS: dict[str, Any] = {"transformer": "all", "head": "pixels", "activation": "swish"}

SEARCHED = """
24 1 32 12 1|24 1 28 7 5|18 1 28 8 1|36 2 31 29 30|18 1 11 4 0|18 1 1 0 0|36 1 14 19 17|36 1 18 12 7
18 1 8 1 0|18 1 3 0 1|36 2 15 17 17|36 1 24 19 8|72 2 62 82 86|18 1 0 0 0|18 1 0 0 0|36 1 14 15 6|36 1 14 8 3
72 1 39 42 58|72 1 53 21 30|72 1 66 49 52|18 1 1 0 0|18 1 1 0 1|36 2 3 6 2|36 1 8 2 2|36 1 20 9 19
72 2 62 65 42|72 1 71 52 45|144 2 180 142 158|18 1 0 0 0|18 1 0 0 0|36 1 2 1 3|36 1 1 4 1|72 1 36 26 17
72 1 21 22 7|72 1 20 16 15|144 1 66 48 124|144 1 74 61 136|144 1 76 48 123|144 1 128 59 128|18 1 0 0 0
18 1 0 0 1|36 2 0 1 0|36 1 0 0 1|36 1 8 3 5|72 2 17 23 20|72 1 39 9 9|72 1 92 33 105|144 2 145 142 153
144 1 147 75 82|18 1 0 0 0|18 1 0 0 0|36 1 0 1 3|36 1 1 0 1|72 1 27 13 15|72 1 18 6 22|72 1 22 10 19
144 1 158 83 98|144 1 178 110 124|144 1 175 122 158|144 1 127 96 143|36 1 0 0 0|72 1 0 2 7|144 1 25 40 20
320 1 45 44 170|72 2 0 0 0|144 2 3 14 11|320 2 29 22 108
"""
"""Width, stride and channels of the kernels 3, 5 and 7 of the 67 units of the authors' searched network."""


def searched() -> list[list[Any]]:
    """As the authors' file has it."""
    told = [tuple(map(int, unit.split())) for line in SEARCHED.split("\n") if line for unit in line.split("|")]
    return [
        [w, 1, s, [k for k, c in zip((3, 5, 7), counts, strict=True) if c], [c for c in counts if c], True]
        for w, s, *counts in told
    ]


def tiny(**options: Any) -> Supernet:
    torch.manual_seed(0)
    net = zoo.hr_nas(**{**TINY, **options})
    randomise_statistics(net, seed=2)
    return net


def module(net: Supernet) -> HRNet:
    assert isinstance(net.module, HRNet)
    return net.module


def written(head: str) -> Iterator[tuple[int, int, int, int]]:
    """(width in, width out, stride, branch that is read) of every unit, from the published tables."""
    branches, width, blocks = (1, 2, 3, 4, 4), (18, 36, 72, 144), (2, 2, 3, 4)
    before = [24]
    for stage, count in enumerate(branches):
        after = [24] if stage == 0 else list(width[:count])
        old = min(len(before), count)
        for to in range(old):
            for source in range(max(0, to - 1), min(len(before), to + 2)):
                yield before[source], after[to], 2 if source < to else 1, source
        for to in range(old, count):
            yield after[to - 1], after[to], 2, to - 1
        for branch, channels in enumerate(after):
            yield from [(channels, channels, 1, branch)] * (1 if stage == 0 else blocks[branch])
        before = after
    if head == "images":
        wide = (36, 72, 144, 320)
        yield from ((width[b], wide[b], 1, b) for b in range(4))
        yield from ((wide[b], wide[b + 1], 2, b) for b in range(3))
    else:
        yield sum(width), 90, 1, 0


@pytest.mark.parametrize(
    ("variant", "head", "units"),
    [pytest.param("imagenet", "images", 67, marks=pytest.mark.slow), ("cityscapes", "pixels", 61)],
)
@pytest.mark.parametrize(
    ("transformer", "transformers"),
    [pytest.param("none", {67: 0, 61: 0}, marks=pytest.mark.slow), ("same", {67: 44, 61: 44})],
)
def test_units_parameters_and_costs_are_those_of_the_published_tables(
    variant: Any, head: str, units: int, transformer: Any, transformers: dict[int, int]
) -> None:
    with torch.device("meta"):
        net = zoo.hr_nas(variant=variant, transformer=transformer, num_classes=19)
    found = [unit for _, unit in module(net).units()]
    expected = list(written(head))
    assert [(u.width_in, u.width_out, u.stride) for u in found] == [unit[:3] for unit in expected]
    assert len(found) == units
    assert sum(unit.transformer is not None for unit in found) == transformers[units]
    macs = params = 0
    for c_in, c_out, stride, branch in expected:
        pixels, smaller, hidden = (56 >> branch) ** 2, (56 >> branch) ** 2 // stride**2, 4 * c_in
        for kernel in (3, 5, 7):
            macs += hidden * (c_in * pixels + kernel**2 * smaller + c_out * smaller)
            params += hidden * (c_in + kernel**2 + c_out + 4)
        params += 2 * c_out
        if stride == 1 and c_in == c_out:
            if transformer == "same":
                n, d = 64, 64
                macs += n * d * (c_in + 2 + c_out) + 2 * (4 * n * d * d + 2 * n * n * d + 2 * n * d * d)
                params += n * (c_in + 2 + c_out) + 2 * n + 2 * c_out + n * d + 2 * (6 * d * d + 4 * d)
        else:
            params += c_in * c_out // math.gcd(c_in, c_out)
    charged = sum(atoms.total(module(net).sizes()[atoms.dimension]) for atoms in module(net).atoms())
    assert charged == macs
    rest = 3 * 24 * 9 + 24 * 24 * 9 + 4 * 24
    rest += 320 * 1600 + 2 * 1600 + 1600 * 19 + 19 if head == "images" else 90 * 19 + 19
    assert sum(p.numel() for p in net.parameters()) == params + rest


def test_the_searched_network_of_the_authors_can_be_built() -> None:
    """Their file: 157 groups of 201, nine units without any; 259 M multiply-accumulates, the paper's A has 267 M."""
    sizes = hr_nas_sizes(searched())
    with torch.device("meta"):
        net = zoo.hr_nas(sizes=sizes, transformer="none")
    assert module(net).sizes() == sizes
    assert len(sizes) == 157
    assert sum(unit.norm is None for _, unit in module(net).units()) == 9
    macs = sum(atoms.total(sizes[atoms.dimension]) for atoms in module(net).atoms())
    shortcuts = sum(
        u.width_in * u.width_out // math.gcd(u.width_in, u.width_out) * (u.side // u.stride) ** 2
        for _, u in module(net).units()
        if u.stride > 1 or u.width_in != u.width_out
    )
    rest = 3 * 24 * 9 * 112**2 + 24 * 24 * 9 * 56**2 + 320 * 1600 * 49 + 1600 * 1000
    assert macs + shortcuts + rest == 259_232_935
    assert sum(p.numel() for p in net.parameters()) == 3_893_684
    with pytest.raises(UsageError, match="The file has 66 units"):
        hr_nas_sizes(searched()[:-1])


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("options", [{}, pytest.param(PIXELS, marks=pytest.mark.slow)])
def test_networks_keep_the_laws(law: Law, options: dict[str, Any]) -> None:
    net = tiny(**options)
    law(net, lambda arch: images(net))


WITH_TOKENS = [
    pytest.param(options, marks=pytest.mark.slow) for options in ({}, {"transformer": "all", "head": "pixels"})
]


@pytest.mark.parametrize("options", [*WITH_TOKENS, {"transformer": "none"}])
def test_what_is_left_is_taken_out_counted_and_written(options: dict[str, Any], tmp_path: Path) -> None:
    net = tiny(**options)
    (only,) = net.space.enumerate()
    costs_are_the_counted_ones(net)
    rest = measure.macs(net, only) - charged(net)
    rewriter = Rewriter(net, {}, None, dict, 0)
    for dimension, size in list(module(net).sizes().items())[::2]:
        rewriter.take(dimension, range(size)[1::3])
    removed = [name for name in module(net).sizes() if name.startswith(("stage1.branch0.0", "stage2.branch1.0.k"))]
    for dimension in removed:
        rewriter.remove(dimension)
    assert not set(removed) & set(module(net).sizes())
    costs_are_the_counted_ones(net)
    assert measure.macs(net, only) == rest + charged(net), "the loss counts what the network costs"
    with torch.no_grad():
        for parameter in list(net.parameters())[-2:]:
            parameter *= 0.01  # random statistics make large logits
    computes_the_same_in_onnx(net, only, tmp_path)
    built = zoo.hr_nas(**{**TINY, **options}, sizes=module(net).sizes())
    built.load_state_dict(net.state_dict())
    torch.testing.assert_close(built.eval()(images(net), only), net(images(net), only))


def costs_are_the_counted_ones(net: Supernet) -> None:
    (only,) = net.space.enumerate()
    subnet = net.extract(only).eval()
    assert measure.macs(net, only) == measure.count_macs(subnet, (1, 8, 8))
    assert measure.params(net, only) == sum(p.numel() for p in subnet.parameters())


def charged(net: Supernet) -> float:
    return sum(atoms.total(module(net).sizes()[atoms.dimension]) for atoms in module(net).atoms())


def test_channels_without_scale_leave_no_trace() -> None:
    net = tiny(activation="swish").double()
    (only,) = net.space.enumerate()
    x = images(net).double()
    groups = [atoms for atoms in module(net).atoms() if atoms.read is not None]
    for atoms in groups:
        norm = net.module.get_submodule(atoms.scale)
        nn.init.normal_(norm.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            norm.weight[1::2] = 0  # type: ignore[index, operator]
    net.eval()
    before = net(x, only)
    rewriter = Rewriter(net, {}, None, dict, 0)
    for atoms in groups:
        dead = torch.arange(module(net).sizes()[atoms.dimension]) % 2 == 1
        absorb(net, atoms, dead)
        rewriter.take(atoms.dimension, (~dead).nonzero().flatten().tolist())
    torch.testing.assert_close(net(x, only), before, rtol=0, atol=1e-5)


def test_every_unit_without_groups_and_transformer_is_its_shortcut() -> None:
    net = tiny()
    rewriter = Rewriter(net, {}, None, dict, 0)
    for dimension in module(net).sizes():
        rewriter.remove(dimension)
    assert module(net).sizes() == {}
    x = torch.randn(2, 6, 8, 8)
    for _, unit in module(net).units():
        assert not any(name.startswith(("groups", "norm", "transformer")) for name, _ in unit.named_parameters())
        if unit.width_in == 6:
            assert torch.equal(unit(x), unit.shortcut(x))
    net(images(net), *net.space.enumerate())


def test_a_transformer_computes_what_the_released_one_does() -> None:
    """Written down again with torch's multi-head attention, tokens first."""
    torch.manual_seed(0)
    units = (unit for _, unit in module(tiny(transformer="all")).units())
    made = next(unit for unit in units if unit.stride == 2).transformer
    assert isinstance(made, LightTransformer)
    made.eval()
    x = torch.randn(3, made.split.in_channels - 2, 8, 8)
    small = F.interpolate(x, size=(4, 4), mode="bilinear", align_corners=False)
    line = (torch.arange(4.0) - 1.5) / math.sqrt(1.25)
    where = torch.stack([line.repeat(4, 1), line.repeat(4, 1).T]).repeat(3, 1, 1, 1)
    tokens = made.scale(made.split(torch.cat([small, where], 1))).flatten(2).permute(1, 0, 2)  # (n, B, d)

    def layer(of: Any, queries: Tensor, keys: Tensor, onto: Tensor) -> Tensor:
        attention = nn.MultiheadAttention(16, 1, bias=False)
        attention.load_state_dict(
            {
                "in_proj_weight": torch.cat([of.query.weight, of.key.weight, of.value.weight]),
                "out_proj.weight": of.out.weight,
            }
        )
        y = of.norm1(onto + attention(queries, keys, keys)[0])
        found: Tensor = of.norm2(y + of.feed[3](torch.relu(of.feed[0](y))))
        return found

    memory = layer(made.encoder, tokens, tokens, tokens)
    queries = made.queries.tokens[:, None].repeat(1, 3, 1)
    out = layer(made.decoder, queries, memory, memory).permute(1, 0, 2).reshape(3, -1, 4, 4)
    expected = F.interpolate(made.norm(made.join(out)), size=(4, 4), mode="bilinear", align_corners=False)
    torch.testing.assert_close(made(x), expected, rtol=1e-4, atol=1e-5)


def test_places_have_mean_zero_and_deviation_one() -> None:
    column, row = places(8)[0]
    assert torch.equal(column, row.T)
    assert column[0, 0] < column[0, 7]
    for one in (column, row):
        assert float(one.mean()) == pytest.approx(0, abs=1e-6)
        assert float(one.std(correction=0)) == pytest.approx(1)
    assert torch.isfinite(places(1)).all()


def test_maps_are_exchanged_with_neighbours_alone() -> None:
    """By hand, from the units of a stage: coarser maps are enlarged, the sum is activated, a new branch follows it."""
    stages = (HRStage((1,), (4,)), HRStage((1, 1), (4, 6)), HRStage((1, 1, 1), (4, 6, 8)))
    net = tiny(stages=stages, head_widths=(4, 6, 8))
    stage: Any = module(net.eval()).stages[2]
    maps = [torch.randn(2, 4, 8, 8), torch.randn(2, 6, 4, 4)]
    unit = stage.fuse
    large = F.interpolate(unit["to0from1"](maps[1]), scale_factor=2, mode="nearest")
    first = torch.relu(unit["to0from0"](maps[0]) + large)
    second = torch.relu(unit["to1from0"](maps[0]) + unit["to1from1"](maps[1]))
    expected = [b(x) for b, x in zip(stage.branches, [first, second, unit["to2from1"](second)], strict=True)]
    for found, wanted in zip(stage(maps), expected, strict=True):
        torch.testing.assert_close(found, wanted)
    assert set(unit) == {"to0from0", "to0from1", "to1from0", "to1from1", "to2from1"}


@pytest.mark.slow
def test_heads_for_pixels_answer_at_the_finest_branch() -> None:
    net = tiny(head="pixels", image_size=16, stride=2)
    (only,) = net.space.enumerate()
    assert net(images(net), only).shape == (4, 3, 8, 8)
    with torch.device("meta"):
        assert zoo.hr_nas(variant="ade20k").module.head.classes.in_channels == 180  # type: ignore[union-attr]
        coco = zoo.hr_nas(variant="coco", num_classes=17)
    assert coco.module.head.classes.in_channels == 90  # type: ignore[union-attr]
    assert {norm.eps for norm in coco.modules() if isinstance(norm, nn.BatchNorm2d)} == {1e-5}


@pytest.mark.slow
def test_features_are_dropped_as_released() -> None:
    def shares(net: Supernet) -> list[set[float]]:
        drops = {name: module.p for name, module in net.module.named_modules() if isinstance(module, nn.Dropout)}
        places = ("head.last", ".attend.", ".feed.", "coder.dropout")
        return [{p for name, p in drops.items() if place in name} for place in places]

    with torch.device("meta"):
        assert shares(zoo.hr_nas()) == [{0.2}, {0.1}, {0.1}, {0.1}]
        assert shares(zoo.hr_nas(dropout=0.28, transformer_dropout=0.3)) == [{0.28}, {0.3}, {0.3}, {0.3}]
        assert shares(zoo.hr_nas(variant="cityscapes")) == [set(), {0.1}, {0.1}, {0.1}], "pixels have none"


def test_weights_begin_as_released() -> None:
    torch.manual_seed(0)
    net = zoo.hr_nas(width_multiplier=0.5, image_size=32)
    for conv in net.modules():
        if isinstance(conv, nn.Conv2d) and conv.weight.numel() > 4000:
            fan = conv.kernel_size[0] ** 2 * (1 if conv.groups == conv.in_channels else conv.out_channels)
            assert float(conv.weight.detach().std()) == pytest.approx(math.sqrt(2 / fan), rel=0.08)
    layer: Any = next(m for m in net.modules() if isinstance(m, LightTransformer)).encoder
    assert float(layer.query.weight.detach().abs().max()) == pytest.approx(math.sqrt(6 / 256), rel=0.01)
    assert float(layer.out.weight.detach().abs().max()) == pytest.approx(1 / 8, rel=0.01)
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {(norm.momentum, norm.eps) for norm in norms} == {(0.01, 1e-3), (0.1, 1e-5)}, "transformers have torch's"
    heat = zoo.hr_nas(variant="coco", width_multiplier=0.5, image_size=32)
    assert float(heat.module.stem[3].weight.detach().std()) == pytest.approx(0.001, rel=0.2)  # type: ignore[index, union-attr]


def test_it_says_what_a_training_may_cut() -> None:
    for options in ({}, {"transformer": "all", "head": "pixels"}):
        CutChannels(empty="remove").check(tiny(**options))
    other = copy.deepcopy(tiny())
    assert module(other).sizes() == module(tiny()).sizes()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"image_size": 1}, "too small for a network of 2 branches"),
        ({"image_size": 9}, "no multiple of the coarsest stride of"),
        ({"variant": "cityscapes", "image_size": 48}, "one pixel for 32. Give a multiple of 32"),
        ({"variant": "cityscapes", "image_size": 16}, "16 pixels a side are too small for a network of 4 branches"),
        ({"variant": "large"}, "The variant 'large' does not exist"),
        ({"head": "words"}, "The head: 'words' does not exist"),
        ({"transformer": "some"}, "use one of 'none', 'same', 'all'"),
        ({"activation": "tanh"}, "The activation: 'tanh'"),
        ({"initialisation": "zeros"}, "The initialisation: 'zeros'"),
        ({"stride": 3}, "use one of 1, 2, 4"),
        ({"kernels": (2,)}, "give odd sides"),
        ({"kernels": (3, 3)}, "give each once"),
        ({"stages": ()}, "give at least one, each with a number of units"),
        ({"stages": (HRStage((1, 1), (4,)),)}, "give at least one, each with a number of units"),
        ({"stages": (HRStage((1, 1), (4, 6)), HRStage((1,), (4,)))}, "branches may be added, not left out"),
        ({"head_widths": (4,)}, "the last stage has 2 branches; give a width for each"),
        ({"head": "pixels", "dropout": 0.1}, "drops nothing; leave it out"),
        ({"width_multiplier": 0.0}, "give a number above 0"),
        ({"sizes": {"stage9.k3": 4}}, "the network has no such channels or tokens"),
        ({"sizes": {"stage1.to0from0.k3": -1}}, "give whole numbers of at least 0"),
        ({"tokens": 0}, "tokens is 0"),
        ({"transformer_dropout": 1.0}, "The dropout is 1.0"),
        ({"statistics": "none"}, "The statistics policy 'none'"),
    ],
)  # fmt: skip
def test_what_cannot_be_built_is_refused_in_a_sentence(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        tiny(**wrong)
