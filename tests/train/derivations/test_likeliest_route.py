"""The likeliest route is that of brute force."""

from itertools import pairwise
from math import prod

import numpy as np
import pytest
import torch

from dense_nets import dense_net
from small_nets import executor, images, operations_net, step
from supernet.errors import RunError, UsageError
from supernet.space.restriction import Restriction
from supernet.space.ways import Ways
from supernet.train import Context, LikeliestRoute, OfBestEpoch, OptionLogits, Step
from supernet.train.derivations.likeliest_route import likeliest
from supernet.train.edits.remember_derived import DERIVED


def test_it_is_the_route_with_the_largest_product_by_brute_force() -> None:
    ways = Ways([tuple(range(n + 1, min(n + 4, 7) + 1)) for n in range(7)])
    routes, rng, greedy = list(ways.routes()), np.random.default_rng(0), 0
    for _ in range(30):
        p = {c.name: rng.dirichlet(np.ones(len(c))).tolist() for c in ways.choices if c is not None}

        def along(route, p=p):
            steps = ((ways.choices[a], b) for a, b in pairwise(route))
            return prod(p[choice.name][choice.position(b)] for choice, b in steps if choice is not None)

        found = likeliest(ways, p)
        assert found == max(routes, key=along)
        at, step_by_step = 0, [0]
        while at != ways.last:
            choice = ways.choices[at]
            at = ways.following[at][0 if choice is None else int(np.argmax(p[choice.name]))]
            step_by_step.append(at)
        greedy += tuple(step_by_step) == found
    assert greedy < 25  # the largest at every block is another rule


def test_among_equals_the_nearest_block_before_comes_first() -> None:
    ways = Ways([(1, 2), (3,), (3,)])
    assert likeliest(ways, {"block0.next": (0.5, 0.5)}) == (0, 2, 3)


@pytest.fixture(scope="module")
def net():
    return dense_net()


def context(net, fill, *, restriction=None, memory=None) -> Context:
    logits = OptionLogits(net)
    with torch.no_grad():
        for choice, values in logits.named():
            values.copy_(torch.tensor(fill.get(choice.name, [0.0] * len(choice))))
    now = step(net, parts={"architecture": logits})
    now = Step(**{**vars(now), "restriction": restriction or Restriction(net.space), "memory": memory or {}})
    return Context(now, executor(net, images()))


def test_operations_are_the_strongest_ones_on_the_route_and_what_is_forbidden_stays_out(net) -> None:
    fill = {"block0.next": [0.0, 0.0, 5.0], "block3.from0": [0.0, 1.0]}
    assert str(LikeliestRoute().derive(context(net, fill))) == "block0.next=3,block3.from0=MB6_K3"
    restriction = Restriction(net.space)
    restriction.decide("block0.next", 1)
    assert LikeliestRoute().derive(context(net, fill, restriction=restriction))["block0.next"] == 1


def test_what_was_remembered_of_the_best_epoch_comes_first(net) -> None:
    last = LikeliestRoute().derive(context(net, {}))
    arch, second = [one for one in net.space.enumerate() if one != last][:2]
    told = [{"error": 0.1, "epoch": 3, "derived": str(arch)}, {"error": 0.2, "epoch": 5, "derived": str(second)}]
    memory = {DERIVED: told}
    assert OfBestEpoch().derive(context(net, {}, memory=memory)) == arch
    assert OfBestEpoch().derive(context(net, {})) == last


def test_logits_that_are_not_finite_and_spaces_without_routes_are_named(net) -> None:
    with pytest.raises(RunError, match=r"logits of 'block0.next' are not finite"):
        LikeliestRoute().derive(context(net, {"block0.next": [float("nan")] * 3}))
    with pytest.raises(UsageError, match="no places with routes"):
        LikeliestRoute().check(operations_net())
