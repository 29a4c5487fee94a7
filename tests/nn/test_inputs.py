"""Nodes: sets of edges, mixtures of sets, weights of edges, and what running them costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from supernet import Choice, EdgeWeights, InputChoice, Mixture, OpChoice, Supernet, Zero
from supernet.errors import UsageError
from supernet.nn import Decisions
from supernet.space import subsets

PAIRS = subsets(range(3), at_least=2, at_most=2)


class Counting(nn.Linear):
    calls = 0

    def forward(self, input: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(input)


def node(choice: Choice | None, **options: Any) -> tuple[Supernet, list[Counting], list[Tensor]]:
    """A node of three edges beside a choice that has nothing to do with it."""
    torch.manual_seed(0)
    edges = [Counting(3, 3) for _ in range(3)]

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.node = InputChoice(choice, edges, **options)
            self.op = OpChoice("op", {"skip": nn.Identity()})

        def forward(self, states: Sequence[Tensor]) -> Tensor:
            return self.op(self.node(states))

    return Supernet(Net()), edges, [torch.randn(2, 3) for _ in range(3)]


def test_an_index_runs_the_edges_of_its_option_and_the_others_cost_nothing() -> None:
    net, edges, states = node(Choice("inputs", PAIRS))
    for index, pair in enumerate(PAIRS):
        y = net(states, Decisions(inputs=index, op=0))
        torch.testing.assert_close(y, sum(edges[edge](states[edge]) for edge in pair))
        y.sum().backward()
        assert [edge.weight.grad is not None for edge in edges] == [place in pair for place in range(3)]
        assert [edge.calls for edge in edges] == [2 if place in pair else 0 for place in range(3)]
        for edge in edges:
            edge.calls, edge.weight.grad = 0, None


def test_in_a_mixture_an_edge_weighs_what_its_options_weigh() -> None:
    net, edges, states = node(Choice("inputs", PAIRS))
    weights = torch.tensor([0.5, 0.3, 0.2], requires_grad=True)
    outs = [edge(state) for edge, state in zip(edges, states, strict=True)]
    y = net(states, {"inputs": Mixture(weights), "op": "skip"})
    torch.testing.assert_close(y, 0.8 * outs[0] + 0.7 * outs[1] + 0.5 * outs[2])
    y.sum().backward()
    expected = [(outs[a] + outs[b]).sum() for a, b in PAIRS]
    assert weights.grad is not None
    torch.testing.assert_close(weights.grad, torch.stack(expected).detach())


def test_two_thirds_of_each_edge_are_the_uniform_mixture_of_three_pairs() -> None:
    net, _, states = node(Choice("inputs", PAIRS))
    uniform = net(states, {"inputs": Mixture(torch.full((3,), 1 / 3)), "op": "skip"})
    weighed = net(states, {"inputs": EdgeWeights(torch.full((3,), 2 / 3)), "op": "skip"})
    torch.testing.assert_close(weighed, uniform)


def test_a_subset_of_options_counts_an_edge_as_often_as_they_name_it() -> None:
    net, edges, states = node(Choice("inputs", PAIRS))
    y = net(states, Decisions(inputs=(0, 1), op=0))  # (0, 1) and (0, 2)
    outs = [edge(state) for edge, state in zip(edges, states, strict=True)]
    torch.testing.assert_close(y, 2 * outs[0] + outs[1] + outs[2])


def test_edges_that_do_not_run_add_their_weight_as_a_number() -> None:
    net, edges, states = node(Choice("inputs", PAIRS))
    weights = torch.tensor([0.5, 0.25, 0.125], requires_grad=True)
    y = net(states, Decisions(inputs=EdgeWeights(weights, run=(1,)), op=0))
    torch.testing.assert_close(y, 0.25 * edges[1](states[1]) + 0.625)
    y.sum().backward()
    assert weights.grad is not None
    assert weights.grad[0] == weights.grad[2] == y.numel()
    assert [edge.calls for edge in edges] == [0, 2, 0]
    one_hot = torch.tensor([0.0, 0.0, 1.0], requires_grad=True)
    y = net(states, Decisions(inputs=Mixture(one_hot, run=(2,)), op=0))  # (1, 2) runs, edge 0 is a number
    torch.testing.assert_close(y, edges[1](states[1]) + edges[2](states[2]))


def test_a_node_without_a_choice_sums_all_edges_unless_its_name_is_given_weights() -> None:
    net, edges, states = node(None, name="node")
    outs = [edge(state) for edge, state in zip(edges, states, strict=True)]
    assert net.space.names == ("op",)
    assert net.nodes == {"node": 3}
    torch.testing.assert_close(net(states, {"op": "skip"}), outs[0] + outs[1] + outs[2])
    given = {"op": "skip", "node": EdgeWeights(torch.tensor([1.0, 0.0, 2.0]))}
    torch.testing.assert_close(net(states, given), outs[0] + 2 * outs[2])


def test_edges_that_contribute_nothing_are_left_out_but_one_gives_its_shape() -> None:
    ops = [OpChoice(f"op{place}", {"none": Zero(), "scale": nn.Linear(3, 3)}) for place in range(2)]
    calls: list[int] = []
    for place, op in enumerate(ops):
        op.register_forward_hook(lambda *_, place=place: calls.append(place))
    net = Supernet(InputChoice(None, ops))
    states = [torch.randn(2, 3), torch.randn(2, 3)]
    torch.testing.assert_close(net(states, {"op0": "none", "op1": "scale"}), ops[1].candidates["scale"](states[1]))
    assert calls == [1]
    assert not net(states, {"op0": "none", "op1": "none"}).any()
    assert calls == [1, 1]


def test_mixtures_that_run_nothing_are_left_out_of_the_sum() -> None:
    ops = [OpChoice(f"op{place}", {"none": Zero(), "scale": Counting(3, 3)}) for place in range(2)]
    net = Supernet(InputChoice(None, ops))
    states = [torch.randn(2, 3), torch.randn(2, 3)]
    empty = Mixture(torch.zeros(2), run=())
    y = net(states, {"op0": empty, "op1": "scale"})
    torch.testing.assert_close(y, ops[1].candidates["scale"](states[1]))
    assert ops[0].candidates["scale"].calls == 0
    assert net(states, {"op0": empty, "op1": empty}).shape == (2, 3)
    bare = Supernet(OpChoice("op", {"a": nn.Identity(), "b": nn.Tanh()}))
    with pytest.raises(UsageError, match="set of options to run decided for 'op' is empty"):
        bare(states[0], {"op": Mixture(torch.zeros(2), run=())})


def test_nothing_to_sum_is_said() -> None:
    net, _, states = node(Choice("inputs", ((), (0,))))
    with pytest.raises(UsageError, match=r"No edge of the node 'inputs' runs.*`silent`"):
        net(states, {"inputs": (), "op": "skip"})
    assert net.module.node.depends_on()[0].options == ((), (0,))
    with net.active({"inputs": (), "op": "skip"}):
        assert net.module.node.silent


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"inputs": EdgeWeights(torch.ones(2))}, r"'inputs' has 3 edges, but EdgeWeights of shape \(2,\)"),
        ({"inputs": EdgeWeights(torch.ones(3), run=(3,))}, r"run=\(3,\) were given"),
        ({"input": EdgeWeights(torch.ones(3))}, "'input', which is no node.*Did you mean 'inputs'"),
        ({"op": EdgeWeights(torch.ones(3))}, "'op', which is no node"),
    ],
)
def test_weights_that_fit_no_node_are_refused(given: dict[str, Any], said: str) -> None:
    net, _, states = node(Choice("inputs", PAIRS))
    for target in (Decisions(inputs=0, op=0) | given, {"inputs": (0, 1), "op": "skip", **given}):
        with pytest.raises(UsageError, match=said):
            net(states, Decisions(target) if isinstance(target, Decisions) else target)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((Choice("inputs", ("a",)), [nn.Identity()]), "option 'a' of the choice 'inputs' is no tuple of distinct"),
        ((Choice("inputs", ((0, 0),)), [nn.Identity()]), r"option \(0, 0\)"),
        ((Choice("inputs", ((1,),)), [nn.Identity()]), r"option \(1,\).*from 0 to 0"),
        ((None, []), "has no edge"),
    ],
)
def test_what_cannot_be_a_node_is_refused(arguments: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        InputChoice(*arguments)


def test_a_node_with_a_choice_owns_its_edges_and_has_its_name() -> None:
    for options in ({"name": "node"}, {"registered": False}):
        with pytest.raises(UsageError, match="given the choice 'inputs' and"):
            InputChoice(Choice("inputs", ((0,),)), [nn.Identity()], **options)


def test_nodes_of_one_name_have_as_many_edges() -> None:
    op = OpChoice("op", {"skip": nn.Identity()})
    nodes = [InputChoice(None, [nn.Identity() for _ in range(count)], name="node") for count in (1, 2)]
    with pytest.raises(UsageError, match="Two nodes are named 'node', one with 1 edges and one with 2"):
        Supernet(nn.Sequential(op, *nodes))


class Optional(nn.Module):
    """A node that may take nothing, which the network around it then leaves out."""

    def __init__(self) -> None:
        super().__init__()
        self.node = InputChoice(Choice("inputs", ((), (0,), (0, 1))), [nn.Linear(3, 3), nn.Linear(3, 3)])

    def forward(self, x: Tensor) -> Tensor:
        return x if getattr(self.node, "silent", False) else x + self.node([x, x])


def test_a_node_that_takes_nothing_is_silent_also_when_it_is_taken_out() -> None:
    net, x = Supernet(Optional()).eval(), torch.randn(2, 3)
    for arch in net.space.enumerate():
        torch.testing.assert_close(net.extract(arch)(x), net(x, arch))
    nothing = net.extract(net.space.arch({"inputs": ()}))
    assert torch.equal(nothing(x), x)
    assert sum(p.numel() for p in nothing.parameters()) == 0


def test_a_node_may_be_empty_where_something_makes_zeros_of_its_shape() -> None:
    anyone = subsets(range(3), at_least=0)
    net, edges, states = node(Choice("inputs", anyone), empty=Zero())
    for given in ({"inputs": (), "op": "skip"}, Decisions(inputs=EdgeWeights(torch.ones(3), ()), op=0)):
        y = net(states, given)
        assert y.shape == states[0].shape
        assert not y.any()
    assert [edge.calls for edge in edges] == [0, 0, 0]
    torch.testing.assert_close(net(states, {"inputs": (1,), "op": "skip"}), edges[1](states[1]))
    arch = net.space.arch({"inputs": (), "op": "skip"})
    assert not net.extract(arch)(states).any()
    without, *_ = node(Choice("inputs", anyone))
    with pytest.raises(UsageError, match="a sum of nothing has no shape"):
        without(states, {"inputs": (), "op": "skip"})
