"""Splitting by gradients: minimum cuts against brute force, D against backpropagation, planted disagreements."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from small_nets import elastic_net, executor, images, operations_net, step
from supernet import OpChoice, Supernet
from supernet.errors import UsageError
from supernet.nn import Decisions
from supernet.nn.leaves import Leaves
from supernet.train import Context
from supernet.train.edits.split_by_gradients import SplitByGradients, dissimilarity, minimum_cut, shared_parameters


def symmetric(m: int, seed: int) -> NDArray[np.float64]:
    upper = np.triu(np.random.default_rng(seed).normal(size=(m, m)), 1)
    return upper + upper.T


def directions(m: int, seed: int) -> NDArray[np.float64]:
    points = np.random.default_rng(seed).normal(size=(m, 4))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


# -- minimum cut ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("balanced", [False, True])
@given(m=st.integers(2, 7), seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_the_cut_is_the_smallest_there_is(balanced: bool, m: int, seed: int) -> None:
    weights = symmetric(m, seed)
    cuts = {}
    for size in (m // 2, m - m // 2) if balanced else range(1, m):
        for group in itertools.combinations(range(m), size):
            rest = [node for node in range(m) if node not in group]
            cuts[frozenset(group)] = sum(weights[i, j] for i in group for j in rest)
    found = minimum_cut(weights, balanced=balanced)
    assert found.cut == pytest.approx(min(cuts.values()))
    assert cuts[frozenset(found.first)] == pytest.approx(found.cut)
    assert sorted(found.first + found.second) == list(range(m))
    assert 0 in found.first


@given(m=st.integers(2, 8), seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_all_bipartitions_cut_no_worse_than_the_balanced_ones(m: int, seed: int) -> None:
    weights = symmetric(m, seed)
    assert minimum_cut(weights).cut <= minimum_cut(weights, balanced=True).cut + 1e-12


def test_the_released_enumeration_can_be_worse() -> None:
    """One operation against four that agree: two and three cannot say so."""
    points = np.array([[1.0, 0], [1, 0], [-1, 0], [1, 0], [1, 0]])
    d = 1 - points @ points.T
    assert minimum_cut(-d) == ((0, 1, 3, 4), (2,), -8.0)
    balanced = minimum_cut(-d, balanced=True)
    assert {len(balanced.first), len(balanced.second)} == {2, 3}
    assert balanced.cut == -6.0


@given(m=st.integers(3, 8), seed=st.integers(0, 10**6), twins=st.tuples(st.integers(0, 7), st.integers(0, 7)))
@settings(max_examples=100, deadline=None)
def test_equal_gradients_land_in_one_group(m: int, seed: int, twins: tuple[int, int]) -> None:
    one, other = twins[0] % m, twins[1] % m
    points = directions(m, seed)
    points[other] = points[one]
    found = minimum_cut(points @ points.T - 1)
    assert (one in found.first) == (other in found.first)


@pytest.mark.parametrize("m", [0, 1, 17])
def test_numbers_of_options_that_cannot_be_divided(m: int) -> None:
    with pytest.raises(UsageError, match=f"{m} options"):
        minimum_cut(np.zeros((m, m)))


# -- gradients -------------------------------------------------------------------------------------------------------


class Scaled(nn.Module):
    """x times a constant, with a weight of its own that gets a gradient too."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor, self.own = factor, nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * self.own * x


def planted(first: dict[str, float], second: dict[str, float]) -> Supernet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Supernet(
            nn.Sequential(
                nn.Flatten(),
                nn.Linear(64, 16),
                OpChoice("first", {name: Scaled(factor) for name, factor in first.items()}),
                OpChoice("second", {name: Scaled(factor) for name, factor in second.items()}),
                nn.Linear(16, 10),
            )
        )


def entered(net: Supernet, *, copies: int = 4, seed: int = 0) -> Context:
    whole = Supernet(Leaves(net, copies))
    return Context(step(whole), executor(whole, images()), seed)


def test_shared_are_the_parameters_that_no_option_has_for_itself() -> None:
    net = operations_net()
    first = net.space.choices[0]
    names = {id(p): name for name, p in net.module.named_parameters()}
    shared = {names[id(p)] for p in shared_parameters(net.module, first)}
    assert shared == {name for name in names.values() if not name.startswith("3.candidates")}
    sizes = elastic_net()
    assert len(shared_parameters(sizes.module, sizes.space.choices[0])) == len(list(sizes.parameters()))


def test_dissimilarity_is_one_minus_the_cosine_of_the_gradients() -> None:
    net = planted({"a": 1.0, "b": -2.0, "c": 0.3}, {"same": 1.0, "again": 1.0})
    entry = entered(net)
    batches = [entry.batch(number) for number in range(3)]
    choice = net.space.choices[0]
    found = dissimilarity(entry.executor, net.module, net.space, choice, batches, np.random.default_rng(0))
    expected = np.zeros((3, 3))
    for x, y in batches:
        gradients = []
        for code in range(3):
            net.zero_grad()
            F.cross_entropy(net(x, Decisions(first=code, second=0)), y).backward()
            parts = [
                p.grad.flatten() for name, p in net.named_parameters() if "module.2" not in name and p.grad is not None
            ]
            zeros = [torch.zeros(1)]  # `second` has an option that did not run
            gradients.append(torch.cat(parts + zeros))
        for i, j in itertools.product(range(3), repeat=2):
            expected[i, j] += 1 - F.cosine_similarity(gradients[i], gradients[j], dim=0).item()
    # Both options of `second` compute the same, so it does not matter which the random architecture has,
    # but for the weight of its own that gets the gradient: its share of the norm is the same too.
    assert np.allclose(found, expected / 3, atol=1e-5)
    assert np.allclose(found, found.T)
    assert 0.1 < found[0, 1] <= 2


def test_comparing_gradients_leaves_no_trace() -> None:
    entry = entered(operations_net())
    before = {name: t.clone() for name, t in entry.net.state_dict().items()}
    SplitByGradients(repeats=2).best(entry, 0)
    assert all(torch.equal(before[name], t) for name, t in entry.net.state_dict().items())
    assert all(parameter.grad is None for parameter in entry.net.parameters())
    assert all(module.training for module in entry.net.modules())


# -- splits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("disagreeing", ["first", "second"])
def test_the_choice_whose_options_disagree_is_split_where_they_do(disagreeing: str) -> None:
    agree, oppose = {"a": 1.0, "b": 1.0, "c": 1.0}, {"a": 1.0, "b": -1.0, "c": 1.0}
    net = planted(oppose, agree) if disagreeing == "first" else planted(agree, oppose)
    entry = entered(net)
    assert SplitByGradients(repeats=3).best(entry, 0) == (disagreeing, [["a", "c"], ["b"]])


def test_a_split_depends_on_the_state_and_the_seed_alone() -> None:
    found = []
    for seed in (0, 0, 1, 2, 3):
        torch.manual_seed(len(found))
        entry = entered(operations_net(), seed=seed)
        SplitByGradients(repeats=1)(entry)
        SplitByGradients(repeats=1)(entry)
        found.append(entry.net.module.allowed)
    assert torch.equal(found[0], found[1])
    assert not all(torch.equal(found[0], other) for other in found[2:])


def test_every_leaf_is_split_by_its_own_gradients() -> None:
    entry = entered(planted({"a": 1.0, "b": -1.0, "c": 1.0}, {"a": 1.0, "b": 1.0, "c": -1.0}))
    SplitByGradients(repeats=2)(entry)
    SplitByGradients(repeats=2)(entry)
    spaces = entry.net.module.spaces
    assert sum(space.size for space in spaces) == 9
    assert all(space.size < 9 for space in spaces)
    leaf = {(arch["first"], arch["second"]): entry.net.module.leaf(arch) for arch in entry.net.space.enumerate()}
    assert leaf["a", "a"] == leaf["c", "b"], "options that agree stay together"
    assert len({leaf["a", "a"], leaf["b", "a"], leaf["a", "c"], leaf["b", "c"]}) == 4


def test_no_choice_is_split_twice() -> None:
    """Though two of the first's options that stayed together disagree more than those of the second."""
    entry = entered(planted({"a": 1.0, "b": -1.0, "c": -1.0, "d": -1.0}, {"same": 1.0, "again": 1.0}))
    split = SplitByGradients(repeats=2, balanced=True)
    split(entry)
    split(entry)
    sizes = [[len(space.allowed(name)) for name in ("first", "second")] for space in entry.net.module.spaces]
    assert sizes == [[2, 1]] * 4


@pytest.mark.parametrize("fresh", [False, True])
def test_fresh_weights_only_where_asked_for(fresh: bool) -> None:
    entry = entered(operations_net(), copies=2)
    kept = copy.deepcopy(entry.net.module.copies[0].state_dict())
    SplitByGradients(repeats=1, fresh=fresh)(entry)
    for module in entry.net.module.copies:
        weights = module.state_dict()
        assert torch.equal(weights["0.weight"], kept["0.weight"]) != fresh
    one, other = (module.state_dict()["0.weight"] for module in entry.net.module.copies)
    assert torch.equal(one, other) != fresh


def test_a_leaf_without_choices_is_not_split() -> None:
    entry = entered(planted({"a": 1.0, "b": -1.0}, {"a": 1.0, "b": -1.0}), copies=8)
    split = SplitByGradients(repeats=1)
    split(entry)
    split(entry)
    with pytest.raises(UsageError, match="leaf 0 has split it already, and none is split twice"):
        split(entry)
    with pytest.raises(UsageError, match="0 batches"):
        SplitByGradients(repeats=0)
