import numpy as np
import pytest
from hypothesis import given

from strategies import all_codes, is_active, spaces
from supernet.errors import UsageError
from supernet.space import Choice, Space
from supernet.space.gates import tabulate


@given(spaces(restricted=False))
def test_the_mask_is_the_definition_for_every_code(space):
    codes = all_codes(space)
    mask = space.active_mask(codes)
    for code, active in zip(codes.tolist(), mask.tolist(), strict=True):
        options = {choice: choice.options[position] for choice, position in zip(space.choices, code, strict=True)}
        assert active == [is_active(choice, options) for choice in space.choices]
        assert space.active(code) == tuple(active)


@given(spaces())
def test_inactive_columns_do_not_decide_what_is_active(space):
    codes = all_codes(space)
    canonical = space.canonical(codes)
    assert (space.active_mask(canonical) == space.active_mask(codes)).all()
    assert (space.canonical(canonical) == canonical).all()


def test_a_choice_gated_by_an_inactive_choice_is_inactive():
    depth = Choice("depth", (1, 2))
    kernel = Choice("kernel", (3, 5), when=depth > 1)
    dilation = Choice("dilation", (1, 2), when=kernel < 5)  # holds for code 0, which an inactive kernel has
    space = Space([dilation])
    assert space.names == ("depth", "kernel", "dilation")
    assert space.active((0, 0, 0)) == (True, False, False)
    assert space.active((1, 0, 0)) == (True, True, True)
    assert space.active((1, 1, 0)) == (True, True, False)


def test_choices_that_ask_alike_share_one_table():
    depth = Choice("depth", (2, 3, 4))
    kernels = [Choice(f"kernel{block}", (3, 5), when=depth > block) for block in (2, 3)]
    (gate,) = tabulate([depth, *kernels])
    assert (gate.asks, gate.strides, gate.columns) == ((0,), (1,), (1, 2))
    assert gate.table.tolist() == [[False, False], [True, False], [True, True]]


def route(blocks: int) -> Space:
    """Which block comes after each: the next or the one after it, from the first until beyond the last."""
    reached = []
    for block in range(blocks):
        befores = [(back, jump) for back, jump in enumerate(reversed(reached), start=1) if back <= 2]
        when = None
        for back, jump in befores:
            lands = jump.is_in((back,))
            when = lands if when is None else when | lands
        if when is not None and len(reached) == 1:
            when = befores[0][1].is_in((1,))
        off = None if when is None else 0
        reached.append(Choice(f"next{block}", (1, 2), when=when, off=off))
    return Space(reached)


def test_a_route_counts_what_it_can_be():
    def routes(block: int, blocks: int) -> int:
        return 1 if block >= blocks else sum(routes(block + jump, blocks) for jump in (1, 2))

    for blocks in range(1, 9):
        space = route(blocks)
        assert space.size == routes(0, blocks)
        codes = space.unindex(range(space.size))
        assert space.index(codes).tolist() == list(range(space.size))
        assert len({tuple(code) for code in codes.tolist()}) == space.size


def test_an_inactive_choice_with_a_value_for_being_off_switches_nothing_off():
    a = Choice("a", (1, 2))
    b = Choice("b", (1, 2), when=a > 1, off=0)
    c = Choice("c", (1, 2), when=b < 2)
    space = Space([c])
    assert [space.active(code) for code in ((0, 0, 0), (1, 0, 0), (1, 1, 0))] == [
        (True, False, True),
        (True, True, True),
        (True, True, False),
    ]
    assert space.size == 2 + 2 + 1
    without = Space([Choice("c", (1, 2), when=Choice("b", (1, 2), when=Choice("a", (1, 2)) > 1) < 2)])
    assert without.size == 1 + 2 + 1
    assert without.fingerprint != space.fingerprint


def test_a_choice_that_is_never_inactive_has_no_value_for_it():
    with pytest.raises(UsageError, match="'a' is never inactive, so that nothing reads off=0"):
        Choice("a", (1, 2), off=0)


def test_place_values_of_several_gates():
    a, b = Choice("a", (0, 1)), Choice("b", (0, 1, 2))
    (gate,) = tabulate([a, b, Choice("c", (1, 2), when=a * 10 + b > 10)])
    assert (gate.asks, gate.strides) == ((0, 1), (3, 1))
    assert gate.table[:, 0].tolist() == [False, False, False, False, True, True]


def test_numbers_are_true_unless_zero():
    depth = Choice("depth", (0, 1, 2))
    assert Space([Choice("kernel", (3, 5), when=depth)]).size == 1 + 2 + 2


def test_conditions_that_cannot_be_tabulated_are_refused():
    kind = Choice("kind", ("conv", "skip"))
    with pytest.raises(
        UsageError, match="'kernel' is kind, which takes the value 'conv'; a condition is true or false"
    ):
        Space([Choice("kernel", (3, 5), when=kind)])
    total = sum(Choice(f"digit{place}", range(10)) for place in range(7))
    with pytest.raises(UsageError, match=r"'kernel' depends on 7 choices with 10,000,000 joint options.*fewer choices"):
        Space([Choice("kernel", (3, 5), when=total > 30)])


def test_the_mask_of_an_empty_population():
    depth = Choice("depth", (0, 1, 2))
    assert Space([Choice("kernel", (3, 5), when=depth > 1)]).active_mask(np.zeros((0, 2), np.int16)).shape == (0, 2)
