import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare

from strategies import all_codes, architectures, decisions, generators, spaces
from supernet.errors import UsageError
from supernet.space import Choice, Space

FLAT = Space([Choice(f"c{number}", range(number + 2)) for number in range(5)])
DEPTH = Choice("depth", (1, 2))
GATED = Space([DEPTH, Choice("kernel", (3, 5, 7, 9), when=DEPTH > 1)])


def repeated(code, n):
    return np.tile(np.asarray(code, dtype=np.int16), (n, 1))


def counts_of(codes, column, options):
    return np.bincount(codes[:, column], minlength=options)


# -- mutate ------------------------------------------------------------------------------------------------


def test_mutate_changes_each_decision_with_probability_p_times_others_over_all():
    n, p = 40_000, 0.3
    mutated = FLAT.mutate(repeated([1, 2, 0, 3, 5], n), np.random.default_rng(0), p=p)
    changed = mutated != repeated([1, 2, 0, 3, 5], n)
    for column, options in enumerate(range(2, 7)):
        assert binomtest(int(changed[:, column].sum()), n, p * (options - 1) / options).pvalue > 1e-3
    # Columns mutate independently: the joint frequency is the product.
    both = p * 1 / 2 * p * 2 / 3
    assert binomtest(int((changed[:, 0] & changed[:, 1]).sum()), n, both).pvalue > 1e-3


def test_mutate_draws_uniformly_over_the_options():
    mutated = FLAT.mutate(repeated([0, 0, 0, 0, 0], 20_000), np.random.default_rng(1), p=1.0)
    for column, options in enumerate(range(2, 7)):
        assert chisquare(counts_of(mutated, column, options)).pvalue > 1e-3


@given(spaces(), generators(), st.floats(0, 1))
def test_mutants_are_canonical_architectures_of_the_space(space, rng, p):
    codes = space.population(rng, 20)
    mutated = space.mutate(codes, rng, p=p)
    assert space.contains(mutated).all()
    assert (space.canonical(mutated) == mutated).all()
    assert (space.mutate(codes, rng, p=0.0) == codes).all()


def test_a_decision_that_a_mutation_switches_on_is_uniform():
    mutated = GATED.mutate(repeated([0, 0], 20_000), np.random.default_rng(2), p=0.5)
    awake = mutated[mutated[:, 0] == 1]
    assert binomtest(len(awake), 20_000, 0.25).pvalue > 1e-3
    assert chisquare(counts_of(awake, 1, 4)).pvalue > 1e-3


# -- change_one --------------------------------------------------------------------------------------------


@given(spaces(), generators())
def test_change_one_changes_exactly_one_active_decision(space, rng):
    codes = space.population(rng, 10)
    movable = space.active_mask(codes) & (np.asarray([len(space.allowed(name)) for name in space.names]) > 1)
    assume(movable.any(axis=1).all())
    before, after = space.wrap(codes), space.wrap(space.change_one(codes, rng))
    for old, new in zip(before, after, strict=True):
        assert new in space
        # Decisions that only one of the two has were switched on or off by the one that changed.
        changed = [name for name in space.names if None not in (old[name], new[name]) and old[name] != new[name]]
        assert len(changed) == 1


def test_change_one_is_uniform_over_decisions_and_their_other_options():
    codes = repeated([1, 2, 0, 3, 5], 50_000)
    changed = FLAT.change_one(codes, np.random.default_rng(3))
    moved = changed != codes
    assert (moved.sum(axis=1) == 1).all()
    assert chisquare(moved.sum(axis=0)).pvalue > 1e-3
    for column, options in enumerate(range(2, 7)):
        counts = counts_of(changed[moved[:, column]], column, options)
        assert (counts > 0).sum() == options - 1
        assert options == 2 or chisquare(counts[counts > 0]).pvalue > 1e-3


def test_a_decision_that_change_one_switches_on_is_uniform():
    changed = GATED.change_one(repeated([0, 0], 20_000), np.random.default_rng(4))
    assert (changed[:, 0] == 1).all()
    assert chisquare(counts_of(changed, 1, 4)).pvalue > 1e-3


def test_change_one_needs_something_to_change():
    part = GATED.restrict({"depth": [1]})
    with pytest.raises(UsageError, match="no decision to change; widen the space"):
        part.change_one(repeated([0, 0], 3), np.random.default_rng(0))
    assert part.change_one(repeated([0, 0], 0), np.random.default_rng(0)).shape == (0, 2)


# -- crossover ---------------------------------------------------------------------------------------------


@given(spaces(), generators())
def test_children_take_each_decision_from_a_parent_that_has_it(space, rng):
    first, second = space.population(rng, 20), space.population(rng, 20)
    children = space.crossover(first, second, rng)
    for child, *parents in zip(space.wrap(children), space.wrap(first), space.wrap(second), strict=True):
        assert child in space
        for name, option in child.options().items():
            inherited = [parent[name] for parent in parents if parent[name] is not None]
            assert not inherited or option in inherited


def test_crossover_tosses_a_fair_coin_per_decision():
    n = 20_000
    children = FLAT.crossover(repeated([0] * 5, n), repeated([1] * 5, n), np.random.default_rng(5))
    patterns = np.bincount(children @ (2 ** np.arange(5)), minlength=32)
    assert chisquare(patterns).pvalue > 1e-3


def test_a_decision_that_crossover_switches_on_is_uniform():
    a, b = Choice("a", (0, 1)), Choice("b", (0, 1))
    space = Space([a, b, Choice("kernel", (3, 5, 7, 9), when=(a > 0) & (b > 0))])
    children = space.crossover(repeated([1, 0, 0], 20_000), repeated([0, 1, 0], 20_000), np.random.default_rng(6))
    awake = children[(children[:, 0] == 1) & (children[:, 1] == 1)]
    assert binomtest(len(awake), 20_000, 0.25).pvalue > 1e-3
    assert chisquare(counts_of(awake, 2, 4)).pvalue > 1e-3


def test_parents_without_a_decision_leave_it_to_the_other():
    children = GATED.crossover(repeated([0, 0], 5_000), repeated([1, 3], 5_000), np.random.default_rng(7))
    assert np.unique(children, axis=0).tolist() == [[0, 0], [1, 3]]


def test_crossover_pairs_as_many_first_as_second_parents():
    with pytest.raises(UsageError, match=r"got 1 and 5 of them\. Give as many first as second"):
        GATED.crossover(repeated([0, 0], 1), repeated([1, 3], 5), np.random.default_rng(0))


# -- neighbours --------------------------------------------------------------------------------------------


@given(spaces(), generators())
def test_neighbours_are_those_that_differ_in_one_decision(space, rng):
    arch = space.sample(rng)
    found = space.neighbours(arch)
    expected = set()
    for other in space.enumerate():
        shared = [name for name in space.names if None not in (arch[name], other[name])]
        changed = [name for name in shared if arch[name] != other[name]]
        switched_on = [name for name in space.names if arch[name] is None and other[name] is not None]
        if len(changed) == 1 and all(other[name] == space.allowed(name)[0] for name in switched_on):
            expected.add(decisions(other))
    assert {decisions(other) for other in found} == expected
    assert len(found) == len(expected) <= len(architectures(space)) - 1


def test_a_decision_that_a_neighbour_switches_on_takes_its_first_allowed_option():
    part = GATED.restrict({"kernel": [7, 9]})
    assert [arch.options() for arch in part.neighbours(part.arch({"depth": 1}))] == [{"depth": 2, "kernel": 7}]


def test_neighbours_of_an_architecture_of_another_space_are_refused():
    with pytest.raises(UsageError, match="architectures do not move between spaces"):
        GATED.neighbours(FLAT.smallest())


# -- all ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_mutate_needs_a_probability(p):
    with pytest.raises(UsageError, match=r"mutation probability is .*must lie between 0 and 1"):
        FLAT.mutate(repeated([0] * 5, 1), np.random.default_rng(0), p=p)


@given(spaces(), st.integers(0, 1000))
def test_the_same_seed_gives_the_same_children_and_parents_stay_as_they_are(space, seed):
    codes = all_codes(space)
    kept = codes.copy()

    def run():
        rng = np.random.default_rng(seed)
        return [space.mutate(codes, rng, p=0.5), space.crossover(codes, codes[::-1], rng), space.population(rng, 3)]

    assert all((a == b).all() for a, b in zip(run(), run(), strict=True))
    assert (codes == kept).all()
