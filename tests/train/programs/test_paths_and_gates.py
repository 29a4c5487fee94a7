"""Paths for the weights, gates for the architecture, and shares that stay."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch

from small_nets import elastic_net, executor, images, operations_net, step
from supernet import Supernet
from supernet.errors import UsageError
from supernet.nn import Decisions, Mixture
from supernet.space import Arch
from supernet.space.restriction import Restriction
from supernet.train import (
    BinaryGates,
    Context,
    CrossEntropy,
    Edit,
    KeepShares,
    Move,
    OptionLogits,
    PathsAndGates,
)


@pytest.fixture(scope="module")
def net() -> Supernet:
    return operations_net()


def acts(program: PathsAndGates, net: Supernet, index: int, *, total: int = 20) -> list[Any]:
    parts = {"architecture": OptionLogits(net)}
    return list(program.moves(step(net, index, total=total, parts=parts)))


def test_the_architecture_moves_after_the_weights_in_every_fifth_step(net: Supernet) -> None:
    program = PathsAndGates(architecture_objective=CrossEntropy(0.3), objective=CrossEntropy(0.1))
    found = [acts(program, net, index) for index in range(20)]
    assert [index for index, one in enumerate(found) if len(one) > 1] == [4, 9, 14, 19]
    weights, architecture, edit = found[4]
    assert (weights.updates, weights.data, weights.paths[0].objective) == ("weights", "train", CrossEntropy(0.1))
    assert isinstance(weights.paths[0].decisions, Arch)
    assert (architecture.updates, architecture.data) == ("architecture", "validation")
    assert architecture.paths[0].objective == CrossEntropy(0.3)
    assert all(len(one.run) == 2 for one in architecture.paths[0].decisions.values())
    assert isinstance(edit, Edit)
    waiting = [len(acts(PathsAndGates(every=2, begin=0.5), net, index)) for index in range(20)]
    assert [index for index, count in enumerate(waiting) if count > 1] == [11, 13, 15, 17, 19]


def test_a_step_with_everything_decided_moves_the_weights_alone(net: Supernet) -> None:
    restriction = Restriction(net.space)
    for name in net.space.names:
        restriction.decide(name, "skip")
    logits = OptionLogits(net)
    now = step(net, 4, parts={"architecture": logits})
    (move,) = PathsAndGates().moves(replace(now, restriction=restriction))
    assert isinstance(move, Move)
    assert set(move.paths[0].decisions.options().values()) == {"skip"}  # type: ignore[union-attr]


def test_options_that_did_not_run_keep_their_probabilities(net: Supernet) -> None:
    logits = OptionLogits(net, scale=1.0, seed=1)
    before = copy.deepcopy(logits)
    decisions = Decisions(
        {"block0": Mixture(torch.tensor([0.0, 1.0, 0.0]), (1, 2)), "block1": Mixture(torch.tensor([1.0, 0.0, 0.0]))}
    )
    keep = KeepShares.of(decisions, logits, "architecture")
    with torch.no_grad():
        logits.logits[0].add_(torch.tensor([0.0, 0.7, -0.2]))
        logits.logits[1].add_(torch.tensor([0.3, 0.0, 0.1]))
    moved = copy.deepcopy(logits)
    keep(Context(step(net, parts={"architecture": logits}), executor(net, images())))
    was, now = (one.logits[0].detach().softmax(0) for one in (before, logits))
    torch.testing.assert_close(now[0], was[0])
    torch.testing.assert_close(now[1] + now[2], was[1] + was[2])
    assert now[1] > was[1] + 0.05
    assert logits.logits[0][0] == before.logits[0][0]
    torch.testing.assert_close(
        logits.logits[0][1] - logits.logits[0][2], moved.logits[0][1] - moved.logits[0][2], msg="their odds stay"
    )
    assert torch.equal(logits.logits[1], moved.logits[1]), "where all ran there is nothing to keep"


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="one of every 0 steps"):
        PathsAndGates(every=0)
    with pytest.raises(UsageError, match=r"a share in \[0, 1\); got 1"):
        PathsAndGates(begin=1.0)
    with pytest.raises(UsageError, match="cannot be mixed"):
        PathsAndGates(gates=BinaryGates("all")).check(elastic_net())
