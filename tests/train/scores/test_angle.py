"""The angle: vectors written out path by path, and what it must be whatever the weights are."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cell_nets import cells_net
from small_nets import elastic_net, operations_net
from supernet import Supernet, zoo
from supernet.errors import RunError, UsageError
from supernet.measure import Score, Subnet
from supernet.measure.scores.score import scored
from supernet.nn import InputChoice, OpChoice, Zero
from supernet.nn.extraction import plain_module
from supernet.space import Arch
from supernet.train import Angle


def nasbench201() -> Supernet:
    return zoo.nasbench201(channels=4, cells=2, in_channels=1)


def moved(net: Supernet, *, seed: int = 0) -> tuple[Supernet, Supernet]:
    """The net with its initial weights, and one whose weights went somewhere, each tensor by another step."""
    other = copy.deepcopy(net)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in other.parameters():
            size = 0.5 * torch.rand(1, generator=generator)
            parameter.add_(size * torch.randn(parameter.shape, generator=generator))
    return net, other


def angle_of(initial: Supernet, net: Supernet, arch: Arch, score: Score | None = None) -> float:
    return scored(score or Angle(), Subnet(net, arch, {"initial": initial}))


def between(one: list[Tensor], other: list[Tensor]) -> float:
    first, second = (torch.cat([tensor.detach().double().flatten() for tensor in part]) for part in (one, other))
    return float(torch.acos(torch.clamp(first @ second / (first.norm() * second.norm()), -1, 1)))


def weights(module: nn.Module, *, vectors: bool = False) -> list[Tensor]:
    return [p for p in module.parameters() if vectors or p.ndim > 1]


# -- cells -----------------------------------------------------------------------------------------------------


def nasbench201_vector(net: Supernet, arch: Arch, *, vectors: bool, identity: str) -> list[Tensor]:
    """As in the released code: stem, every path of every cell, reductions, head."""
    body = net.module
    found = weights(body.stem, vectors=vectors) + weights(body.head, vectors=vectors)  # type: ignore[arg-type]
    for layer in body.layers:  # type: ignore[union-attr]
        if not hasattr(layer, "edges"):
            found += weights(layer, vectors=vectors)
            continue
        edges = dict(zip(arch.space.names, layer.edges, strict=True))
        for path in ((0, 3), (0, 2, 3), (0, 1, 2, 3), (0, 1, 3)):
            names = [f"{after}<-{before}" for before, after in itertools.pairwise(path)]
            if "none" in [arch[name] for name in names]:
                continue
            for name in names:
                edge, operation = edges[name], arch[name]
                width = edge.candidates["nor_conv_3x3"][1].out_channels
                if operation == "avg_pool_3x3":
                    found.append(torch.full((width, 3, 3), 1 / 9, dtype=torch.float64))
                elif operation == "skip_connect":
                    found += [torch.eye(width)] if identity == "eye" else []
                else:
                    found += weights(edge.candidates[operation], vectors=vectors)
    return found


@pytest.mark.parametrize(
    "score", [Angle(), Angle(vectors=True), Angle(identity="eye"), Angle(ends="last")], ids=lambda score: str(score)
)
def test_on_nasbench201_it_is_that_of_the_four_paths(score: Angle) -> None:
    initial, net = moved(nasbench201())
    kept: dict[object, object] = {}
    told = set()
    for index in range(0, net.space.size, 131):
        (arch,) = net.space.wrap(net.space.unindex([index]))
        found = score(Subnet(net, arch, {"initial": initial}, kept))
        paths = [("3<-0",), ("2<-0", "3<-2"), ("1<-0", "2<-1", "3<-2"), ("1<-0", "3<-1")]
        if all("none" in [arch[name] for name in path] for path in paths):
            assert found == 0
            continue
        vectors = [
            nasbench201_vector(one, arch, vectors=score.vectors, identity=score.identity) for one in (initial, net)
        ]
        assert found == pytest.approx(between(*vectors), abs=1e-9), arch
        told.add(round(found, 9))
    assert len(told) > 50


def all_paths(nodes: int, ends: str) -> list[tuple[int, ...]]:
    """Every path from one of two inputs to an end, as a list of nodes."""
    last = nodes + 1
    found = []
    for length in range(nodes + 1):
        for between_ in itertools.combinations(range(2, last + 1), length):
            for start in (0, 1):
                if between_ and (ends == "outputs" or between_[-1] == last):
                    found.append((start, *between_))
    return found


def test_the_paths_of_a_darts_cell_are_the_published_ones() -> None:
    assert len(all_paths(4, "outputs")) == 30  # RLNAS's list
    assert len(all_paths(4, "last")) == 16  # ABS's


@pytest.mark.parametrize("ends", ["outputs", "last"])
def test_in_cells_of_two_inputs_it_is_that_of_all_paths(ends: str) -> None:
    initial, net = moved(cells_net(nodes=3, kinds=("normal", "reduce", "normal2")))
    score = Angle(ends=ends)  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    for _ in range(12):
        arch = net.space.sample(rng)
        vectors = []
        for one in (initial, net):
            found = weights(one.module.stem) + weights(one.module.head)  # type: ignore[arg-type]
            for kind, cell in zip(("normal", "reduce", "normal2"), one.module.cells, strict=True):  # type: ignore[arg-type]
                for path in all_paths(3, ends):
                    steps = [(after, before) for before, after in itertools.pairwise(path)]
                    if any(before not in arch[f"{kind}.{after}"] for after, before in steps):  # type: ignore[operator]
                        continue
                    operations = [(arch[f"{kind}.{after}<-{before}"], after, before) for after, before in steps]
                    if "none" in [operation for operation, *_ in operations]:
                        continue
                    for operation, after, before in operations:
                        found += weights(cell[after - 2].edges[before].candidates[operation])
            vectors.append(found)
        assert angle_of(initial, net, arch, score) == pytest.approx(between(*vectors), abs=1e-9)


def test_on_the_space_of_darts_only_edges_that_are_kept_count() -> None:
    initial, net = moved(zoo.darts(channels=4, layers=3, nodes=2, in_channels=1, auxiliary=True))
    arch = net.space.sample(np.random.default_rng(0))
    before = angle_of(initial, net, arch)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "auxiliary" in name:
                parameter.mul_(-3)
    assert angle_of(initial, net, arch) == before
    for block in net.modules():
        if isinstance(block, OpChoice) and block.choice.name not in arch:
            for parameter in block.parameters():
                nn.init.constant_(parameter, 7.0)
    assert angle_of(initial, net, arch) == before
    with torch.no_grad():
        for parameter in net.module.classifier.parameters():  # type: ignore[union-attr]
            parameter.mul_(-1)
    assert angle_of(initial, net, arch) > before


def test_nodes_that_are_no_cell_are_refused() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            edges = [OpChoice(f"e{i}", {"conv": nn.Conv2d(1, 1, 1), "none": Zero()}) for i in range(4)]
            self.nodes = nn.ModuleList([InputChoice(None, edges[:2]), InputChoice(None, edges[2:])])

        def forward(self, x: Tensor) -> Tensor:
            first = self.nodes[0]([x, x])
            out: Tensor = self.nodes[1]([first, x])
            return out

    initial, net = moved(Supernet(Odd()))
    with pytest.raises(UsageError, match="no cell in which"):
        angle_of(initial, net, net.space.largest())


# -- chains ----------------------------------------------------------------------------------------------------


def chain() -> Supernet:
    return zoo.mobilenetv2(variant="proxyless", image_size=8, width_multiplier=0.25, depth_multiplier=0.5)


@pytest.mark.parametrize("build", [chain, operations_net, elastic_net], ids=["chain", "blocks", "elastic"])
@pytest.mark.parametrize("vectors", [False, True])
def test_on_chains_it_is_that_of_the_subnet_taken_out(build: Callable[[], Supernet], vectors: bool) -> None:
    initial, net = moved(build())
    rng = np.random.default_rng(1)
    kept: dict[object, object] = {}
    for _ in range(4):
        arch = net.space.sample(rng)
        taken = []
        for one in (initial, net):
            with one.active(arch):
                taken.append(weights(plain_module(one.module, one.selection, one.space.choices), vectors=vectors))
        found = Angle(vectors=vectors)(Subnet(net, arch, {"initial": initial}, kept))
        assert found == pytest.approx(between(*taken), abs=1e-9)


def test_an_identity_matrix_pulls_the_angle_towards_zero() -> None:
    initial, net = moved(chain())
    arch = net.space.smallest()
    assert "identity" in arch.options().values()
    assert angle_of(initial, net, arch, Angle(identity="eye")) < angle_of(initial, net, arch)


# -- whatever the weights are --------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [nasbench201, chain, elastic_net], ids=["cells", "chain", "elastic"])
def test_equal_weights_have_an_angle_of_zero_and_opposite_ones_of_pi(build: Callable[[], Supernet]) -> None:
    net = build()
    arch = net.space.largest()
    other = copy.deepcopy(net)
    assert angle_of(net, other, arch) == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(3.7)
    assert angle_of(net, other, arch) == pytest.approx(0, abs=1e-6)  # a length is no direction
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(-1)
    assert angle_of(net, other, arch) == pytest.approx(math.pi, abs=1e-6)


def test_small_angles_are_told_apart_in_float64() -> None:
    """In float32 the cosine of an angle of 1e-4 is 1."""
    net = operations_net()
    other = copy.deepcopy(net)
    arch = net.space.largest()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1e-4 * parameter.abs().mean() * torch.randn(parameter.shape, generator=generator))
    found = angle_of(net, other, arch)
    assert 5e-5 < found < 5e-4


def test_skips_add_nothing() -> None:
    initial, net = moved(nasbench201())
    none = dict.fromkeys(net.space.names, "none")
    with_skip = net.space.arch({**none, "3<-0": "nor_conv_3x3"})
    without = net.space.arch({**none, "3<-0": "nor_conv_3x3", "1<-0": "skip_connect", "3<-1": "skip_connect"})
    assert angle_of(initial, net, with_skip) == angle_of(initial, net, without)
    assert angle_of(initial, net, net.space.arch(none)) == 0


def test_what_is_missing_is_said() -> None:
    initial, net = moved(operations_net())
    arch = net.space.largest()
    with pytest.raises(UsageError, match="'initial' that holds them is missing"):
        Angle()(Subnet(net, arch, {}))
    with pytest.raises(UsageError, match="another network"):
        angle_of(operations_net(channels=4), net, arch)
    with pytest.raises(UsageError, match="identity"):
        Angle(identity="zero")  # type: ignore[arg-type]
    with torch.no_grad():
        next(net.parameters()).fill_(math.nan)
    with pytest.raises(RunError, match="The angle of"):
        angle_of(initial, net, arch)
