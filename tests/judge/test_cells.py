"""Width and depth against brute force and published cells; losses and gradients against what is known of small nets."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from small_nets import images, operations_net
from supernet import deploy, measure, zoo
from supernet.errors import UsageError
from supernet.judge import Cell, cell_shapes, cells_of, gradient_variance, loss_along
from supernet.judge.cells import _like_filters
from supernet.measure import Calibration
from supernet.space import Choice, Space

CALIBRATION = Calibration(images=64)


@pytest.mark.parametrize(
    ("edges", "width", "depth"),
    [
        (((0, 2), (1, 2), (0, 3), (1, 3), (1, 4), (0, 4), (0, 5), (2, 5)), 3.5, 3),  # DARTS, second order (table 1)
        (((0, 2), (1, 2), (0, 3), (1, 3), (0, 4), (1, 4), (0, 5), (1, 5)), 4.0, 2),  # as wide as four nodes can be
        (((0, 2), (1, 2), (1, 3), (2, 3), (2, 4), (3, 4), (3, 5), (4, 5)), 1.5, 5),  # as deep
        ((), 0.0, 0),
    ],
)
def test_published_and_extreme_cells(edges, width, depth) -> None:
    cell = Cell(edges)
    assert (cell.width, cell.depth) == (width, depth)


@given(st.sets(st.sampled_from([(s, t) for t in range(1, 5) for s in range(t)])))
def test_one_input_and_one_output_against_paths(edges) -> None:
    """Only what lies on a path counts; the paths are those of networkx."""
    graph = nx.DiGraph(sorted(edges))
    graph.add_nodes_from((0, 4))
    paths = list(nx.all_simple_paths(graph, 0, 4))
    used = {edge for path in paths for edge in itertools.pairwise(path)}
    cell = Cell(tuple(sorted(edges)), (0,), 4)
    assert cell.depth == max((len(path) - 1 for path in paths), default=0)
    shares = [[s == 0 for s, t in used if t == node] for node in {t for _, t in used}]
    assert cell.width == pytest.approx(sum(map(np.mean, shares)))


def test_cells_are_read_off_the_names_of_choices() -> None:
    space = zoo.nasbench201(channels=4, cells=1).space
    arch = space.arch(
        dict.fromkeys(space.names, "none") | {"1<-0": "skip_connect", "3<-1": "nor_conv_3x3", "2<-0": "nor_conv_1x1"}
    )
    assert cells_of(arch) == {"cell": Cell(((0, 1), (0, 2), (1, 3)), (0,), 3)}
    found = cell_shapes(arch)["cell"]
    assert (found.width, found.depth) == (1.0, 2)  # node 2 leads nowhere
    pairs = tuple(itertools.combinations(range(3), 2))
    inputs = Choice("normal.3.inputs", pairs)
    ops = ("none", "skip")
    kept = [Choice(f"normal.3<-{s}", ops, when=inputs.is_in([pair for pair in pairs if s in pair])) for s in range(3)]
    darts = Space([Choice("normal.2<-0", ops), Choice("normal.2<-1", ops), inputs, *kept])
    options = {"normal.2<-0": "skip", "normal.2<-1": "skip", "normal.3.inputs": (0, 2)}
    arch = darts.arch(options | {"normal.3<-0": "skip", "normal.3<-2": "skip"})
    assert cells_of(arch) == {"normal": Cell(((0, 2), (1, 2), (0, 3), (2, 3)), (0, 1), None)}
    every = [cells_of(other)["normal"] for other in darts.enumerate()]
    found = cell_shapes(arch)["normal"]
    assert (found.width, found.depth) == (1.5, 3)
    assert found.random_width == pytest.approx(np.mean([cell.width for cell in every]))
    assert found.random_depth == pytest.approx(np.mean([cell.depth for cell in every]))
    assert cell_shapes(operations_net().space.smallest()) == {}


def test_losses_along_directions_leave_the_weights_alone() -> None:
    net, data = operations_net(), images(n=200)
    arch, before = net.space.largest(), {name: value.clone() for name, value in net.state_dict().items()}
    found = loss_along(net, arch, data, distances=(-0.5, 0.0, 0.5), directions=3, calibration=CALIBRATION, seed=1)
    assert found.shape == (3, 3)
    assert found[:, 1] == pytest.approx(measure.loss(net, arch, data, calibration=CALIBRATION))
    assert len({round(float(value), 9) for value in found[:, [0, 2]].reshape(-1)}) == 6
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]), name
    again = loss_along(net, arch, data, distances=(0.5,), directions=3, calibration=CALIBRATION, seed=1)
    assert again[:, 0] == pytest.approx(found[:, 2])


def test_noise_has_the_norms_of_the_filters() -> None:
    weight = torch.randn(5, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    noise = _like_filters(weight, torch.Generator().manual_seed(1))
    assert noise.flatten(1).norm(dim=1) == pytest.approx(weight.flatten(1).norm(dim=1))
    assert abs(torch.cosine_similarity(noise.flatten(), weight.flatten(), dim=0)) < 0.5


def test_the_variance_of_gradients_is_that_of_plain_autograd() -> None:
    net, data = operations_net(), images(n=200)
    arch = net.space.largest()
    found = gradient_variance(net, arch, data, batches=3, batch_size=16, calibration=CALIBRATION)
    module = deploy.extract(net, arch, data, calibration=CALIBRATION).eval()
    gradients = []
    for x, y in data.train.batches(16, limit=48):
        loss = torch.nn.functional.cross_entropy(module(x), y)
        parts = torch.autograd.grad(loss, list(module.parameters()), allow_unused=True)
        gradients.append(np.concatenate([g.reshape(-1).double().numpy() for g in parts if g is not None]))
    expected = np.var(np.stack(gradients), axis=0).sum()
    assert found == pytest.approx(expected, rel=1e-4)
    assert all(parameter.grad is None for parameter in net.parameters())
    with pytest.raises(UsageError, match="at least 2 batches"):
        gradient_variance(net, arch, data, batches=1)
