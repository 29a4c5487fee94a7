import numpy as np
import pytest

from supernet.errors import RunError
from supernet.measure.costs.probe import base_codes, completing_codes, partial_codes
from supernet.measure.costs.tables import Tables, Tabulated, Term, grid, setting
from supernet.space import Choice, Space
from supernet.space.conditions import Chosen, Deeper, all_hold


@pytest.fixture
def parts():
    a, b = Choice("a", (1, 2, 3)), Choice("b", ("x", "y"))
    c = Choice("c", (5, 7), when=a > 1)
    return a, b, c, Space([a, b, c])


def test_the_sum_equals_a_plain_loop(parts):
    a, b, c, space = parts
    terms = [
        Term(10),
        Term(a * c, ((Deeper(a, 1),),)),
        Term(100, ((Chosen(b, (0,)),), (Deeper(a, 2), Chosen(c, (1,))))),
        Term(a, factors=(1, 10), by=(b,)),
        Term(Tabulated((b, a), [1, 2, 3, 4, 5, 6])),
    ]
    archs = list(space.enumerate())
    expected = []
    for arch in archs:
        total = 10 + arch["a"] * (1 if arch["b"] == "x" else 10)
        total += arch["a"] * arch["c"] if arch["a"] > 1 else 0
        total += 100 if arch["b"] == "x" or (arch["a"] > 2 and arch["c"] == 7) else 0
        total += {"x": 0, "y": 3}[arch["b"]] + arch["a"]
        expected.append(total)
    assert Tables(space, terms)(space.codes(archs)).tolist() == expected


def test_terms_of_many_choices_are_computed_not_tabulated():
    choices = [Choice(f"c{place}", tuple(range(1, 5))) for place in range(10)]
    space = Space(choices)
    product = choices[0]
    for choice in choices[1:]:
        product = product * choice
    tables = Tables(space, [Term(product), Term(choices[3])])
    codes = space.population(np.random.default_rng(0), 50)
    assert tables(codes).tolist() == ((codes + 1.0).prod(axis=1) + codes[:, 3] + 1).tolist()


def test_grid_and_setting_are_inverse(parts):
    a, _, c, space = parts
    codes = grid(space, (c, a))
    assert setting(space, (c, a), codes).tolist() == list(range(6))
    assert len(np.unique(codes, axis=0)) == 6
    assert not codes[:, space.column("b")].any()


def test_tabulated_reads_one_architecture_and_many(parts):
    a, b, _, space = parts
    table = Tabulated((b, a), [1, 2, 3, 4, 5, 6])
    assert table.evaluate({b: "y", a: 1}.__getitem__) == 4
    assert table.possible() == (1, 2, 3, 4, 5, 6)
    codes = grid(space, (b, a))
    assert space.values(codes, table).tolist() == [1, 2, 3, 4, 5, 6]


def test_base_codes_show_every_option_at_every_resolution(parts):
    _, b, _, space = parts
    codes = base_codes(space, grid(space, (b,)), (b,))
    for resolution in range(2):
        there = codes[codes[:, space.column("b")] == resolution]
        assert set(there[:, space.column("a")]) == {0, 1, 2}
        assert set(there[:, space.column("c")]) == {0, 1}


def test_completing_codes_meet_every_need_and_join_what_fits(parts):
    a, b, c, space = parts
    seen = space.codes([space.smallest()])
    needs = [
        partial_codes(space, conditions, ())
        for conditions in ((Chosen(a, (2,)),), (Chosen(b, (1,)),), (Chosen(c, (1,)),))
    ]
    more = completing_codes(space, seen, needs)
    assert more.tolist() == [[2, 1, 1]]
    assert len(completing_codes(space, more, needs)) == 0
    opposed = [partial_codes(space, (Chosen(a, (index,)),), ()) for index in (1, 2)]
    assert sorted(completing_codes(space, seen, opposed)[:, 0]) == [1, 2]


def test_conditions_that_exclude_each_other_need_nothing(parts):
    a, _, _, space = parts
    never = partial_codes(space, (Chosen(a, (0,)), Deeper(a, 1)), ())
    assert never.shape == (0, 3)


def test_more_settings_than_can_be_tabulated_are_refused():
    choices = [Choice(f"c{place}", (1, 2, 3)) for place in range(12)]
    with pytest.raises(RunError, match="12 choices with 531,441 joint settings"):
        partial_codes(Space(choices), tuple(Chosen(choice, (0,)) for choice in choices), choices)


def test_conditions_on_many_choices_are_met_by_their_first_options():
    """Of a conjunction over choices with more joint settings than can be listed one setting each is enough."""
    picks = [Choice(f"pick{number}", tuple(range(number + 2))) for number in range(9)]
    space = Space([Choice("op", ("a", "b")), *picks])
    conditions = tuple(Chosen(pick, tuple(range(1, len(pick)))) for pick in picks)
    (row,) = partial_codes(space, conditions, ())
    assert row.tolist() == [-1] + [1] * 9
    assert all_hold(conditions, space, np.maximum(row, 0)[None])[0]
    rows = partial_codes(space, conditions, [*picks[:1], space.choices[0]])
    assert rows[:, :3].tolist() == [[0, 1, 1], [1, 1, 1]]
    assert len(partial_codes(space, (*conditions, Chosen(picks[3], (0,))), ())) == 0, "no option of it will do"


def test_of_a_choice_of_thousands_of_options_some_are_shown():
    space = Space([Choice("op", ("a", "b", "c")), Choice("sets", tuple(range(2048)))])
    codes = base_codes(space, grid(space, ()), ())
    assert len(codes) < 150
    assert set(codes[:, 0].tolist()) == {0, 1, 2}


def test_completing_codes_are_those_that_plain_loops_find():
    rng, found = np.random.default_rng(0), 0
    for _ in range(60):
        options = rng.integers(2, 9, size=int(rng.integers(1, 7)))
        space = Space([Choice(f"c{column}", tuple(range(n))) for column, n in enumerate(options)])
        seen = rng.integers(options, size=(int(rng.integers(12)), len(options))).astype(np.int16)
        needs = [rng.integers(options, size=(int(rng.integers(25)), len(options))).astype(np.int16) for _ in range(30)]
        for rows in needs:
            rows[rng.random(rows.shape) < rng.random()] = -1
        packs: list = []
        for rows in needs:
            if any(all(a in (-1, b) for a, b in zip(row, code, strict=True)) for row in rows for code in seen):
                continue
            fitting = (
                (pack, row)
                for pack in packs
                for row in rows.tolist()
                if all(-1 in (a, b) or a == b for a, b in zip(row, pack, strict=True))
            )
            pack, row = next(fitting, (None, None))
            if pack is not None:
                pack[:] = [b if a == -1 else a for a, b in zip(row, pack, strict=True)]
            elif len(rows):
                packs.append(rows[0].tolist())
        expected = [
            [
                (number + column) % n if code < 0 else code
                for column, (code, n) in enumerate(zip(pack, options, strict=True))
            ]
            for number, pack in enumerate(packs)
        ]
        assert completing_codes(space, seen, needs).tolist() == expected
        found += len(expected)
    assert found > 100
