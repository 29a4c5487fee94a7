"""Routes: one runs alone, and all together by their weights."""

from itertools import pairwise
from math import prod

import pytest
import torch
from torch import nn

from supernet import OpChoice, Supernet
from supernet.errors import UsageError
from supernet.nn import Decisions, EdgeWeights, Mixture, Routes
from supernet.nn.routes import routes_of
from supernet.space.ways import Ways

WAYS = [(1, 2), (2, 3), (3,)]


def linear_net(**options: bool) -> Supernet:
    """Edges and bodies without bias: the output is a sum over routes of products along them."""
    ways = Ways(WAYS)
    torch.manual_seed(0)
    edges = {(i, j): nn.Linear(4, 4, bias=False) for i, nodes in enumerate(WAYS) for j in nodes}
    return Supernet(
        Routes(ways, edges, [nn.Identity(), nn.Linear(4, 4, bias=False), nn.Identity(), nn.Identity()], **options)
    )


def along(net: Supernet, route: tuple[int, ...], x: torch.Tensor) -> torch.Tensor:
    routes = routes_of(net)
    for before, node in pairwise(route):
        x = routes.bodies[node](routes.edge(before, node)(x))
    return x


def mixture(*weights: float, run: tuple[int, ...] | None = None) -> Mixture:
    return Mixture(torch.tensor(weights), run)


def test_a_route_runs_its_own_edges_and_nothing_else() -> None:
    net, x = linear_net(), torch.randn(2, 4)
    ways = routes_of(net).ways
    for route in ways.routes():
        arch, called = net.space.arch(ways.decisions(route)), []
        handles = [
            m.register_forward_hook(lambda m, *_, called=called: called.append(m))
            for m in routes_of(net).edges.values()
        ]
        found, ran = net(x, arch), list(called)
        assert ran == [routes_of(net).edge(*pair) for pair in pairwise(route)]
        torch.testing.assert_close(found, along(net, route, x))
        for handle in handles:
            handle.remove()
        torch.testing.assert_close(net.extract(arch)(x), along(net, route, x))


def test_weighed_ways_are_the_sum_over_routes_of_the_products_of_their_weights() -> None:
    net, x = linear_net(), torch.randn(2, 4)
    weights = {"block0.next": (0.3, 0.7), "block1.next": (0.9, 0.1)}
    ways = routes_of(net).ways
    decisions = Decisions({name: mixture(*values) for name, values in weights.items()})
    weigh = lambda r: prod(  # noqa: E731
        weights[c.name][c.position(b)] for a, b in pairwise(r) if (c := ways.choices[a]) is not None
    )
    torch.testing.assert_close(net(x, decisions), sum(weigh(route) * along(net, route, x) for route in ways.routes()))
    one_hot = Decisions({"block0.next": mixture(0.0, 1.0), "block1.next": mixture(1.0, 0.0)})
    torch.testing.assert_close(net(x, one_hot), along(net, (0, 2, 3), x))
    both = Decisions({"block0.next": (0, 1), "block1.next": 1})
    torch.testing.assert_close(net(x, both), along(net, (0, 1, 3), x) + along(net, (0, 2, 3), x))


def test_options_that_do_not_run_add_their_weight_as_a_number() -> None:
    net, x = linear_net(), torch.randn(2, 4)
    weights = torch.tensor([1.0, 0.0], requires_grad=True)
    found = net(x, Decisions({"block0.next": Mixture(weights, (0,)), "block1.next": 0}))
    torch.testing.assert_close(found, along(net, (0, 1, 2, 3), x))
    found.sum().backward()
    assert weights.grad is not None
    assert weights.grad.abs().min() > 0


def test_the_end_may_be_weighed_by_another_softmax() -> None:
    net, x = linear_net(normalise_last=True), torch.randn(2, 4)
    decisions = Decisions({"block0.next": mixture(0.5, 0.5), "block1.next": mixture(0.2, 0.8)})
    from_one, from_two = torch.tensor([0.8, 1.0]).softmax(0)
    state = 0.5 * along(net, (0, 1), x)
    other = routes_of(net)
    second = 0.2 * other.edge(1, 2)(other.bodies[1](0.5 * other.edge(0, 1)(x))) + 0.5 * other.edge(0, 2)(x)
    torch.testing.assert_close(
        net(x, decisions), from_one * other.edge(1, 3)(state) + from_two * other.edge(2, 3)(second)
    )
    arch = net.space.arch({"block0.next": 1, "block1.next": 3})
    torch.testing.assert_close(net(x, arch), along(net, (0, 1, 3), x))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="The ways have 5 edges between 4 nodes; got 0 edges"):
        Routes(Ways(WAYS), {}, [nn.Identity()])
    net = linear_net()
    with pytest.raises(UsageError, match="no node whose edges can be weighed"):
        net(torch.ones(1, 4), Decisions({"block0.next": EdgeWeights(torch.ones(2)), "block1.next": 0}))
    with pytest.raises(UsageError, match="no places with routes"):
        routes_of(Supernet(OpChoice("op", {"a": nn.Identity()})))
