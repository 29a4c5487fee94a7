"""AtomNAS's network: costs of what was searched and found as published, and the same once channels are gone."""

from __future__ import annotations

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
from supernet.zoo import atomnas_sizes
from supernet.zoo.macro.atomnas_network import AtomBlock, AtomChain
from zoo_networks import computes_the_same_in_onnx, images, randomise_statistics

TINY: dict[str, Any] = {"variant": "tiny", "image_size": 8, "in_channels": 1, "num_classes": 3}
PLUS: dict[str, Any] = {"squeeze_excite": True, "activation": "swish"}


def tiny(**options: Any) -> Supernet:
    torch.manual_seed(0)
    net = zoo.atomnas(**{**TINY, **options})
    randomise_statistics(net, seed=2)
    return net


def module(net: Supernet) -> AtomChain:
    assert isinstance(net.module, AtomChain)
    return net.module


def layer(net: Supernet, number: int) -> AtomBlock:
    found = module(net).blocks[number]
    assert isinstance(found, AtomBlock)
    return found


def charged(net: Supernet) -> float:
    return sum(atoms.total(module(net).sizes()[atoms.dimension]) for atoms in module(net).atoms())


@pytest.mark.parametrize(
    ("options", "macs", "plain", "whole", "atoms"),
    [
        ({"variant": "c"}, 1_520_973_056, 11_109_768, 11_242_152, 31_392),
        ({"variant": "a", "sizes": atomnas_sizes("a")}, 258_230_561, 3_853_848, 3_885_272, 6168),
        ({"variant": "b", "sizes": atomnas_sizes("b")}, 325_988_643, 4_416_091, 4_453_927, 7755),
        ({"variant": "c", "sizes": atomnas_sizes("c")}, 359_801_485, 4_741_256, 4_782_696, 8656),
        ({"variant": "c", "sizes": atomnas_sizes("c"), **PLUS}, 360_977_253, 5_926_600, 5_968_040, 8656),
    ],
)  # fmt: skip
def test_costs_are_those_of_the_published_networks(
    options: dict[str, Any], macs: int, plain: int, whole: int, atoms: int
) -> None:
    """258, 326 and 360 M with 3.9, 4.4 and 4.7 M parameters; AtomNAS-C+ has 363 M and 5.9 M."""
    with torch.device("meta"):
        net = zoo.atomnas(**options)
    (only,) = net.space.enumerate()
    norms = sum(p.numel() for norm in net.modules() if isinstance(norm, nn.BatchNorm2d) for p in norm.parameters())
    assert measure.macs(net, only) == macs
    assert measure.params(net, only) == whole == plain + norms
    assert sum(module(net).sizes().values()) == atoms
    if "sizes" in options:
        assert module(net).sizes() == options["sizes"]


def test_the_first_block_of_a_has_a_shortcut_and_no_atoms() -> None:
    with torch.device("meta"):
        net = zoo.atomnas(variant="a")
    (only,) = net.space.enumerate()
    assert (measure.macs(net, only), measure.params(net, only)) == (1_510_536_448, 11_241_256)
    assert module(net).first.residual
    assert not zoo.atomnas(variant="b", image_size=8, depth_multiplier=0.1).module.first.residual  # type: ignore[union-attr]
    strides = [block.stride for _, block in module(net).layers()]
    assert strides == [2, 1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    assert {name.partition(".")[0] for name in module(net).sizes()} == {f"layer{n}" for n in range(1, 22)}
    norms = [norm for norm in net.modules() if isinstance(norm, nn.BatchNorm2d)]
    assert {(norm.momentum, norm.eps) for norm in norms} == {(0.01, 1e-3)}
    assert {drop.p for drop in net.modules() if isinstance(drop, nn.Dropout)} == {0.2}


def test_weights_begin_as_released() -> None:
    torch.manual_seed(0)
    net = zoo.atomnas(width_multiplier=0.5, depth_multiplier=0.25, image_size=32, num_classes=100)
    for conv in net.modules():
        if isinstance(conv, nn.Conv2d) and conv.weight.numel() > 4000:
            fan = conv.kernel_size[0] ** 2 * (1 if conv.groups == conv.in_channels else conv.out_channels)
            assert float(conv.weight.detach().std()) == pytest.approx((2 / fan) ** 0.5, rel=0.08)
    assert float(module(net).head[-1].weight.detach().abs().max()) == pytest.approx(0.1, rel=0.01)  # type: ignore[index]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("options", [{}, PLUS])
def test_networks_keep_the_laws(law: Law, options: dict[str, Any]) -> None:
    net = tiny(**options)
    law(net, lambda arch: images(net))


@pytest.mark.parametrize("options", [PLUS])
def test_what_is_left_is_taken_out_counted_and_written(options: dict[str, Any], tmp_path: Path) -> None:
    net = tiny(**options)
    (only,) = net.space.enumerate()
    rest = measure.macs(net, only) - charged(net)
    rewriter = Rewriter(net, {}, None, dict, 0)
    for dimension, size in list(module(net).sizes().items())[::2]:
        rewriter.take(dimension, range(size)[1::3])
    for dimension in ("layer1.k3", "layer1.k5", "layer2.k5"):
        rewriter.remove(dimension)
    assert set(module(net).sizes()) == {"layer2.k3", "layer3.k3", "layer3.k5"}
    subnet = net.extract(only).eval()
    assert measure.macs(net, only) == measure.count_macs(subnet, (1, 8, 8)) == rest + charged(net)
    assert measure.params(net, only) == sum(p.numel() for p in subnet.parameters())
    computes_the_same_in_onnx(net, only, tmp_path)
    built = zoo.atomnas(**{**TINY, **options}, sizes=module(net).sizes())
    built.load_state_dict(net.state_dict())
    torch.testing.assert_close(built.eval()(images(net), only), net(images(net), only))


def test_channels_without_scale_leave_no_trace() -> None:
    net = tiny(activation="swish").double()
    (only,) = net.space.enumerate()
    x = images(net).double()
    for atoms in module(net).atoms():
        norm = net.module.get_submodule(atoms.scale)
        nn.init.normal_(norm.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            norm.weight[1::2] = 0  # type: ignore[operator]
    net.eval()
    before = net(x, only)
    rewriter = Rewriter(net, {}, None, dict, 0)
    for atoms in module(net).atoms():
        dead = torch.arange(module(net).sizes()[atoms.dimension]) % 2 == 1
        absorb(net, atoms, dead)
        rewriter.take(atoms.dimension, (~dead).nonzero().flatten().tolist())
    torch.testing.assert_close(net(x, only), before, rtol=0, atol=1e-5)


@pytest.mark.parametrize("options", [{}, PLUS])
def test_channels_without_scale_and_shift_change_nothing(options: dict[str, Any]) -> None:
    """Not even before something is absorbed, and where channels are gated; a kernel without channels goes."""
    net = tiny(**options).double().eval()
    (only,) = net.space.enumerate()
    dead = {"layer1.k3": [0, 3], "layer2.k5": [1], "layer3.k3": range(32)}
    with torch.no_grad():
        for atoms in module(net).atoms():
            norm = net.module.get_submodule(atoms.scale)
            for tensor in (norm.weight, norm.bias):
                tensor[list(dead.get(atoms.dimension, ()))] = 0  # type: ignore[operator]
    x = images(net).double()
    before = net(x, only)
    rewriter = Rewriter(net, {}, None, dict, 0)
    rewriter.take("layer1.k3", [n for n in range(16) if n not in dead["layer1.k3"]])
    rewriter.take("layer2.k5", [0, *range(2, 16)])
    if options:  # the gate of the others has seen the mean 0 of a channel
        assert layer(net, 2).gate is not None
    rewriter.remove("layer3.k3")
    torch.testing.assert_close(net(x, only), before, rtol=0, atol=1e-12)


def test_a_block_computes_what_it_is_said_to() -> None:
    """By hand, the groups next to each other as the authors' fused block has them."""
    net = tiny(**PLUS).eval()
    block = layer(net, 0)
    x = torch.randn(2, 8, 8, 8)
    hidden = []
    for of, kernel in (("k3", 3), ("k5", 5)):
        expand, norm, _, depthwise, scale, _ = layers_of(block, of)
        y = F.silu(norm(F.conv2d(x, expand.weight)))
        hidden.append(F.silu(scale(F.conv2d(y, depthwise.weight, padding=kernel // 2, groups=16))))
    h = torch.cat(hidden, 1)
    gate: Any = block.gate
    squeeze = torch.cat([one.weight for one in gate.squeeze], 1)
    excite, bias = (torch.cat([getattr(one, of) for one in gate.excite]) for of in ("weight", "bias"))
    inner = F.silu(F.conv2d(F.adaptive_avg_pool2d(h, 1), squeeze, gate.bias))
    h = h * torch.sigmoid(F.conv2d(inner, excite, bias))
    project = torch.cat([block.get_parameter(f"project.{of}.weight") for of in ("k3", "k5")], 1)
    expected: Tensor = x + block.norm(F.conv2d(h, project))  # type: ignore[misc]
    torch.testing.assert_close(block(x), expected)
    assert inner.shape[1] == 4, "half of the 8 that the block reads"


def layers_of(block: AtomBlock, of: str) -> list[Any]:
    return list(block.groups[of].children())


def test_where_the_shape_stays_a_block_may_go_and_else_one_kernel_stays() -> None:
    net = tiny()
    rewriter = Rewriter(net, {}, None, dict, 0)
    for dimension in ("layer1.k3", "layer1.k5", "layer2.k3"):
        rewriter.remove(dimension)
    x = torch.randn(2, 8, 8, 8)
    assert layer(net, 0)(x) is x
    assert not list(layer(net, 0).parameters())
    with pytest.raises(UsageError, match=r"All channels of 'layer2.k5' .* no module can do without them"):
        rewriter.remove("layer2.k5")
    net(images(net), *net.space.enumerate())


def test_it_says_what_a_training_may_cut() -> None:
    for options in ({}, PLUS):
        net = tiny(**options)
        CutChannels(empty="remove").check(net)
        assert sum(atoms.read is None for atoms in module(net).atoms()) == (6 if options else 0)
    with torch.device("meta"):
        plus = zoo.atomnas(variant="a", sizes=atomnas_sizes("a"), squeeze_excite=True)
    gates = sum(2 * n * round(block.width_in / 2) for _, block in module(plus).layers() for n in block_sizes(block))
    assert charged(plus) == 258_230_561 - rest_of_a() + gates


def block_sizes(block: AtomBlock) -> list[int]:
    return [len(block.get_parameter(f"groups.{of}.4.weight")) for of in block.groups]


def rest_of_a() -> int:
    stem, first = 3 * 16 * 9 * 112**2, (16 * 9 + 16 * 16) * 112**2
    return stem + first + 320 * 1280 * 49 + 1280 * 1000


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"variant": "d"}, "The variant 'd' does not exist; use one of 'a', 'b', 'c', 'tiny'"),
        ({"activation": "tanh"}, "The activation 'tanh' does not exist"),
        ({"kernels": (2,)}, "give odd sides of at least 1, each once"),
        ({"kernels": (3, 3)}, "give odd sides of at least 1, each once"),
        ({"expansion": 0}, "The expansion is 0; give a number above 0"),
        ({"sizes": {"layer9.k3": 4}}, "the network has no such channels"),
        ({"sizes": {"layer2.k3": -1}}, "give whole numbers of at least 0"),
        ({"sizes": {"layer1.k3": 4}}, "Nothing is left of layer2, which takes 8 channels to 16"),
        ({"dropout": 1.0}, "The dropout is 1.0"),
        ({"num_classes": 0}, "num_classes is 0"),
        ({"width_multiplier": 0.0}, "give a number above 0"),
        ({"statistics": "none"}, "The statistics policy 'none'"),
    ],
)  # fmt: skip
def test_what_cannot_be_built_is_refused_in_a_sentence(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        tiny(**wrong)
