import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from supernet import EdgeWeights, Mixture, OpChoice, measure, zoo
from supernet.errors import UsageError
from supernet.nn import Decisions
from supernet.nn.diagram import Edge
from supernet.zoo.cells.nas_bench_201 import EDGES, OPS
from zoo_networks import count_macs, count_params


def arch_of(net, *ops):
    return net.space.arch(dict(zip(EDGES, ops, strict=True)))


def test_weights_of_edges_multiply_what_they_bring():
    net = zoo.nasbench201(channels=4, cells=1, in_channels=1)
    cell = net.module.layers[0]
    x = torch.randn(2, 4, 6, 6)
    arch = arch_of(net, *["avg_pool_3x3"] * 3, *["skip_connect"] * 2, "none")
    pool = torch.nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    assert net.nodes == {"1": 1, "2": 2, "3": 3}
    weights = {"1": EdgeWeights(torch.tensor([2.0])), "3": EdgeWeights(torch.tensor([0.5, 3.0, 7.0]))}
    with net.active({**arch.options(), **weights}):
        torch.testing.assert_close(cell(x), 0.5 * x + 3 * (2 * pool(x)))
    with net.active(arch):
        torch.testing.assert_close(cell(x), x + pool(x))


def test_gradients_reach_the_weights_of_edges():
    net = zoo.nasbench201(channels=4, cells=1, in_channels=1)
    weights = {name: torch.ones(count, requires_grad=True) for name, count in net.nodes.items()}
    relaxed = {name: Mixture(torch.full((5,), 0.2)) for name in EDGES}
    edges = {name: EdgeWeights(w) for name, w in weights.items()}
    net(torch.randn(2, 1, 8, 8), Decisions({**relaxed, **edges})).square().sum().backward()
    assert all((w.grad != 0).all() for w in weights.values())


def test_the_names_of_weights_are_those_of_earlier_releases():
    names = [name for name in zoo.nasbench201(channels=4, cells=1).state_dict() if name.startswith("module.layers.0.")]
    assert names[0] == "module.layers.0.edges.0.candidates.nor_conv_1x1.1.weight"
    assert not any("nodes" in name for name in names)


def test_an_auxiliary_skip_stands_beside_every_edge_while_the_setting_says_so():
    net = zoo.nasbench201(channels=4, cells=1, in_channels=1, aux_skip=True)
    plain = zoo.nasbench201(channels=4, cells=1, in_channels=1)
    assert net.space.fingerprint == plain.space.fingerprint
    assert net.settings == {"aux_skip", "drop_path"}
    assert sum(p.numel() for p in net.parameters()) == sum(p.numel() for p in plain.parameters())
    cell, x = net.module.layers[0], torch.randn(2, 4, 6, 6)
    none = arch_of(net, *["none"] * 6)
    with net.active(none, settings={"aux_skip": 0.5}):
        torch.testing.assert_close(cell(x), 0.5 * (x + 0.5 * x + 0.5 * (x + 0.5 * x)))
    with net.active(none):
        assert not cell(x).any()
    arch = arch_of(net, "skip_connect", "none", "none", "none", "avg_pool_3x3", "none")
    pool = torch.nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    with net.active(arch, settings={"aux_skip": 0.5}):
        first, second = 1.5 * x, 0.5 * x + 0.5 * 1.5 * x
        torch.testing.assert_close(cell(x), 0.5 * x + pool(first) + 0.5 * first + 0.5 * second)
    with net.active(arch):
        torch.testing.assert_close(cell(x), pool(x))
    assert (
        measure.macs(net, arch) == measure.macs(plain, arch) == count_macs(net.extract(arch), torch.zeros(1, 1, 32, 32))
    )


def with_counts(net, n_1x1, n_3x3):
    rest = 6 - n_1x1 - n_3x3
    return arch_of(net, *["nor_conv_1x1"] * n_1x1, *["nor_conv_3x3"] * n_3x3, *["skip_connect"] * rest)


def reference(state, text, x, *, cells):
    """The network of an architecture string, written down a second time with functions only."""

    def norm(y, name):
        return F.batch_norm(y, None, None, state.get(f"{name}.weight"), state.get(f"{name}.bias"), training=True)

    def conv(y, name, stride=1):
        weight = state[f"{name}.1.weight"]
        return norm(F.conv2d(F.relu(y), weight, stride=stride, padding=weight.shape[-1] // 2), f"{name}.2")

    def run(op, y, name):
        if op == "none":
            return 0 * y
        if op == "skip_connect":
            return y
        if op == "avg_pool_3x3":
            ones = torch.ones(y.shape[1], 1, 3, 3)
            inside = F.conv2d(torch.ones_like(y), ones, padding=1, groups=y.shape[1])
            return F.conv2d(y, ones, padding=1, groups=y.shape[1]) / inside
        return conv(y, f"{name}.candidates.{op}")

    y = norm(F.conv2d(x, state["stem.0.weight"], padding=1), "stem.1")
    layer = 0
    for stage in range(3):
        if stage:
            name = f"layers.{layer}"
            main = conv(conv(y, f"{name}.body.0", stride=2), f"{name}.body.1")
            y = main + F.conv2d(F.avg_pool2d(y, 2), state[f"{name}.shortcut.1.weight"])
            layer += 1
        for _ in range(cells):
            nodes = [y]
            edge = 0
            for node in text.split("+"):
                total = 0
                for item in node.strip("|").split("|"):
                    op, source = item.split("~")
                    total = total + run(op, nodes[int(source)], f"layers.{layer}.edges.{edge}")
                    edge += 1
                nodes.append(total)
            y = nodes[-1]
            layer += 1
    y = F.relu(norm(y, "head.0")).mean((2, 3))
    return F.linear(y, state["head.4.weight"], state["head.4.bias"])


@pytest.mark.parametrize("affine", [False, True])
def test_network_is_the_one_the_string_describes(affine):
    net = zoo.nasbench201(channels=4, cells=2, affine=affine)
    x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for arch in net.space.wrap(net.space.population(np.random.default_rng(0), 20)):
        expected = reference(net.module.state_dict(), zoo.nasbench201_string(arch), x, cells=2)
        torch.testing.assert_close(net(x, arch), expected, rtol=1e-4, atol=1e-5)


def test_space_is_the_published_one():
    net = zoo.nasbench201(channels=4, cells=1)
    assert net.space.size == 5**6
    assert net.space.names == ("1<-0", "2<-0", "2<-1", "3<-0", "3<-1", "3<-2")
    assert all(choice.options == OPS for choice in net.space.choices)
    assert set(net.space.smallest().values()) == {"none"}
    assert set(net.space.largest().values()) == {"nor_conv_3x3"}


def test_all_cells_share_the_six_choices():
    net = zoo.nasbench201(channels=4, cells=3)
    edges = [m for m in net.modules() if isinstance(m, OpChoice)]
    assert len(edges) == 3 * 3 * 6
    for number, edge in enumerate(edges):
        assert edge.choice is net.space.choices[number % 6]


@pytest.mark.slow
def test_params_follow_the_benchmarks_formula():
    """72,752 + 26,880 (n_1x1 + 9 n_3x3) without biases and BatchNorm."""
    net = zoo.nasbench201()
    for n_1x1, n_3x3 in itertools.product(range(7), repeat=2):
        if n_1x1 + n_3x3 <= 6:
            subnet = net.extract(with_counts(net, n_1x1, n_3x3))
            weights = sum(p.numel() for p in subnet.parameters() if p.dim() > 1)
            assert weights == 72_752 + 26_880 * (n_1x1 + 9 * n_3x3)


@pytest.mark.parametrize(
    ("row", "macs", "params"),
    [
        (0, 15_647_360, 129_306),
        (1, 113_951_360, 802_426),
        (857, 121_815_680, 858_426),
        (1835, 7_783_040, 73_306),
        (6111, 153_272_960, 1_073_466),
        (9930, 184_730_240, 1_288_506),
    ],
)
def test_macs_and_params_are_those_of_the_tables(row, macs, params):
    net = zoo.nasbench201(affine=True)
    subnet = net.extract(zoo.nasbench201_from_row(net.space, row))
    assert count_macs(subnet, torch.zeros(1, 3, 32, 32)) == macs
    assert count_params(subnet) == params


def test_gradients_reach_the_sampled_candidates_only():
    net = zoo.nasbench201(channels=4, cells=2, affine=True)
    arch = arch_of(net, "nor_conv_3x3", "nor_conv_1x1", "none", "avg_pool_3x3", "skip_connect", "nor_conv_3x3")
    net(torch.randn(2, 3, 8, 8), arch).sum().backward()
    chosen = {"edges.0.candidates.nor_conv_3x3", "edges.1.candidates.nor_conv_1x1", "edges.5.candidates.nor_conv_3x3"}
    for name, parameter in net.named_parameters():
        expected = ".edges." not in name or any(prefix in name for prefix in chosen)
        assert (parameter.grad is not None) is expected, name


def test_edges_without_an_operation_cost_nothing():
    net = zoo.nasbench201(channels=4, cells=1)
    ran = []
    for layer in net.modules():
        if isinstance(layer, OpChoice):
            layer.register_forward_hook(lambda edge, *_: ran.append(edge.choice.name))
    arch = arch_of(net, "skip_connect", "none", "nor_conv_1x1", "none", "none", "skip_connect")
    net(torch.randn(2, 3, 8, 8), arch)
    assert ran == ["1<-0", "2<-1", "3<-2"] * 3


def test_unreached_output_node_is_zero():
    net = zoo.nasbench201(channels=4, cells=1)
    arch = arch_of(net, *["nor_conv_3x3"] * 3, *["none"] * 3)
    first, second = (net(x, arch) for x in (torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)))
    torch.testing.assert_close(first, second)


def test_candidates_scale_and_shift_only_when_asked():
    def scales(net):
        return [name for name, _ in net.named_parameters() if ".candidates." in name and name.endswith("2.weight")]

    assert not scales(zoo.nasbench201(channels=4, cells=1))
    assert len(scales(zoo.nasbench201(channels=4, cells=1, affine=True))) == 3 * 6 * 2


def test_diagram_is_the_cell_without_empty_edges():
    net = zoo.nasbench201(channels=4, cells=1)
    arch = arch_of(net, "nor_conv_3x3", "none", "skip_connect", "avg_pool_3x3", "none", "nor_conv_1x1")
    diagram = net.module.diagram(arch)
    assert [node.kind for node in diagram.nodes] == ["input", "node", "node", "output"]
    assert diagram.edges == (
        Edge("0", "1", "conv 3×3"),
        Edge("1", "2", "skip"),
        Edge("0", "3", "avg pool 3×3"),
        Edge("2", "3", "conv 1×1"),
    )
    assert net.module.diagram(net.space.smallest()).edges == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [({"channels": 0}, "channels is 0"), ({"cells": 1.5}, "cells is 1.5"), ({"statistics": "mean"}, "'mean'")],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(UsageError, match=words):
        zoo.nasbench201(**options)


def test_partial_channels_keep_the_space_and_the_other_channels() -> None:
    torch.manual_seed(0)
    net = zoo.nasbench201(channels=8, cells=1, partial=4)
    assert net.space.fingerprint == zoo.nasbench201(channels=8, cells=1).space.fingerprint
    cell = net.module.layers[0]
    x = torch.randn(2, 8, 4, 4)
    nothing = net.space.arch(dict.fromkeys(net.space.names, "none"))
    with net.active(nothing):
        passed = cell.edges[0](x)
    left = torch.cat([torch.zeros(2, 2, 4, 4), x[:, 2:]], 1)
    torch.testing.assert_close(passed, left[:, [0, 2, 4, 6, 1, 3, 5, 7]])
    whole = zoo.nasbench201(channels=8, cells=1)
    per_cell = [sum(count_params(module.layers[i]) for i in (0, 2, 4)) for module in (whole.module, net.module)]
    assert per_cell[0] == 16 * per_cell[1], "convolutions of a quarter of the channels on both sides"
    with pytest.raises(UsageError, match="channels=6 is no multiple of partial=4"):
        zoo.nasbench201(channels=6, partial=4)
