"""Which entries of an axis are used, against masks written out."""

import itertools
from collections.abc import Callable

import torch

from supernet import Choice
from supernet.nn.layout import Layout, taken
from supernet.space import Expr

HEADS, WIDTH = Choice("heads", (1, 2, 4)), Choice("width", (2, 3))


def value(heads: int, width: int) -> Callable[[Expr | int], int]:
    decided: dict[Choice, int] = {HEADS: heads, WIDTH: width}
    return lambda size: int(size.evaluate(decided.__getitem__)) if isinstance(size, Expr) else size


def test_heads_are_taken_within_queries_keys_and_values() -> None:
    fused = Layout.product(Layout.of(3), Layout.of(4, HEADS), Layout.of(5))
    for heads in HEADS.options:
        assert isinstance(heads, int)
        expected = [
            place for place, (_, head, _) in enumerate(itertools.product(range(3), range(4), range(5))) if head < heads
        ]
        assert fused.entries(value(heads, 2)).tolist() == expected
        assert value(heads, 2)(fused.width) == len(expected)


def test_each_part_of_a_concatenation_keeps_its_own_prefix() -> None:
    whole = Layout.concatenation(Layout.of(2), Layout.of(3, WIDTH), Layout.product(Layout.of(4, HEADS), Layout.of(2)))
    assert whole.entries(value(2, 2)).tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    assert whole.size == 13
    assert not whole.is_prefix


def test_what_is_a_prefix() -> None:
    assert Layout.of(3, WIDTH).is_prefix
    assert Layout.product(Layout.of(4, HEADS), Layout.of(5)).is_prefix
    assert not Layout.product(Layout.of(3), Layout.of(4, HEADS)).is_prefix
    assert Layout.concatenation(Layout.of(2), Layout.of(3, WIDTH)).is_prefix
    assert not Layout.concatenation(Layout.of(3, WIDTH), Layout.of(2)).is_prefix


def test_a_prefix_is_a_view_and_the_rest_a_copy() -> None:
    tensor = torch.arange(24.0).view(12, 2)
    layouts = (Layout.product(Layout.of(4, HEADS), Layout.of(3)), Layout.of(2))
    found = taken(tensor, layouts, value(2, 2))
    assert found.data_ptr() == tensor.data_ptr()
    assert found.shape == (6, 2)
    within = (Layout.product(Layout.of(3), Layout.of(4, HEADS)), Layout.of(2))
    assert taken(tensor, within, value(2, 2))[:, 0].tolist() == [0, 2, 8, 10, 16, 18]


def test_positions_follow_an_order_that_is_given() -> None:
    layout = Layout.product(Layout.of(2), Layout.of(3, WIDTH))
    order = torch.tensor([2, 0, 1])
    assert layout.positions(lambda one: order if one.width is WIDTH else torch.arange(one.size)).tolist() == [
        2,
        0,
        1,
        5,
        3,
        4,
    ]
