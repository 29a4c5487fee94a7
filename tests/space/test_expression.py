import operator
import pickle
from dataclasses import FrozenInstanceError
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supernet.errors import UsageError
from supernet.space import Choice, Expr, Space, largest_value, round_to
from supernet.space.expression import walk

A = Choice("a", (1, 2, 5))
B = Choice("b", (0.5, 2, 3))
FLAG = Choice("flag", (False, True))
SPACE = Space([A, B, FLAG])

TOO_MANY = sum(Choice(f"digit{place}", range(10)) for place in range(7))

OPERATORS = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.gt,
    operator.ge,
    operator.lt,
    operator.le,
]


@st.composite
def formulas(draw, depth=3):
    """A pair: the expression, and the same formula as a function of plain Python options."""
    kind = draw(st.sampled_from(["choice", "number", "binary", "logical", "not", "map"] if depth else ["choice"]))
    if kind == "choice":
        choice = draw(st.sampled_from([A, B, FLAG]))
        return choice, lambda options: options[choice]
    if kind == "number":
        choice, number = draw(st.sampled_from([A, B, FLAG])), draw(st.integers(1, 9))
        return number + choice, lambda options: number + options[choice]
    expression, function = draw(formulas(depth=depth - 1))
    if kind == "not":
        return ~expression, lambda options: not function(options)
    if kind == "map":
        return expression.map(abs), lambda options: abs(function(options))
    other, other_function = draw(formulas(depth=depth - 1))
    if kind == "logical":
        if draw(st.booleans()):
            return expression & other, lambda options: bool(function(options)) and bool(other_function(options))
        return expression | other, lambda options: bool(function(options)) or bool(other_function(options))
    apply = draw(st.sampled_from(OPERATORS))
    if apply in (operator.truediv, operator.floordiv, operator.mod):
        positive, positive_function = other * other + 1, lambda options: other_function(options) ** 2 + 1
        return apply(expression, positive), lambda options: apply(function(options), positive_function(options))
    return apply(expression, other), lambda options: apply(function(options), other_function(options))


@given(formulas())
def test_an_expression_means_what_python_means_for_one_architecture_and_for_a_population(formula):
    expression, function = formula
    codes = SPACE.unindex(range(SPACE.size))
    options = [{choice: arch[choice.name] for choice in SPACE.choices} for arch in SPACE.enumerate()]
    expected = [function(chosen) for chosen in options]
    assert [expression.evaluate(chosen.__getitem__) for chosen in options] == expected
    assert SPACE.values(codes, expression).tolist() == expected
    assert expression.possible() == tuple(sorted(set(expected)))
    assert (expression.min(), expression.max()) == (min(expected), max(expected))


@pytest.mark.parametrize("apply", OPERATORS[:6])
def test_a_number_may_stand_on_the_left(apply):
    assert apply(12, A).possible() == tuple(sorted({apply(12, option) for option in A.options}))
    assert apply(np.int64(12), A).possible() == apply(12, A).possible()


def test_truth_values_add_up_as_in_python():
    codes = SPACE.unindex(range(SPACE.size))
    assert set(SPACE.values(codes, FLAG + (A > 1)).tolist()) == {0, 1, 2}


def test_options_of_several_kinds_keep_their_kind_in_a_population():
    mixed = Choice("mixed", (3, "skip", (3, 5), 1.5, True))
    space = Space([mixed])
    values = space.values(np.asarray([[0], [1], [2], [3], [4]]), mixed).tolist()
    assert values == [3, "skip", (3, 5), 1.5, True]
    assert [type(value) for value in values] == [int, str, tuple, float, bool]
    for options in ((3, "skip"), (1, 2.5), (2, True)):
        choice = Choice("mixed", options)
        values = Space([choice]).values(np.asarray([[0], [1]]), choice.map(repr)).tolist()
        assert values == [repr(option) for option in options]
    pairs = space.values(np.asarray([[0], [1], [0]]), mixed.map(lambda option: (option, 1)))
    assert pairs.tolist() == [(3, 1), ("skip", 1), (3, 1)]


def test_map_calls_the_function_once_per_distinct_value():
    calls = []
    width = Choice("width", (1, 2, 3))
    doubled = width.map(lambda w: calls.append(w) or 2 * w)
    values = Space([width]).values(np.asarray([[0], [2], [0], [2]]), doubled)
    assert values.tolist() == [2, 6, 2, 6]
    assert sorted(calls) == [1, 3]


def test_is_in_takes_options_as_json_writes_them():
    kernels = Choice("kernels", ((3, 5), (3, 3)))
    assert kernels.is_in([[3, 5]]).possible() == (False, True)
    assert not kernels.is_in([[5, 3]]).max()


def test_expressions_read_as_they_were_written():
    assert str((A * 2 + B) // 3) == "((a * 2) + b) // 3"
    assert str((A > 1) & ~FLAG) == "(a > 1) & (not(flag))"
    assert repr(A.is_in((1, 2))) == "in (1, 2)(a)"
    assert repr(A) == "Choice('a', (1, 2, 5))"


def test_expressions_and_choices_pickle_and_stay_tied():
    tied = pickle.loads(pickle.dumps([A, round_to(A * 3, 8), ~A.is_in((2,)) & (B > 1)]))
    assert tied[0].options == A.options
    assert tied[1].choices() == (tied[0],)
    assert tied[1].possible() == round_to(A * 3, 8).possible()
    assert tied[2].evaluate({tied[0]: 1, tied[2].choices()[1]: 2}.__getitem__)


def test_a_choice_cannot_be_changed():
    for name in ("name", "options", "when", "order", "other"):
        with pytest.raises(FrozenInstanceError):
            setattr(A, name, None)


@given(st.integers(0, 20_000).map(lambda quarters: quarters / 4), st.integers(1, 64))
def test_round_to_is_the_nearest_multiple_unless_that_loses_more_than_a_tenth(value, divisor):
    nearest = max(divisor, floor(Fraction(value) / divisor + Fraction(1, 2)) * divisor)
    result = round_to(value, divisor)
    assert type(result) is int
    assert result == (nearest if nearest >= 0.9 * value else nearest + divisor)


def test_round_to_gives_the_published_widths_of_mobilenet():
    # MobileNetV2 at width multiplier 0.35, and the squeeze widths (a quarter, rounded) of MobileNetV3-Large.
    assert [round_to(0.35 * c, 8) for c in (32, 16, 24, 32, 64, 96, 160, 320)] == [16, 8, 8, 16, 24, 32, 56, 112]
    assert [round_to(c / 4, 8) for c in (72, 120, 480, 672, 960)] == [24, 32, 120, 168, 240]


def test_round_to_keeps_the_minimum_it_is_given():
    assert round_to(3, 8) == 8
    assert round_to(3, 8, minimum=16) == 16
    assert round_to(3, 8, minimum=0) == 8  # 0 would lose more than a tenth
    assert round_to(0, 8, minimum=0) == 0
    assert round_to(Choice("w", (3, 20)), 8, minimum=16).possible() == (16, 24)
    with pytest.raises(UsageError, match="multiples of 0; the divisor must be at least 1"):
        round_to(3, 0)


def test_largest_value_of_sizes():
    assert largest_value(12) == 12
    assert largest_value(A * 3) == 15
    assert largest_value(Choice("w", (2.0, 4.0))) == 4
    with pytest.raises(UsageError, match=r"must be a whole number, but a \* 1.5 can be 1.5.*round_to"):
        largest_value(A * 1.5)
    with pytest.raises(UsageError, match="but op can be 'conv'"):
        largest_value(Choice("op", ("conv", "skip")))


def test_walk_finds_every_choice_once_and_conditions_first():
    depth = Choice("depth", (1, 2, 3))
    kernel = Choice("kernel", (3, 5), when=depth > 1)
    ratio = Choice("ratio", (3, 6), when=(kernel > 3) & (depth > 2))
    assert list(walk([ratio * 2, depth, A])) == [depth, kernel, ratio, A]


def test_deep_chains_of_conditions_take_linear_time():
    chain = [Choice("c0", (0, 1)), Choice("c1", (0, 1))]  # visiting each condition anew would take 2¹⁰⁰ visits
    for number in range(2, 200):
        chain.append(Choice(f"c{number}", (0, 1), when=(chain[-1] > 0) & (chain[-2] > 0)))
    assert set(walk([chain[-1]])) == set(chain)


def test_numbers_are_ordered_by_size_and_other_options_as_listed():
    assert Choice("w", (32, 16, 24)).order == (16, 24, 32)
    assert Choice("op", ("skip", "conv")).order == ("skip", "conv")
    assert Choice("op", ("conv", "skip"), order=("skip", "conv")).order == ("skip", "conv")


def test_options_become_plain_python_values():
    assert Choice("w", np.arange(2)).options == (0, 1)
    assert type(Choice("w", np.arange(2)).options[0]) is int
    assert Choice("k", ([3, 5], [3, 3])).options == ((3, 5), (3, 3))
    assert Choice("op", "conv").options == ("conv",)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Choice("", (1,)), "needs a non-empty string as its name; got ''"),
        (lambda: Choice(3, (1,)), "needs a non-empty string as its name; got 3"),
        (lambda: Choice("w", ()), "'w' has no options; give at least one"),
        (lambda: Choice("w", (1, 2, 1)), r"'w' lists an option twice: \(1, 2, 1\)"),
        (lambda: Choice("w", (1, True)), "lists an option twice"),
        (lambda: Choice("w", (1, float("nan"))), "the option nan; options are finite numbers, strings"),
        (lambda: Choice("w", ((1, None),)), "the option None; options are finite"),
        (lambda: Choice("w", range(40_000)), "has 40,000 options; at most 32,768"),
        (lambda: Choice("w", (1, 2), order=(1,)), r"order of the choice 'w' is \(1,\).*each of its options \(1, 2\)"),
        (lambda: Choice("w", (1, 2), order=(1, 1)), "exactly once"),
        (lambda: Choice("w", (1, 2), when=A is B), r"condition of the choice 'w' is False.*Compare a choice with >"),
        (lambda: A == 2, r"^a was compared with 2 by ==.*when=a\.is_in\(\(2,\)\).*self\.selection\.option"),
        (lambda: A * 2 != "max", r"^a \* 2 was compared with 'max'"),
        (lambda: 2 == A, "a was compared with 2"),  # noqa: SIM300
        (lambda: A in (1, 2), "a was compared with 1"),
        (lambda: A.position(4), "'a' has no option 4; it allows 1, 2, 5"),
        (lambda: bool(A > 1), r"a > 1 has no truth value.*Combine conditions with & \| ~"),
        (lambda: Choice("m", (1, "x")).possible(), "values of m cannot be sorted: .*'x'.*options of one kind"),
        (lambda: TOO_MANY.max(), "depends on 7 choices with 10,000,000 joint options; at most 1,000,000"),
    ],
)
def test_what_is_refused(make, sentence):
    with pytest.raises(UsageError, match=sentence):
        make()


def test_an_own_expression_must_say_its_value_and_its_choices():
    class Mine(Expr):
        pass

    with pytest.raises(TypeError, match="Mine does not define its value"):
        Mine().evaluate(lambda choice: choice.options[0])
    with pytest.raises(TypeError, match="Mine does not name its choices"):
        Mine().choices()
