"""The board takes in what its three rules say, in the order of scores and then of costs, and a checkpoint keeps it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from small_nets import executor, images, operations_net, step
from supernet.errors import UsageError
from supernet.train import BestOnBoard, BoardOfPaths, Context
from supernet.train.part import Setting
from supernet.train.parts.path_board import Entry, PathBoard


def entry(score: float, cost: float, code: Sequence[int] = (0, 0)) -> Entry:
    return Entry(tuple(code), score, cost, torch.full((2, 1, 4, 4), score), torch.full((2, 10), cost))


def board(*found: tuple[float, float], size: int = 3, gap: float = 0.05) -> PathBoard:
    made = PathBoard(size, gap)
    for score, cost in found:
        made.admit(entry(score, cost))
    return made


def held(of: PathBoard) -> list[tuple[float, float]]:
    return [(e.score, e.cost) for e in of.entries]


def test_entries_are_in_the_order_of_scores_and_then_of_costs() -> None:
    found = [(0.5, 9.0), (0.7, 9.0), (0.7, 3.0), (0.6, 1.0)]
    for order in itertools.permutations(found):
        assert held(board(*order, size=4)) == [(0.7, 3.0), (0.7, 9.0), (0.6, 1.0), (0.5, 9.0)]


def test_of_equals_the_one_that_came_first_stays_first() -> None:
    made = PathBoard(3, 0.05)
    for code in ((0, 0), (2, 1), (1, 1)):
        made.admit(entry(0.5, 2.0, code))
    assert [e.code for e in made.entries] == [(0, 0), (2, 1), (1, 1)]
    assert not made.admits(0.5, 2.0)


@pytest.mark.parametrize(
    ("score", "cost", "admitted"),
    [
        (0.30, 1.0, False),  # worse and cheaper
        (0.40, 1.0, False),  # as good and cheaper
        (0.41, 4.9, True),  # better and cheaper
        (0.41, 5.0, False),  # better and as dear
        (0.45, 9.0, False),  # better by the gap and dearer
        (0.4501, 9.0, True),  # better by more than the gap
    ],
)
def test_a_full_board_admits_what_is_much_better_or_better_and_cheaper(
    score: float, cost: float, admitted: bool
) -> None:
    full = board((0.9, 1.0), (0.6, 2.0), (0.4, 5.0))
    assert full.admits(score, cost) is admitted
    assert board((0.9, 1.0), (0.6, 2.0)).admits(score, cost), "there is room"


def test_the_last_one_leaves() -> None:
    full = board((0.9, 1.0), (0.6, 2.0), (0.4, 5.0))
    full.admit(entry(0.7, 3.0))
    assert held(full) == [(0.9, 1.0), (0.7, 3.0), (0.6, 2.0)]


def test_along_a_stream_it_is_as_if_written_out_by_hand() -> None:
    rng, made, kept = random.Random(0), PathBoard(4, 0.25), list[tuple[float, float]]()
    refused = 0
    for _ in range(300):
        score, cost = rng.randint(0, 8) / 8, float(rng.randint(1, 5))
        last = max(kept, key=lambda pair: (-pair[0], pair[1]), default=(0.0, 0.0))
        better = score > last[0]
        if len(kept) < 4 or score - last[0] > 0.25 or (better and cost < last[1]):
            assert made.admits(score, cost)
            made.admit(entry(score, cost))
            kept.append((score, cost))
            if len(kept) > 4:
                kept.remove(max(kept, key=lambda pair: (-pair[0], pair[1])))
        else:
            assert not made.admits(score, cost)
            refused += 1
        assert sorted(held(made)) == sorted(kept)
    assert 20 < refused < 296


@pytest.mark.parametrize("fields", [False, True])
def test_a_state_dict_gives_every_bit_back(fields: bool) -> None:
    before, after = PathBoard(3, 0.05), PathBoard(3, 0.05)
    for number, score in enumerate((1 / 3, 0.1)):
        x: Tensor | dict[str, Tensor] = torch.randn(2, 1, 4, 4)
        if fields:
            x = {"input_ids": torch.randint(9, (2, 5)), "mask": torch.ones(2, 5, dtype=torch.bool)}
        before.admit(Entry((number, 2), score, 1e9 + 1, x, torch.randn(2, 10)))
    after.load_state_dict(before.state_dict())
    for one, other in zip(before.entries, after.entries, strict=True):
        assert (one.code, one.score, one.cost) == (other.code, other.score, other.cost)
        assert torch.equal(one.outputs, other.outputs)
        if isinstance(one.x, Tensor):
            assert isinstance(other.x, Tensor)
            assert torch.equal(one.x, other.x)
        else:
            assert not isinstance(other.x, Tensor)
            assert [(k, v.tolist()) for k, v in one.x.items()] == [(k, v.tolist()) for k, v in other.x.items()]
    empty = PathBoard(3, 0.05)
    after.load_state_dict(empty.state_dict())
    assert after.entries == []


def test_paths_outside_a_sub_space_do_not_count() -> None:
    space, made = operations_net().space, PathBoard(3, 0.05)
    made.admit(entry(0.9, 1.0, (1, 0)))
    made.admit(entry(0.5, 1.0, (0, 2)))
    assert [arch.code for arch, _ in made.within(space)] == [(1, 0), (0, 2)]
    part = space.restrict({"block0": ["conv3", "skip"]})
    assert [(arch.code, found.score) for arch, found in made.within(part)] == [((0, 2), 0.5)]
    assert PathBoard(3, 0.05).within(space) == []


def test_the_best_is_derived() -> None:
    net, made = operations_net(), PathBoard(3, 0.05)
    context = Context(step(net, parts={"board": made}), executor(net, images()))
    assert BestOnBoard().derive(context) == net.space.smallest(), "nothing is on it"
    made.admit(entry(0.5, 1.0, (0, 2)))
    made.admit(entry(0.9, 9.0, (1, 0)))
    assert BestOnBoard().derive(context).code == (1, 0)
    with pytest.raises(UsageError, match="part 'other'"):
        BestOnBoard("other").derive(context)


def test_sizes_and_gaps_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        BoardOfPaths(size=0)
    with pytest.raises(UsageError, match="gap of accuracies"):
        BoardOfPaths(gap=1.5)
    made = BoardOfPaths(size=7, gap=0.2)(Setting(operations_net(), 0, {}))
    assert (made.size, made.gap, made.entries) == (7, 0.2, [])
