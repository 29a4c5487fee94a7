"""SparseNAS: weights of operations, what they leave of nodes and edges, and a penalty that removes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

from method_trials import moves, on_digits, published, squares, train
from small_nets import elastic_net, executor, operations_net, step
from supernet import Supernet, measure, zoo
from supernet.errors import RunError, UsageError
from supernet.methods import darts, sparsenas
from supernet.methods.cells.sparsenas import ARCHITECTURE
from supernet.nn import EdgeWeights, Mixture
from supernet.space.restriction import Restriction
from supernet.train import HAPG, Context, NonZero, OperationWeights, Softmax, Trained, Updates, adam, sgd

OPERATIONS = ("skip_connect", "sep_conv_3x3", "max_pool_3x3")


def cells(**options: Any) -> Supernet:
    sizes: dict[str, Any] = {"channels": 4, "layers": 3, "nodes": 2, "in_channels": 1, "image_size": 8}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        space = {"inputs": "any", "several_ops": True, "operations": OPERATIONS}
        return zoo.darts(**{**sizes, **space, **options})


def nas_bench() -> Supernet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return zoo.nasbench201(channels=4, cells=1, in_channels=1)


TRIALS = {
    "sparsenas": lambda: on_digits(sparsenas().with_weights(lr=0.1), cells(operations=OPERATIONS[:2]), steps=120),
    "sparsenas, one operation per edge": lambda: on_digits(
        sparsenas(revive=True).with_weights(lr=0.1), operations_net()
    ),
}
ALTERNATIVES = {
    "initial": 0.5,
    "revive": True,
    "order": 2,
    "weights": sgd(0.1),
    "architecture": adam(0.1),
}
SETTINGS = {"initial": None, "revive": False, "order": 1}
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"}


def test_settings_are_those_of_darts_and_of_the_penalty() -> None:
    assert published(sparsenas().weights) == published(darts().weights)
    assert (
        Updates(optimiser=HAPG(lr=3e-4, penalty=0.01, l1_share=0.5, betas=(0.5, 0.999), momentum=0.9)) == ARCHITECTURE
    )
    told = [(move.families, move.data) for move in moves(sparsenas(), operations_net())]
    assert told == [(("architecture",), "validation"), (("weights",), "train")]


def context(net: Supernet, part: OperationWeights) -> Context:
    now = replace(step(net, 5, parts={"architecture": part}), restriction=Restriction(net.space))
    return Context(now, executor(net, squares()))


def zeroed(part: OperationWeights, number: int, kept: dict[int, float]) -> None:
    with torch.no_grad():
        part.weights[number].zero_()
        for place, value in kept.items():
            part.weights[number][place] = value


# -- what runs -----------------------------------------------------------------------------------------------------


def test_operations_begin_with_the_weight_that_softmax_gives_them() -> None:
    part = OperationWeights(cells())
    assert [len(weights) for weights in part.weights] == 2 * [2 * 3, 3 * 3]
    every = torch.cat([weights.detach() for weights in part.weights])
    assert every.mean() == pytest.approx(1 / 3, abs=1e-3)
    assert every.std() == pytest.approx(1e-3, rel=0.3)
    assert OperationWeights(cells(), initial=0.5).weights[0].mean().item() == pytest.approx(0.5, abs=2e-3)


def test_nodes_sum_weighed_operations_and_zeros_do_not_run() -> None:
    net = cells()
    part = OperationWeights(net)
    zeroed(part, 0, {})  # node 2 of the normal cell is gone
    zeroed(part, 1, {1: -0.3, 2: 0.5, 7: 2.0})  # of node 3: two operations of edge 0, none of edge 1, one of edge 2
    decisions = part.draw(context(net, part).step, Softmax(), "weights")
    cell: Any = net.module.cells[0]  # type: ignore[union-attr, index]
    x, y = torch.randn(2, 4, 4, 8, 8, generator=torch.Generator().manual_seed(0)).unbind()
    seen = []

    def note(_: nn.Module, given: Any, out: Any) -> None:
        seen.append(out)

    handle = cell.nodes.register_forward_hook(note)
    states = [x, y]
    with net.active(decisions):
        for node in cell.nodes:
            states.append(node(states))
    handle.remove()
    members = [edge.op.members for edge in cell.nodes[1].edges]
    assert states[2].shape == x.shape
    assert not states[2].any(), "zero"
    expected = (
        -0.3 * members[0]["sep_conv_3x3"](x)
        + 0.5 * members[0]["max_pool_3x3"](x)
        + 2.0 * members[2]["sep_conv_3x3"](states[2])
    )
    torch.testing.assert_close(states[3], expected)
    states[3].square().sum().backward()
    used = {name.split(".members.")[0] for name, p in cell.named_parameters() if p.grad is not None}
    assert used == {"nodes.1.edges.0.op", "nodes.1.edges.2.op"}
    assert part.weights[0].grad is None
    gradient = part.weights[1].grad
    assert gradient is not None
    assert gradient.nonzero().flatten().tolist() in ([1, 2, 7], [1, 2]), "what is zero has no gradient"


@pytest.mark.parametrize("revive", [False, True])
def test_zeros_run_in_moves_on_the_architecture_if_they_may_return(revive: bool) -> None:
    net = cells()
    part = OperationWeights(net, revive=revive)
    for number in range(4):
        zeroed(part, number, {0: 1.0})
    now = context(net, part).step
    for use, everything in (("weights", False), ("architecture", revive)):
        decisions = part.draw(now, Softmax(), use)
        of: Any = decisions["normal.3<-1"]
        assert isinstance(of, EdgeWeights)
        assert of.run == ((0, 1, 2) if everything else ())
        inputs: Any = decisions["normal.3.inputs"]
        assert inputs.run == ((0, 1, 2) if everything else (0,))
        x = torch.randn(4, 1, 8, 8)
        part.zero_grad()
        net(x, decisions).square().sum().backward()
        touched = [int(weights.grad.count_nonzero()) if weights.grad is not None else 0 for weights in part.weights]
        assert all(count > 1 for count in touched) == everything


def test_where_nothing_may_be_empty_the_strongest_stays() -> None:
    net = operations_net()
    part = OperationWeights(net)
    zeroed(part, 0, {})
    zeroed(part, 1, {2: -0.1})
    assert [part.kept(number, None) for number in (0, 1)] == [[0], [2]]
    decision: Any = part.draw(context(net, part).step, Softmax(), "weights")["block0"]
    assert isinstance(decision, Mixture)
    assert decision.run == (0,)
    arch = NonZero().derive(context(net, part))
    assert (arch["block0"], arch["block1"]) == ("conv3", "skip")
    zeroed(part, 1, {1: 0.5, 2: -2.0})
    assert NonZero().derive(context(net, part))["block1"] == "skip", "the largest weight, of either sign"
    bench = nas_bench()
    part = OperationWeights(bench)
    zeroed(part, 0, {})
    assert NonZero().derive(context(bench, part))["1<-0"] == "none"
    subsets = cells(inputs="subsets")
    part = OperationWeights(subsets)
    zeroed(part, 1, {})
    assert NonZero().derive(context(subsets, part))["normal.3.inputs"] == (0,)


def test_what_is_forbidden_does_not_run() -> None:
    net = cells()
    part = OperationWeights(net)
    restriction = Restriction(net.space)
    restriction.allow("normal.3.inputs", [(0,), (0, 2)])
    restriction.allow("normal.3<-0", [("skip_connect",)])
    assert part.kept(1, restriction) == [0, 6, 7, 8]


# -- what is derived -------------------------------------------------------------------------------------------------


def test_whatever_is_not_zero_is_derived_and_a_node_without_any_is_empty() -> None:
    net = cells()
    part = OperationWeights(net)
    zeroed(part, 0, {})
    zeroed(part, 1, {1: 1e-12, 2: -0.5, 7: 2.0})
    zeroed(part, 2, {5: 1.0})
    arch = NonZero().derive(context(net, part))
    assert arch["normal.2.inputs"] == ()
    assert arch["normal.3.inputs"] == (0, 2)
    assert arch["normal.3<-0"] == ("sep_conv_3x3", "max_pool_3x3")
    assert arch["normal.3<-2"] == ("sep_conv_3x3",)
    assert (arch["reduce.2.inputs"], arch["reduce.2<-1"]) == ((1,), ("max_pool_3x3",))
    assert arch["reduce.3.inputs"] == (0, 1, 2), "untouched"
    x = torch.randn(2, 1, 8, 8)
    subnet = net.extract(arch)
    torch.testing.assert_close(subnet(x), net(x, arch))
    assert measure.params(net, arch) == sum(p.numel() for p in subnet.parameters())


def test_a_penalty_that_leaves_nothing_of_a_cell_is_said() -> None:
    net = cells()
    part = OperationWeights(net)
    zeroed(part, 0, {})
    assert NonZero().derive(context(net, part))["normal.2.inputs"] == ()
    zeroed(part, 1, {})
    with pytest.raises(RunError, match=r"'normal.2.inputs', 'normal.3.inputs' has become 0.*architecture\.penalty"):
        NonZero().derive(context(net, part))
    with pytest.raises(RunError, match="earlier checkpoints are untouched"):
        train(
            sparsenas(architecture=Updates(optimiser=HAPG(lr=1.0, penalty=2.0))),
            net=cells(channels=2, nodes=1),
            steps=2,
        )


def counts(trained: Trained) -> list[int]:
    """The operations that are left of each node."""
    return [int(weights.count_nonzero()) for weights in trained.parts["architecture"].weights]


@cache
def trained_with(penalty: float, share: float = 0.5, *, nodes: int = 1) -> Trained:
    architecture = Updates(optimiser=HAPG(lr=0.02, penalty=penalty, l1_share=share))
    return train(sparsenas(architecture=architecture), net=cells(channels=2, nodes=nodes), steps=8)


def test_the_more_the_penalty_the_sparser_is_the_supernet() -> None:
    less, more = (sum(counts(trained_with(penalty))) for penalty in (1.0, 1.3))
    assert 2 * 6 > less > more, (less, more)


@pytest.mark.slow
def test_a_group_penalty_removes_nodes_and_an_l1_penalty_operations() -> None:
    """With μ = 0 a node loses nothing before it loses all."""
    nodes = counts(trained_with(1.4, 0.0, nodes=2))
    assert 0 in nodes
    assert all(count in (0, whole) for count, whole in zip(nodes, (6, 9, 6, 9), strict=True))
    assert 0 < min(counts(trained_with(1.2, 1.0))) <= max(counts(trained_with(1.2, 1.0))) < 6


@pytest.mark.slow
def test_what_is_out_stays_out() -> None:
    seen: list[list[int]] = []
    gone: set[tuple[int, int]] = set()

    class Watch:
        every = 1

        def __call__(self, now: Any) -> dict[str, float]:
            zeros = {
                (number, place)
                for number, weights in enumerate(now.parts["architecture"].weights)
                for place in (weights == 0).nonzero().flatten().tolist()
            }
            assert gone <= zeros
            gone.update(zeros)
            seen.append([len(zeros)])
            return {}

    architecture = Updates(optimiser=HAPG(lr=0.02, penalty=1.0))
    train(sparsenas(architecture=architecture), net=cells(channels=2, nodes=1), steps=10, monitors=[Watch()])
    assert seen[0] == [0]
    assert seen[-1][0] > 0


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (elastic_net, "cannot be mixed"),
        (lambda: cells(inputs="pairs", channels=2), r"zoo\.darts\(inputs='any'\)"),
    ],
)
def test_spaces_that_do_not_hold_what_may_be_left_are_refused_before_training(
    net: Callable[[], Supernet], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        train(sparsenas(), net=net())


def test_values_outside_their_range_are_refused_where_they_are_given() -> None:
    with pytest.raises(UsageError):
        sparsenas(initial=0.0)
    with pytest.raises(UsageError):
        sparsenas(order=3)  # type: ignore[arg-type]
