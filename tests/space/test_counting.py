import itertools
import math

import numpy as np
import pytest
from hypothesis import given

from strategies import all_codes, architectures, decisions, ofa_like, spaces
from supernet.errors import UsageError
from supernet.space import Choice, Space


@given(spaces())
def test_size_is_the_number_of_distinct_architectures(space):
    assert space.size == len(architectures(space))
    assert space.size == len(np.unique(space.canonical(all_codes(space)), axis=0))


@given(spaces())
def test_enumerate_lists_every_architecture_once(space):
    listed = [decisions(arch) for arch in space.enumerate(chunk=3)]
    assert len(listed) == space.size
    assert set(listed) == architectures(space)


@given(spaces())
def test_index_and_unindex_are_inverse(space):
    positions = np.arange(space.size)
    codes = space.unindex(positions)
    assert codes.dtype == np.int16
    assert (space.canonical(codes) == codes).all()
    assert space.contains(codes).all()
    assert (space.index(codes) == positions).all()
    everything = all_codes(space)
    assert (space.unindex(space.index(everything)) == space.canonical(everything)).all()


def test_the_size_of_once_for_all_is_the_published_one():
    # 5 stages, depth 2-4, (3 kernels x 3 ratios) per block: (9^2 + 9^3 + 9^4)^5 ~ 2e19 (Cai et al., 2020).
    space = ofa_like(5)
    assert space.size == (9**2 + 9**3 + 9**4) ** 5 == 21_758_655_492_572_485_851


@pytest.mark.parametrize("stages", [4, 5, 9])
def test_index_and_unindex_of_sizes_around_and_beyond_machine_integers(stages):
    space = ofa_like(stages)
    big = space.size >= 2**63
    assert big == (stages > 4)
    rng = np.random.default_rng(0)
    positions = [0, space.size - 1, *(int(p) * (space.size // 10**6) for p in rng.integers(10**6, size=500))]
    index = space.index(space.unindex(positions))
    assert index.dtype == (object if big else np.int64)
    assert index.tolist() == positions
    codes = space.population(rng, 500)
    assert (space.unindex(space.index(codes)) == codes).all()
    codes = space.population(rng, 500, per="architecture")
    assert len({int(position) * 4 // space.size for position in space.index(codes)}) == 4  # all four quarters


def test_one_component_beyond_machine_integers():
    depth = Choice("depth", (1, 2, 3))
    choices = [Choice(f"c{number}", range(16), when=depth > number % 3) for number in range(30)]
    space = Space([*choices, Choice("free", (1, 2))])
    assert space.size == 2 * (16**10 + 16**20 + 16**30)
    positions = [0, 1, 16**10, 2 * 16**10 - 1, 2 * 16**10, 16**20, space.size // 3, space.size - 1]
    assert space.index(space.unindex(positions)).tolist() == positions


def test_numbers_run_with_the_first_choice_most_significant():
    space = Space([Choice("a", (1, 2)), Choice("b", (1, 2, 3))])
    assert space.unindex(range(6)).tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]


def test_many_gates_are_counted_without_listing_the_architectures():
    gates = [Choice(f"gate{number}", (0, 1)) for number in range(16)]
    pairs = itertools.pairwise(gates)
    ladder = [Choice(f"c{n}", range(5), when=(a > 0) & (b > 0)) for n, (a, b) in enumerate(pairs)]
    # Transfer matrix: a pair of neighbouring ones contributes a factor 5.
    ends = (1, 1)
    for _ in gates[1:]:
        ends = (ends[0] + ends[1], ends[0] + 5 * ends[1])
    assert Space(ladder).size == sum(ends)


def test_conditions_are_counted_beyond_a_million_settings_and_refused_beyond_too_many_states():
    gates = [Choice(f"gate{number}", (0, 1, 2)) for number in range(40)]
    independent = Space([Choice(f"c{gate.name}", (1, 2), when=gate > 1) for gate in gates])
    assert independent.size == 4**40
    linked = Space([Choice(f"c{n}", (1, 2), when=gate > gates[n - 1]) for n, gate in enumerate(gates[1:], 1)])
    ends = np.ones(3, dtype=object)  # transfer matrix: a rise contributes a factor 2
    for _ in gates[1:]:
        ends = np.asarray([sum(ends[b] * (2 if g > b else 1) for b in range(3)) for g in range(3)], dtype=object)
    assert linked.size == ends.sum()
    positions = [0, 1, linked.size // 7, linked.size - 1]
    assert linked.index(linked.unindex(positions)).tolist() == positions
    tangled = [Choice(f"d{n}", (1, 2), when=gates[n] > gates[39 - n]) for n in range(20)]
    with pytest.raises(UsageError, match="linked to it tell 19,683 states apart; at most 16,384"):
        _ = Space([*linked.choices, *tangled]).size


def test_restricting_gates_to_no_effect_leaves_the_dependents_out():
    depth = Choice("depth", (1, 2))
    space = Space([Choice("kernel", (3, 5, 7), when=depth > 1)])
    assert space.size == 4
    assert space.restrict({"depth": [1]}).size == 1
    assert space.restrict({"depth": [1], "kernel": [5]}).unindex([0]).tolist() == [[0, 0]]
    assert space.restrict({"kernel": [5]}).unindex([0, 1]).tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize("wrong", [[-1], [4], [0, 4], [2**70], [1.0], [None], np.asarray([0.5]), np.asarray([4])])
def test_positions_outside_the_space_are_refused(wrong):
    space = Space([Choice("a", (1, 2)), Choice("b", (1, 2))])
    with pytest.raises(UsageError, match="holds 4 architectures, numbered 0 to 3; got"):
        space.unindex(wrong)


def test_an_architecture_outside_a_sub_space_has_no_position_in_it():
    space = Space([Choice("a", (1, 2)), Choice("b", (1, 2))])
    part = space.restrict({"a": [2]})
    with pytest.raises(UsageError, match="Row 1 of the population lies outside this sub-space"):
        part.index(np.asarray([[1, 0], [0, 1]], dtype=np.int16))


def test_empty_requests_and_the_space_without_choices():
    space = Space([Choice("a", (1, 2))])
    assert space.unindex([]).shape == (0, 1)
    assert space.index(np.zeros((0, 1), np.int16)).shape == (0,)
    alone = Space([])
    assert alone.size == math.prod(()) == 1
    assert [arch.options() for arch in alone.enumerate()] == [{}]
    assert alone.index(np.zeros((1, 0), np.int16)).tolist() == [0]
