"""Axes that are tied, split and cut, against what of them is one."""

from __future__ import annotations

import pytest

from supernet.pretrained.axes import Axis, concat, factors, freeze, piece, product, split_product, tie


def same(one: Axis | None, other: Axis | None) -> bool:
    assert one is not None
    assert other is not None
    return one.root is other.root


def test_a_product_is_split_where_it_was_joined() -> None:
    heads, width = Axis(4), Axis(8)
    parts = split_product(product([Axis(3), heads, width]), [3, 4, 8])
    assert parts is not None
    assert same(parts[1], heads)
    assert same(parts[2], width)
    inner = split_product(product([Axis(3), heads, width]), [3, 32])
    assert inner is not None
    assert [axis.root for axis in factors(inner[1])] == [heads, width]


def test_a_dimension_is_split_wherever_it_stands() -> None:
    rows, columns = Axis(12), Axis(12)
    tie(rows, columns)
    split = split_product(rows, [3, 4])
    again = split_product(columns, [3, 4])
    assert split is not None
    assert again is not None
    assert all(same(a, b) for a, b in zip(split, again, strict=True))
    assert split_product(rows, [2, 6]) is None  # 3 × 4 is not 2 × 6
    finer = split_product(rows, [3, 2, 2])
    assert finer is not None
    assert [part.size for part in factors(split[1])] == [2, 2]


def test_products_of_other_sizes_are_tied_at_their_common_splits() -> None:
    one, other = product([Axis(6), Axis(2)]), product([Axis(3), Axis(4)])
    tie(one, other)
    assert [axis.size for axis in factors(one)] == [axis.size for axis in factors(other)] == [3, 2, 2]
    assert all(same(a, b) for a, b in zip(factors(one), factors(other), strict=True))


def test_concatenations_are_tied_piece_by_piece() -> None:
    a, b, c = Axis(2), Axis(3), Axis(5)
    tie(concat([a, b, Axis(4)]), concat([c, Axis(4)]))
    assert same(piece(c, 0, 2), a)
    assert same(piece(c, 2, 5), b)
    freeze(c, "for a reason")
    assert (a.why, b.why) == ("for a reason", "for a reason")


def test_half_of_a_dimension_that_is_cut_stands_alone() -> None:
    whole = Axis(6)
    gate, value = piece(whole, 0, 3), piece(whole, 3, 6)
    assert gate is not None
    assert value is not None
    tie(gate, value)  # a gated activation multiplies them
    assert list(whole.leaves()) == [gate.root, gate.root]


def test_a_third_of_fused_projections_is_cut_out() -> None:
    heads, width = Axis(4), Axis(8)
    fused = product([Axis(3), heads, width])
    keys = piece(fused, 32, 64)
    assert keys is not None
    assert [axis.root for axis in factors(keys)] == [heads, width]
    assert fused.parts[0].why == "the code names its entries"
    assert piece(fused, 8, 40) is None


def test_groups_of_equal_parts_vary_alike() -> None:
    one, other = Axis(4), Axis(4)
    parts = split_product(concat([one, other]), [2, 4])
    assert parts is not None
    assert same(one, other)
    assert same(parts[1], one)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_product_tied_to_a_concatenation_stays(swapped: bool) -> None:
    pair = [product([Axis(2), Axis(3)]), concat([Axis(4), Axis(2)])]
    tie(*reversed(pair) if swapped else pair)
    assert all(leaf.why for axis in pair for leaf in axis.leaves())


def test_a_reason_reaches_what_is_tied_before_and_after() -> None:
    a, b, c = Axis(4), Axis(4), Axis(4)
    tie(a, b)
    freeze(b, "first")
    tie(c, a)
    assert (a.why, c.why) == ("first", "first")
    freeze(c, "second")
    assert a.why == "first"
