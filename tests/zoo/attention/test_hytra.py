"""HyTra: its routes counted in three ways, the published costs, and the laws."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

from supernet import measure, zoo
from supernet.errors import UsageError
from supernet.nn.laws import LAWS, Law
from supernet.zoo import hytra_arch
from supernet.zoo.attention.hytra_blocks import PixelAttention
from supernet.zoo.attention.hytra_plan import all_routes, scale_at
from zoo_networks import computes_the_same_in_onnx


def small(**options: Any) -> Any:
    return zoo.hytra(
        **{
            "variant": "tiny",
            "num_classes": 3,
            "image_size": 8,
            "widths": (8, 16, 32),
            "zero_gamma": False,
            "statistics": "track",
            **options,
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize("design", ["supernet", "bossnet"])
@pytest.mark.parametrize("law", LAWS)
def test_the_space_keeps_the_laws(law: Law, design: str) -> None:
    torch.manual_seed(1)
    law(small(design=design, squeeze=True), lambda arch: torch.randn(4, 3, 8, 8))


def by_recursion(layers: int, *, starts: tuple[int, ...], kinds: tuple[int, ...] = (1, 1, 2, 2)) -> int:
    """Paths of layers, of which each stays at its scale or goes to the next one; `kinds` is how many there are."""

    @cache
    def onwards(scale: int, left: int) -> int:
        if left == 0:
            return 1
        return sum(kinds[to] * onwards(to, left - 1) for to in (scale, scale + 1) if to < len(kinds))

    return sum(kinds[start] * onwards(start, layers - 1) for start in starts)


@pytest.fixture(scope="module")
def whole() -> Any:
    # Narrow layers of all 16 places: the space is that of the published widths.
    return {first: zoo.hytra(widths=(4, 4, 8, 8), stem_width=2, image_size=64, first_halves=first) for first in (0, 1)}


def test_the_space_counts_the_published_numbers_of_paths(whole: Any) -> None:
    """The released code's lists of paths, joined; from the scale of the stem alone 786,484."""
    assert whole[True].space.size == by_recursion(16, starts=(0, 1)) == 1_703_991
    assert whole[False].space.size == by_recursion(16, starts=(0,)) == 786_484


def test_every_path_is_there_once() -> None:
    """Enumerated and brought into the scale and kind of each layer, they are all the paths that a walk finds."""
    net = small(depths=(3, 2), widths=(4, 4, 8, 8), image_size=8)
    found = set()
    for arch in net.space.enumerate():
        scales = [scale_at(arch["route"], layer=layer) for layer in range(1, 6)]
        found.add(tuple((s, arch[f"layer{n}"] if s >= 2 else "conv") for n, s in enumerate(scales, start=1)))
    walks: list[tuple[Any, ...]] = [()]
    for _ in range(5):
        walks = [
            (*walk, (scale, kind))
            for walk in walks
            for scale in {walk[-1][0] if walk else 0, min(3, walk[-1][0] + 1 if walk else 1)}
            for kind in (("conv", "att") if scale >= 2 else ("conv",))
        ]
    assert found == set(walks)
    assert len(found) == len(walks) == net.space.size


def test_blocks_have_the_released_numbers_of_paths() -> None:
    """Four layers from the stem: 51 in the released list; three and fewer scales: 99, 80, 16."""
    assert by_recursion(4, starts=(0, 1)) == 51
    assert by_recursion(4, starts=(1, 2)) == 99
    assert by_recursion(4, starts=(2, 3)) == 80
    assert by_recursion(4, starts=(3,)) == 16


def test_routes_go_from_the_smallest_maps_to_the_largest() -> None:
    assert all_routes(3, 2) == ((1, 2), (1, 3), (1,), (2, 3), (2,), (3,), ())
    assert len(all_routes(16, 3)) == 1 + 16 + 120 + 560
    net = small()
    assert net.space.smallest()["route"] == (1, 2)
    assert net.space.largest()["route"] == ()


def multiplied(network: nn.Module) -> int:
    """What the published figures count: the weights of convolutions and linear layers, without biases and norms."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    return sum(layer.weight.numel() for layer in layers)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "macs", "params"),
    [
        ("T0", {}, 3_441_888_768, 37_231_232),  # released counter, T0 without SE
        ("R50", {"squeeze": True}, 4_104_117_760, 28_051_840),  # released counter, boss_r50
        # The released counter gives attention a squeeze-and-excitation too, 8 · 2048² / 8 and 1024² / 8, which the
        # released networks do not have: 3,447,303,680, and 7,948,768,256 at 224 and the last stride 1.
        ("T0", {"squeeze": True}, 3_447_303_680 - 4_325_376, 42_646_144 - 4_325_376),
        ("T1", {"squeeze": True, "last_stride": 1}, 7_948_768_256 - 4_325_376, 42_646_144 - 4_325_376),
    ],
)
def test_published_networks_have_their_costs(name: str, options: dict[str, Any], macs: int, params: int) -> None:
    route = {"T0": (2, 3, 8), "T1": (2, 3, 8), "R50": (4, 8, 14)}[name]
    net = zoo.hytra(routes=(route,), design="bossnet", activation="swish", **options)
    arch = hytra_arch(net.space, name)
    assert measure.macs(net, arch) == macs
    assert multiplied(net.extract(arch)) == params


@pytest.mark.slow
@pytest.mark.parametrize("design", ["supernet", "bossnet"])
def test_costs_without_building_are_the_counted_ones(design: str) -> None:
    net = small(design=design, last_stride=1)
    for arch in net.space.enumerate():
        subnet = net.extract(arch).eval()
        assert measure.macs(net, arch) == measure.count_macs(subnet, (3, 8, 8))
        assert measure.params(net, arch) == sum(p.numel() for p in subnet.parameters())


def test_attention_is_softmax_attention_of_all_pixels() -> None:
    """By hand: queries, keys and values of one convolution, heads of consecutive channels."""
    torch.manual_seed(0)
    layer, x = PixelAttention(8, 2), torch.randn(2, 8, 3, 2)
    weight = layer.qkv.weight.flatten(1)
    q, k, v = (weight @ x.flatten(2)).split(8, dim=1)  # (B, c, T)
    expected = torch.empty(2, 8, 6)
    for head in range(2):
        rows = slice(4 * head, 4 * head + 4)
        weights = (q[:, rows].transpose(1, 2) @ k[:, rows] / 2).softmax(-1)  # (B, T, T), over the keys
        expected[:, rows] = v[:, rows] @ weights.transpose(1, 2)
    torch.testing.assert_close(layer(x), expected.view(2, 8, 3, 2))


def test_positions_reach_attention_through_the_depthwise_convolution() -> None:
    """Attention alone does not see where a pixel is; a block does, by the convolution in front of it."""
    torch.manual_seed(0)
    net = small().eval()
    arch = net.space.arch({"route": (1, 2), "layer1": "att", "layer2": "att", "layer3": "att", "layer4": "att"})
    block = net.extract(arch).get_submodule("stages.1.0")
    x = torch.randn(1, 32, 2, 2)
    turned = x.flip(-1)
    with torch.no_grad():
        assert not torch.allclose(block(x).flip(-1), block(turned), atol=1e-4)


def test_blocks_begin_as_their_shortcuts() -> None:
    torch.manual_seed(0)
    net = small(zero_gamma=True).eval()
    layer = net.extract(net.space.arch({"route": ()})).get_submodule("stages.1.1")
    x = torch.rand(1, 8, 8, 8)
    assert torch.equal(layer(x), x.relu())


def test_encodings_are_read() -> None:
    net = small()
    arch = hytra_arch(net.space, "1 01 0")
    assert arch.options() == {"route": (2, 4), "layer2": "att", "layer3": "conv", "layer4": "att"}
    assert hytra_arch(net.space, " 01 10").options()["route"] == (1, 3)
    with pytest.raises(UsageError, match="neither one of"):
        hytra_arch(net.space, "1 21 0")
    with pytest.raises(UsageError, match="has 3 layers"):
        hytra_arch(net.space, "1 01")


def test_a_single_route_is_no_choice_and_needs_no_other_layers() -> None:
    one, all_ = small(routes=((2, 3),)), small()
    assert one.space.names == ("layer2", "layer3", "layer4")
    assert sum(p.numel() for p in one.parameters()) < sum(p.numel() for p in all_.parameters()) / 2


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"variant": "huge"}, "does not exist"),
        ({"design": "resnet"}, "does not exist"),
        ({"widths": (6, 12)}, "multiples of 4"),
        ({"depths": ()}, "one or more whole numbers"),
        ({"routes": ((2, 1),)}, "is no route of 4 layers"),
        ({"routes": ((1,),), "first_halves": False}, "layers 2 to 4"),
        ({"routes": ()}, "There are no routes"),
        ({"last_stride": 3}, "last stride is 1 or 2"),
        ({"head_width": 3, "widths": (8, 16, 28)}, "do not divide"),
        ({"image_size": 2}, "cannot be halved"),
    ],
)
def test_what_cannot_be_built_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        small(**options)


@pytest.mark.slow
def test_subnets_compute_the_same_in_onnx(tmp_path: Any) -> None:
    torch.manual_seed(0)
    net = small()
    computes_the_same_in_onnx(net, hytra_arch(net.space, "1 10 0"), tmp_path)
