"""ENAS's cells: what they span, what they compute, and what their networks cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from enas_layers import Written
from supernet import Arch, Mixture, Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.nn import Decisions, Output
from supernet.nn.laws import LAWS, Law
from supernet.nn.turns import turns_of
from supernet.train import LSTMController, Setting
from supernet.zoo.cells.enas_choices import OPS
from supernet.zoo.cells.enas_micro_sequence import FINAL_NORMAL, FINAL_REDUCE
from zoo_networks import archs_of, computes_the_same_in_onnx, costs_are_the_counted_ones, images

TINY: dict[str, Any] = {
    "channels": 2,
    "layers": 3,
    "nodes": 2,
    "operations": ("sep_conv_3x3", "max_pool_3x3", "skip_connect"),
    "auxiliary": False,
    "dropout": 0,
    "statistics": "track",
    "num_classes": 3,
    "image_size": 8,
}


def tiny(**options: Any) -> Supernet:
    torch.manual_seed(0)
    return zoo.enas_micro(**{**TINY, **options})


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_networks_keep_the_laws(law: Law) -> None:
    net = tiny()
    law(net, lambda arch: images(net, 3))


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"nodes": 5, "operations": OPS, "auxiliary": True, "image_size": 18}])
def test_costs_without_building_are_the_counted_ones(options: dict[str, Any]) -> None:
    net = tiny(**options)
    archs = archs_of(net, 8)
    assert len({measure.params(net, arch) for arch in archs}) > 4
    costs_are_the_counted_ones(net, archs)


def test_it_holds_as_many_pairs_of_cells_as_there_are_decisions() -> None:
    """Node n takes any of n states, and any of 5 operations, twice: (5⁵ · 6!)² cells."""
    assert zoo.enas_micro(channels=2, auxiliary=False).space.size == (5**5 * 720) ** 4
    assert tiny().space.size == (3**2 * 6) ** 4


def test_the_defaults_are_those_of_the_search_on_cifar_10() -> None:
    net = zoo.enas_micro()
    network: Any = net.module
    assert [cell.reduction is not None for cell in network.cells] == [
        False,
        False,
        True,
        False,
        False,
        True,
        False,
        False,
    ]
    assert [cell.norm.num_features for cell in network.cells] == [20, 20, 40, 40, 40, 80, 80, 80]
    assert network.stem[0].out_channels == 60
    assert network.auxiliary_after == 6
    assert [tuple(conv.weight.shape) for conv in network.auxiliary.modules() if isinstance(conv, nn.Conv2d)] == [
        (128, 80, 1, 1),
        (768, 128, 2, 2),
    ]
    assert isinstance(network.head[3], nn.Dropout)
    assert network.head[3].p == 0.1
    assert net.input_shape == (3, 32, 32)
    depthwise = [m for m in network.cells[0].sides[0].modules() if isinstance(m, nn.Conv2d) and m.groups == 20]
    assert len(depthwise) == 2 * 2 * 2, "two states, two kernels, each applied twice"


@pytest.mark.slow
def test_weights_begin_as_he_says() -> None:
    net = zoo.enas_micro(channels=32, auxiliary=False)
    weight = net.module.cells[-1].output.by_state[0].weight
    assert weight.std().item() == pytest.approx((2 / weight.shape[1]) ** 0.5, rel=0.05)


def reference(net: Supernet, arch: Arch, x: Tensor) -> Tensor:
    """The network of the authors' `_enas_layer` written down again, with one convolution over the loose ends."""
    written = Written.of(net)
    state, norm, reduction = written.state, written.norm, written.reduction

    def fitted(y: Tensor, name: str) -> Tensor:
        if f"{name}.even.weight" in state:
            return reduction(F.relu(y), name)
        if f"{name}.1.weight" not in state:
            return y
        return norm(F.conv2d(F.relu(y), state[f"{name}.1.weight"]), f"{name}.2")

    def operation(y: Tensor, op: str, name: str) -> Tensor:
        if op == "skip_connect":
            return y
        if op == "max_pool_3x3":
            return F.max_pool2d(y, 3, 1, 1)
        if op == "avg_pool_3x3":
            return F.avg_pool2d(y, 3, 1, 1, count_include_pad=False)
        for first in (0, 4):
            depthwise = state[f"{name}.{op}.{first + 1}.weight"]
            y = F.conv2d(F.relu(y), depthwise, padding=depthwise.shape[-1] // 2, groups=y.shape[1])
            y = norm(F.conv2d(y, state[f"{name}.{op}.{first + 2}.weight"]), f"{name}.{op}.{first + 3}")
        return y

    before = last = written.stem(x)
    count = len(net.module.cells)  # type: ignore[arg-type]
    for number in range(count):
        name = f"cells.{number}"
        kind = "reduce" if number in (1, 3) else "normal"
        if kind == "reduce":
            before, last = last, reduction(last, f"{name}.reduction")
        states = [fitted(before, f"{name}.before"), fitted(last, f"{name}.last")]
        taken: set[int] = set()
        for node in range(2):
            total = torch.zeros(())
            for side, letter in enumerate("xy"):
                key = f"{kind}.{node + 2}.{letter}"
                (source,) = arch[f"{key}.input"]  # type: ignore[misc, str-unpack]
                taken.add(source)  # type: ignore[arg-type]
                place = f"{name}.sides.{2 * node + side}.edges.{source}.candidates"
                total = total + operation(states[source], str(arch[key]), place)  # type: ignore[call-overload]
            states.append(total)
        loose = [index for index in range(4) if index not in taken]
        kernel = torch.cat([state[f"{name}.output.by_state.{index}.weight"] for index in loose], dim=1)
        out = F.conv2d(F.relu(torch.cat([states[index] for index in loose], dim=1)), kernel)
        before, last = last, norm(out, f"{name}.norm")
    return F.relu(last).mean((2, 3)) @ state["head.4.weight"].T


def test_the_network_is_the_one_of_the_authors_written_down_again() -> None:
    net = tiny(statistics="batch", operations=OPS).double()
    x = images(net).double()
    for arch in archs_of(net, 6):
        torch.testing.assert_close(net.train()(x, arch), reference(net, arch, x), rtol=1e-9, atol=1e-9)


def test_operations_have_weights_for_each_state_and_unused_ones_have_no_gradient() -> None:
    net = tiny().train()
    arch = net.space.arch({name: (1,) if name.endswith("input") else "sep_conv_3x3" for name in net.space.names})
    net(images(net), arch).sum().backward()
    for name, parameter in net.module.named_parameters():
        if ".edges." in name:
            used = ".edges.1." in name and "sep_conv" in name
            assert (parameter.grad is not None) == used, name
        if "output.by_state" in name:
            assert (parameter.grad is not None) == (name.split(".")[-2] != "1"), name


def test_under_a_mixture_a_state_is_taken_that_has_any_weight() -> None:
    net = tiny().eval()
    arch = net.space.smallest()
    decided = dict(zip(net.space.names, arch.code, strict=True))
    mixed = decided | {"normal.3.y.input": Mixture(torch.tensor([0.0, 0.0, 1.0]))}
    other = decided | {"normal.3.y.input": 2}
    torch.testing.assert_close(net(images(net), Decisions(mixed)), net(images(net), Decisions(other)))
    both = decided | {"normal.3.y.input": (1, 2)}
    assert not torch.allclose(net(images(net), Decisions(both)), net(images(net), Decisions(other)))


def test_the_auxiliary_head_is_for_the_training_alone() -> None:
    net = tiny(auxiliary=True, image_size=18)
    arch = net.space.smallest()
    with net.active(arch):
        found = net.train().module(images(net))
        assert isinstance(found, Output)
        assert found.aux[0].shape == (4, 3)
        assert isinstance(net.eval().module(images(net)), Tensor)
    assert not any("auxiliary" in name for name, _ in net.extract(arch).named_parameters())
    with pytest.raises(UsageError, match="auxiliary=False"):
        tiny(auxiliary=True, image_size=16)


def test_the_published_cells_in_the_authors_notation() -> None:
    net = tiny(nodes=5, operations=OPS)
    arch = zoo.enas_micro_arch(net.space)
    assert zoo.enas_micro_sequence(arch) == (FINAL_NORMAL, FINAL_REDUCE)
    assert (arch["normal.2.x.input"], arch["normal.2.x"]) == ((0,), "avg_pool_3x3")
    assert (arch["reduce.6.y.input"], arch["reduce.6.y"]) == ((1,), "sep_conv_5x5")
    for drawn in net.space.wrap(net.space.population(np.random.default_rng(0), 20)):
        assert zoo.enas_micro_arch(net.space, *zoo.enas_micro_sequence(drawn)) == drawn
    for wrong in ("0 2", FINAL_NORMAL.replace("4", "7"), "9" + FINAL_NORMAL[1:], FINAL_NORMAL[:-1] + "x"):
        with pytest.raises(UsageError):
            zoo.enas_micro_arch(net.space, wrong)


def test_its_turns_are_the_nodes_of_two_cells_and_a_controller_of_the_authors_sizes_takes_them() -> None:
    net = zoo.enas_micro(channels=2, auxiliary=False)
    turns = turns_of(net)
    assert [(turn.chain, turn.given, len(turn.choices)) for turn in turns] == [("normal", 2, 4)] * 5 + [
        ("reduce", 2, 4)
    ] * 5
    assert turns[0].choices == ("normal.2.x.input", "normal.2.y.input", "normal.2.x", "normal.2.y")
    controller = LSTMController(favour=("sep_conv_3x3", "sep_conv_5x5"))(Setting(net, 0, {}))
    shapes = {name: tuple(p.shape) for name, p in controller.named_parameters()}
    assert shapes == {
        "start": (1, 64),
        "cells.0.weight_ih": (256, 64),
        "cells.0.weight_hh": (256, 64),
        "embeddings.0.weight": (5, 64),
        "heads.0.weight": (5, 64),
        "heads.0.bias": (5,),
        "attention.0.weight": (64, 64),
        "attention.1.weight": (64, 64),
        "attention.2.weight": (1, 64),
    }
    assert controller.heads[0].bias.tolist() == [10, 10, 0, 0, 0]  # type: ignore[union-attr, operator]


def test_a_picture_shows_both_cells_and_their_loose_ends() -> None:
    net = tiny(nodes=5, operations=OPS)
    drawn = net.module.diagram(zoo.enas_micro_arch(net.space))  # type: ignore[operator]
    into = [edge for edge in drawn.edges if edge.target == "normal.out"]
    taken = {int(number) for number in FINAL_NORMAL.split()[::2]}
    assert {edge.source for edge in into} == {f"normal.{state}" for state in set(range(7)) - taken}
    assert len(drawn.edges) == 20 + len(into) + len([e for e in drawn.edges if e.target == "reduce.out"])


@pytest.mark.slow
def test_subnets_become_onnx(tmp_path: Path) -> None:
    net = tiny(operations=OPS)
    computes_the_same_in_onnx(net, archs_of(net, 1)[-1], tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"channels": 0},
        {"layers": 2},
        {"nodes": 0},
        {"operations": ()},
        {"operations": ("none",)},
        {"operations": ("skip_connect", "skip_connect")},
        {"dropout": 1.0},
        {"statistics": "none"},
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        tiny(**options)
