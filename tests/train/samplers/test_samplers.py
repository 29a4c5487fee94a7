"""What each sampler draws, counted."""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from scipy import stats
from torch import nn

from small_nets import elastic_net, images, operations_net, step
from supernet import Arch, Choice, ElasticConv2d, OpChoice, Supernet
from supernet.errors import UsageError
from supernet.methods import fairnas, spos
from supernet.train import (
    Agreeing,
    BestOf,
    Fixed,
    MomentumSeparation,
    OneGroup,
    PathDropout,
    Predicted,
    Recipe,
    Sampler,
    Sandwich,
    Step,
    StrictFair,
    Uniform,
    fit,
)
from supernet.train.laws import SAMPLER_LAWS, SamplerLaw, paths_stay_in_the_subspace

BY_CODE = Predicted(lambda archs: [sum(arch.code) for arch in archs])


@cache
def operations() -> Supernet:
    return operations_net()


@cache
def elastic() -> Supernet:
    return elastic_net()


def blocks(*options: int) -> Supernet:
    """A chain of choice blocks with these numbers of options."""
    return Supernet(
        nn.Sequential(*(OpChoice(f"b{i}", {f"op{o}": nn.Identity() for o in range(n)}) for i, n in enumerate(options)))
    )


@pytest.mark.parametrize("law", SAMPLER_LAWS)
@pytest.mark.parametrize(
    ("sampler", "make"),
    [
        (Uniform(), operations),
        (Uniform(3), elastic),
        (StrictFair(), operations),
        (StrictFair(), lambda: blocks(2, 3, 4)),
        (Sandwich(), elastic),
        (Sandwich(0), operations),
        (Sandwich(smallest="second"), elastic),
        (PathDropout(0.9), operations),
        (OneGroup(Uniform(2), MomentumSeparation(choice="block1")), operations),
        (OneGroup(StrictFair(), MomentumSeparation(choice="b1")), lambda: blocks(2, 3, 4)),
        (Agreeing(Uniform(2), "kernel"), elastic),
        (Agreeing(StrictFair(), "b1"), lambda: blocks(2, 3, 4)),
        (BestOf(sampler=Uniform(3), rating=BY_CODE), elastic),
        (Sandwich(2, BestOf(sampler=Uniform(3), rating=BY_CODE, pick="worst")), elastic),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_samplers_keep_the_laws(sampler: Sampler, make: Callable[[], Supernet], law: SamplerLaw) -> None:
    law(sampler, make())


@pytest.mark.parametrize("law", SAMPLER_LAWS)
def test_a_fixed_path_keeps_the_laws(law: SamplerLaw) -> None:
    law(Fixed(elastic().space.smallest()), elastic())


# -- uniform ---------------------------------------------------------------------------------------------


def test_uniform_draws_every_pair_of_options_equally_often() -> None:
    pairs = Counter(Uniform().paths(step(operations(), i))[0].code for i in range(1800))
    assert set(pairs) == set(itertools.product(range(3), repeat=2))
    assert stats.chisquare(list(pairs.values())).pvalue > 1e-3


def test_uniform_groups_hold_independent_paths() -> None:
    groups = [Uniform(2).paths(step(operations(), i)) for i in range(900)]
    same = sum(first == second for first, second in groups)
    assert stats.binomtest(same, 900, 1 / 9).pvalue > 1e-3


def test_uniform_decides_gates_uniformly_and_leaves_closed_choices_out() -> None:
    drawn = [Uniform().paths(step(elastic(), i))[0] for i in range(800)]
    kernels = Counter(arch["kernel"] for arch in drawn)
    assert stats.chisquare([kernels[None], kernels[1], kernels[3]], [400, 200, 200]).pvalue > 1e-3


# -- strict fairness -------------------------------------------------------------------------------------


def forward_calls(recipe: Recipe, *, steps: int) -> dict[str, int]:
    """Training passes of every candidate, counted by hooks while the real loop runs."""
    net = copy.deepcopy(operations())
    calls: Counter[str] = Counter()
    for block in net.modules():
        if isinstance(block, OpChoice):
            for option, module in block.candidates.items():
                name = f"{block.choice.name}.{option}"
                calls[name] = 0
                module.register_forward_hook(lambda m, *_, name=name: calls.update([name] if m.training else []))
    fit(net, recipe, images(), steps=steps, batch_size=16, accelerator="cpu", progress=False)
    return dict(calls)


def test_strict_fairness_trains_every_candidate_exactly_as_often() -> None:
    assert set(forward_calls(fairnas(), steps=20).values()) == {20}


def test_expectation_fairness_does_not() -> None:
    counts = forward_calls(spos(sampler=Uniform(3)), steps=20)
    assert sum(counts.values()) == 2 * 3 * 20
    assert max(counts.values()) - min(counts.values()) >= 5


def counts_of_option_0(sampler: Sampler, *, runs: int, steps: int) -> np.ndarray:
    """How often each choice took its option 0, (runs · choices,)."""
    totals = np.zeros((runs, 2))
    for run in range(runs):
        for index in range(steps):
            paths = sampler.paths(step(operations(), index, seed=run))
            totals[run] += (operations().space.codes(paths) == 0).sum(axis=0)
    return totals.ravel()


def test_variance_of_update_counts_is_binomial_for_uniform_and_zero_for_strict_fairness() -> None:
    steps, m = 12, 3
    uniform = counts_of_option_0(Uniform(m), runs=250, steps=steps)
    assert uniform.mean() == pytest.approx(steps, rel=0.03)
    assert uniform.var() == pytest.approx(steps * m * (1 / m) * (1 - 1 / m), rel=0.25)  # n(m−1)/m per option
    assert set(counts_of_option_0(StrictFair(), runs=5, steps=steps)) == {steps}


def test_strict_fairness_with_unequal_numbers_of_options_takes_their_least_common_multiple() -> None:
    net = blocks(2, 3, 4)
    for index in range(20):
        codes = net.space.codes(StrictFair().paths(step(net, index)))
        assert len(codes) == 12
        for column, options in enumerate((2, 3, 4)):
            assert np.bincount(codes[:, column]).tolist() == [12 // options] * options


def test_strict_fairness_permutes_choices_independently() -> None:
    pairs = Counter(arch.code for i in range(400) for arch in StrictFair().paths(step(operations(), i)))
    assert len(pairs) == 9
    assert stats.chisquare(list(pairs.values())).pvalue > 1e-3


def test_strict_fairness_refuses_what_it_cannot_keep() -> None:
    with pytest.raises(UsageError, match="'kernel' only exists in some"):
        StrictFair().check(elastic())
    with pytest.raises(UsageError, match="needs 72 paths a step"):
        StrictFair().check(blocks(8, 9))
    StrictFair().check(blocks(8, 8))


# -- sandwich --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("random", [0, 2, 5])
def test_sandwich_is_largest_random_smallest_in_this_order(random: int) -> None:
    space = elastic().space
    between = set()
    for index in range(60):
        paths = Sandwich(random).paths(step(elastic(), index))
        assert len(paths) == random + 2
        assert (paths[0], paths[-1]) == (space.largest(), space.smallest())
        between |= set(paths[1:-1])
    assert between == (set(space.enumerate()) if random else set())


def test_the_smallest_may_come_second() -> None:
    space = elastic().space
    for index in range(5):
        largest, smallest, *between = Sandwich(3, smallest="second").paths(step(elastic(), index))
        assert (largest, smallest) == (space.largest(), space.smallest())
        assert between == Sandwich(3).paths(step(elastic(), index))[1:-1]


# -- path dropout ----------------------------------------------------------------------------------------


def test_path_dropout_rate_rises_linearly_and_is_shared_by_the_block() -> None:
    sampler = PathDropout(0.4, ramp=0.5)
    for k in (1, 2, 7):
        for progress, r in ((0.0, 0.0), (0.125, 0.1), (0.25, 0.2), (0.5, 0.4), (0.9, 0.4)):
            assert sampler.drop_probability(progress, k) ** k == pytest.approx(r)


@pytest.mark.parametrize(("progress", "r"), [(1 / 3, 0.2), (5 / 6, 0.5)])
def test_path_dropout_keeps_subsets_with_their_probability(progress: float, r: float) -> None:
    """With k paths dropped at p = r^(1/k), all k fall with probability r, and then one of them comes back."""
    k, n = 3, 3000
    sampler, p = PathDropout(0.6), r ** (1 / 3)
    drawn = Counter()
    for seed in range(n):
        decisions = sampler.paths(step(operations(), int(progress * 6), total=6, seed=seed))[0]
        drawn.update(decisions.values())
    subsets = [s for size in range(1, k + 1) for s in itertools.combinations(range(k), size)]
    if r == 0.5:
        assert set(drawn) == set(subsets)
    chances = [p ** (k - len(s)) * (1 - p) ** len(s) + (r / k if len(s) == 1 else 0) for s in subsets]
    assert sum(chances) == pytest.approx(1)
    given = [drawn[s] for s in subsets]
    assert stats.chisquare(given, [2 * n * chance for chance in chances]).pvalue > 1e-3


def test_path_dropout_drops_nothing_at_the_start() -> None:
    paths = {PathDropout(0.9).paths(step(operations(), 0, seed=seed))[0]["block0"] for seed in range(50)}
    assert paths == {(0, 1, 2)}


def test_path_dropout_refuses_sizes_even_where_an_operation_shares_the_choice() -> None:
    with pytest.raises(UsageError, match=r"Path dropout mixes .* 'width'"):
        PathDropout().check(elastic())
    shared = Choice("shared", (4, 8))
    conv = OpChoice(shared, {4: nn.Identity(), 8: nn.Identity()})
    with pytest.raises(UsageError, match="'shared'"):
        PathDropout().check(Supernet(nn.Sequential(conv, ElasticConv2d(3, shared))))


# -- fixed, and options outside their range ----------------------------------------------------------------


def test_fixed_is_one_architecture_of_this_space() -> None:
    arch = operations().space.arch({"block0": "skip", "block1": "conv3"})
    assert {tuple(Fixed(arch).paths(step(operations(), i))) for i in range(5)} == {(arch,)}
    with pytest.raises(UsageError, match="not in the space"):
        Fixed(arch).check(elastic())


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Uniform(0), "at least 1"),
        (lambda: Sandwich(-1), "0 or more"),
        (lambda: Sandwich(smallest="first"), "'last' or 'second'"),
        (lambda: PathDropout(1.0), r"\[0, 1\)"),
        (lambda: PathDropout(0.1, ramp=0), r"\(0, 1\]"),
    ],
)
def test_options_outside_their_range_are_refused(build: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        build()


@dataclass(frozen=True)
class Elsewhere:
    """Draws from the whole space, whatever it is given."""

    def check(self, net: Supernet) -> None:
        pass

    def paths(self, step: Step) -> Sequence[Arch]:
        return step.net.space.wrap(step.net.space.population(step.rng, 5))


def test_the_law_of_subspaces_catches_a_sampler_that_draws_elsewhere() -> None:
    with pytest.raises(AssertionError, match="may not be"):
        paths_stay_in_the_subspace(Elsewhere(), operations_net())
