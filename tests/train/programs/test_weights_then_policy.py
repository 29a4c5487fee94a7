"""The alternation of ENAS: how many moves a step has, and through what."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from small_nets import operations_net, step
from supernet.errors import UsageError
from supernet.train import LSTMController, Mean, Move, Reinforce, Setting, WeightsThenPolicy


def moves(program: WeightsThenPolicy, index: int, *, total: int = 20, epoch: int = 4) -> list[Move]:
    net = operations_net()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = {"controller": LSTMController(size=4)(Setting(net, 0, {}))}
    now = replace(step(net, index, total=total, parts=parts), steps_per_epoch=epoch)
    return [move for move in program.moves(now) if isinstance(move, Move)]


def test_the_policy_moves_after_every_epoch_as_often_as_published() -> None:
    counts = [len(moves(WeightsThenPolicy(updates=3, samples=2), index)) for index in range(20)]
    assert counts == [1, 1, 1, 4] * 5
    every = [len(moves(WeightsThenPolicy(updates=3, samples=2, every=2), index)) for index in range(20)]
    assert every == ([1] * 7 + [4]) * 2 + [1] * 4


def test_a_training_shorter_than_an_epoch_counts_as_one() -> None:
    program = WeightsThenPolicy(updates=3, samples=2)
    assert [len(moves(program, index, total=2)) for index in range(2)] == [1, 4]


def test_the_families_the_data_and_the_paths_of_a_step() -> None:
    program = WeightsThenPolicy(updates=3, samples=5, models=2)
    first, *others = moves(program, 3)
    assert (first.families, first.data, len(first.paths), first.gradient) == (("weights",), "train", 2, None)
    assert first.combine == Mean()
    assert {(m.families, m.data, len(m.paths), m.combine) for m in others} == {
        (("controller",), "validation", 5, Mean())
    }
    assert all(move.gradient == Reinforce() for move in others)
    drawn = [str(path.decisions) for move in others for path in move.paths]
    assert len(set(drawn)) > 4, "each is drawn anew"


@pytest.mark.parametrize("setting", ["models", "updates", "samples", "every"])
def test_there_is_at_least_one_of_each(setting: str) -> None:
    with pytest.raises(UsageError, match=setting):
        WeightsThenPolicy(**{setting: 0})
    with pytest.raises(UsageError, match="auxiliary"):
        WeightsThenPolicy(auxiliary=-1.0)
