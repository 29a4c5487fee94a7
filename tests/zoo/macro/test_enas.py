"""ENAS's whole networks: what they span, what they compute, and what they cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from enas_layers import Written
from supernet import Arch, Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.nn.laws import LAWS, Law
from supernet.nn.turns import turns_of
from supernet.train import LSTMController, Setting
from supernet.zoo.macro.enas import OPS
from supernet.zoo.macro.enas_macro_sequence import FINAL
from zoo_networks import archs_of, computes_the_same_in_onnx, costs_are_the_counted_ones, images

TINY: dict[str, Any] = {
    "channels": 2,
    "layers": 4,
    "operations": ("conv_3x3", "avg_pool_3x3"),
    "dropout": 0,
    "statistics": "track",
    "num_classes": 3,
    "image_size": 8,
}


def tiny(**options: Any) -> Supernet:
    torch.manual_seed(0)
    return zoo.enas_macro(**{**TINY, **options})


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_networks_keep_the_laws(law: Law) -> None:
    net = tiny()
    law(net, lambda arch: images(net, 3))


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"layers": 12, "operations": OPS}])
def test_costs_without_building_are_the_counted_ones(options: dict[str, Any]) -> None:
    net = tiny(**options)
    archs = archs_of(net, 8)
    assert len({measure.params(net, arch) for arch in archs}) > 3
    costs_are_the_counted_ones(net, archs)


def test_it_holds_as_many_networks_as_the_paper_says() -> None:
    """1.6 · 10²⁹ (§2.3)."""
    size = zoo.enas_macro(channels=2).space.size
    assert size == 6**12 * 2**66 == 160_618_186_625_454_535_808_756_219_904
    assert f"{size:.3e}" == "1.606e+29"
    assert tiny().space.size == 2**4 * 2**6


def test_the_defaults_are_those_of_the_search_on_cifar_10() -> None:
    network: Any = zoo.enas_macro().module
    assert len(network.layers) == 12
    assert network.reduced_after == (3, 7)
    assert [len(halves) for halves in network.reductions] == [5, 9], "the stem and all layers so far"
    assert {conv.out_channels for conv in network.layers.modules() if isinstance(conv, nn.Conv2d)} == {36}
    assert network.head[2].p == 0.1
    assert network.head[3].bias is None


def reference(net: Supernet, arch: Arch, x: Tensor) -> Tensor:
    """The network of the authors' `_enas_layer` written down again."""
    written = Written.of(net)
    state, norm, reduction = written.state, written.norm, written.reduction

    def operation(y: Tensor, op: str, name: str) -> Tensor:
        y = F.relu(norm(F.conv2d(y, state[f"{name}.0.weight"]), f"{name}.1"))
        if op == "avg_pool_3x3":
            return F.avg_pool2d(y, 3, 1, 1, count_include_pad=False)
        if op == "max_pool_3x3":
            return F.max_pool2d(y, 3, 1, 1)
        kernel = state[f"{name}.3.weight"]
        y = F.conv2d(y, kernel, padding=kernel.shape[-1] // 2, groups=y.shape[1] // kernel.shape[1])
        last = 4
        if op.startswith("sep"):
            y, last = F.conv2d(y, state[f"{name}.4.weight"]), 5
        return F.relu(norm(y, f"{name}.{last}", 1e-3))

    states = [written.stem(x)]
    for layer in range(6):
        op = str(arch[str(layer)])
        out = operation(states[-1], op, f"layers.{layer}.op.candidates.{op}")
        if layer:
            for source in arch[f"{layer}.skips"]:  # type: ignore[union-attr]
                out = out + states[source]
            out = norm(out, f"layers.{layer}.norm")
        states.append(out)
        if layer in (1, 3):
            states = [reduction(y, f"reductions.{(layer - 1) // 2}.{i}") for i, y in enumerate(states)]
    return states[-1].mean((2, 3)) @ state["head.3.weight"].T


def test_the_network_is_the_one_of_the_authors_written_down_again() -> None:
    net = tiny(layers=6, operations=OPS, statistics="batch").double().train()
    x = images(net).double()
    for arch in archs_of(net, 6):
        torch.testing.assert_close(net(x, arch), reference(net, arch, x), rtol=1e-9, atol=1e-9)


def test_the_authors_notation() -> None:
    space = tiny(layers=12, operations=OPS).space
    for arch in space.wrap(space.population(np.random.default_rng(0), 20)):
        text = zoo.enas_macro_sequence(arch)
        assert len(text.split()) == 78
        assert zoo.enas_macro_arch(space, text) == arch
    small = tiny(operations=OPS).space
    arch = zoo.enas_macro_arch(small, "5 0 1 4 0 0 1 1 0 1")
    assert arch.options() == {
        "0": "max_pool_3x3",
        "1": "conv_3x3",
        "1.skips": (0,),
        "2": "avg_pool_3x3",
        "2.skips": (),
        "3": "sep_conv_3x3",
        "3.skips": (0, 2),
    }
    for wrong in ("5 0 1 4 0 0 1 1 0", "6 0 1 4 0 0 1 1 0 1", "5 0 2 4 0 0 1 1 0 1", "a 0 1 4 0 0 1 1 0 1"):
        with pytest.raises(UsageError):
            zoo.enas_macro_arch(small, wrong)


def test_the_published_network_has_24_layers_of_the_first_four_operations() -> None:
    numbers = [int(number) for number in FINAL.split()]
    layers = [numbers[layer * (layer + 1) // 2 :][: layer + 1] for layer in range(24)]
    assert len(numbers) == 300
    assert {op for op, *_ in layers} == {0, 1, 2, 3}
    assert {flag for _, *flags in layers for flag in flags} == {0, 1}
    assert [sum(flags) for _, *flags in layers] == [
        *(0, 0, 1, 1, 0, 3, 1, 5, 5, 0, 1, 5, 4, 6, 5, 4, 7, 6, 6, 5, 7, 10, 6, 10),
    ]
    with pytest.raises(UsageError, match="12 layers take 78 numbers"):
        zoo.enas_macro_arch(tiny(layers=12).space, FINAL)


def test_its_turns_are_the_layers_and_a_controller_of_the_authors_sizes_takes_them() -> None:
    net = zoo.enas_macro(channels=2)
    turns = turns_of(net)
    assert [turn.choices for turn in turns[:3]] == [("0",), ("1", "1.skips"), ("2", "2.skips")]
    assert {(turn.chain, turn.given) for turn in turns} == {("layers", 0)}
    controller = LSTMController()(Setting(net, 0, {}))
    shapes = {name: tuple(p.shape) for name, p in controller.named_parameters()}
    assert shapes["embeddings.0.weight"] == shapes["heads.0.weight"] == (6, 64)
    assert [shape for name, shape in shapes.items() if name.startswith("attention")] == [(64, 64), (64, 64), (1, 64)]
    assert len(shapes) == 8


def test_a_picture_shows_layers_and_skips() -> None:
    net = tiny(operations=OPS)
    drawn = net.module.diagram(zoo.enas_macro_arch(net.space, "5 0 1 4 0 0 1 1 0 1"))  # type: ignore[operator]
    skips = [(edge.source, edge.target) for edge in drawn.edges if edge.label == "skip"]
    assert skips == [("0", "2"), ("0", "4"), ("2", "4")]


@pytest.mark.slow
def test_subnets_become_onnx(tmp_path: Path) -> None:
    net = tiny(operations=OPS)
    computes_the_same_in_onnx(net, archs_of(net, 1)[-1], tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"channels": 3},
        {"layers": 2},
        {"layers": 17},
        {"operations": ()},
        {"operations": ("skip_connect",)},
        {"operations": ("conv_3x3", "conv_3x3")},
        {"dropout": -0.1},
        {"statistics": "none"},
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        tiny(**options)
