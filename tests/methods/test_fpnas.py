"""FPNAS: one block is open at a time, and in the end every block is decided by what was rewarded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from method_trials import published, squares, train
from shifted_searches import blocks_net
from small_nets import elastic_net, step
from supernet.errors import UsageError
from supernet.methods import fpnas
from supernet.space import Arch
from supernet.train import (
    BlockAfterBlock,
    Context,
    Decided,
    Edit,
    FreshBatch,
    Mean,
    Recipe,
    Reinforce,
    SampleAndRank,
    Step,
    WeightsAndPolicy,
    adam,
    sgd,
)
from supernet.train.laws import Trial
from supernet.train.state import TrainingState

SHORT: dict[str, Any] = {"rounds": 1, "samples": 3, "derived": 4}

TRIALS = {
    "fpnas": lambda: Trial(
        recipe=fpnas(**SHORT, weights=sgd(0.1, clip_norm=5.0)), net=blocks_net(), data=squares(), steps=60
    ),
    "fpnas, sizes": lambda: Trial(recipe=fpnas(**SHORT, weights=sgd(0.1)), net=elastic_net(), data=squares(), steps=60),
}
ALTERNATIVES = {
    "rounds": 3,
    "samples": 4,
    "every": 2,
    "derived": 8,
    "entropy": 0.1,
    "decay": 0.5,
    "label_smoothing": 0.1,
    "policy": adam(0.2),
    "weights": sgd(0.1),
}
SETTINGS = {"rounds": 2, "samples": 8, "every": 1, "derived": 16, "entropy": 0.0, "decay": 0.9}
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"}
NET = blocks_net


def test_its_optimisers_are_those_of_the_reconstruction() -> None:
    recipe = fpnas()
    assert published(recipe.weights) == {
        "lr": 0.025,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 3e-4,
        "per": None,
        "clip": 5.0,
        "inactive": "freeze",
        "decay_vectors": True,
        "end": 0.0,
    }
    program: Any = recipe.program
    assert program.program.policy_gradient == Reinforce(decay=0.9, begin=None, entropy=0.0, part="policy")
    updates = recipe.parts["policy"].updates
    assert updates is not None
    assert (published(updates)["lr"], published(updates)["betas"]) == (0.1, (0.5, 0.999))


def note(context: Context) -> None:
    """Remember how many options of each choice are open."""
    restriction = context.restriction
    counts = [len(restriction.allowed(name)) for name in context.net.space.names]
    context.memory.setdefault("open", []).append(counts)


def test_one_block_is_open_at_a_time_and_in_the_end_none() -> None:
    recipe = replace(fpnas(**{**SHORT, "rounds": 2}), edits=(Edit(name="note", apply=note),))
    found = train(recipe, net=blocks_net(), steps=16)
    expected = [[3 if column == block else 1 for column in range(4)] for block in range(4) for _ in range(2)]
    assert found.memory["open"] == expected * 2
    assert found.space.size == 1
    assert found.derived is not None
    assert found.derived.code == found.space.smallest().code


LIKED = (2, 0, 1, 2)


def liked(step: Step, archs: Sequence[Arch]) -> Sequence[float]:
    """A rating that wants an option in every block, whatever the weights are."""
    return [sum(a != b for a, b in zip(arch.code, LIKED, strict=True)) / 4 for arch in archs]


def rated_by_liking(recipe: Recipe) -> Recipe:
    plan = recipe.program
    assert isinstance(plan, BlockAfterBlock)
    program = plan.program
    assert isinstance(program, WeightsAndPolicy)
    assert isinstance(plan.derive, SampleAndRank)
    gradient = replace(program.policy_gradient, rating=liked)
    derive = replace(plan.derive, samples=1)
    return replace(recipe, program=replace(plan, program=replace(program, policy_gradient=gradient), derive=derive))


def test_each_block_ends_with_the_option_that_is_rewarded() -> None:
    """With the wrong sign, or a policy that does not move, one draw of each block would not be the liked one."""
    found = train(rated_by_liking(fpnas(rounds=1, samples=8)), net=blocks_net(), steps=100)
    assert found.derived is not None
    assert found.derived.code == LIKED


def test_the_policy_of_a_decided_block_stays_as_it_is() -> None:
    more = train(replace(fpnas(**SHORT), program=one_phase()), net=blocks_net(), steps=4, seed=1)
    logits = [p.detach() for p in more.parts["policy"].parameters()]
    assert logits[0].abs().sum() > 0
    assert all(p.abs().sum() == 0 for p in logits[1:]), "the first block alone was open"


def one_phase() -> tuple[Any, ...]:
    plan = fpnas(**SHORT).program
    assert isinstance(plan, BlockAfterBlock)
    return plan.phases(blocks_net().space)[:1]


def test_policy_and_weights_alternate() -> None:
    recipe = fpnas(samples=5, every=3)
    plan = recipe.program
    assert isinstance(plan, BlockAfterBlock)
    net = blocks_net()
    parts = TrainingState(net, recipe.on(net.space), seed=0, batch_size=16).parts
    counts = []
    for index in range(6):
        moves = list(plan.program.moves(step(net, index, parts=parts)))
        move = moves[-1]
        counts.append([(move.families, len(move.paths), move.data) for move in moves])  # type: ignore[union-attr]
    weights, policy = (("weights",), 1, "train"), (("policy",), 5, "validation")
    assert counts == [[weights], [weights], [weights, policy]] * 2
    assert move.combine == Mean()
    assert len({path.decisions for path in move.paths}) > 1, "each of them is drawn anew"


def test_a_block_that_is_left_out_is_decided_without_the_policy() -> None:
    """A choice that the depth leaves out has no part in any likelihood, so there is no gradient to take."""
    net = blocks_net()
    part = net.space.restrict({name: ["skip"] for name in net.space.names})
    plan = fpnas().program
    assert isinstance(plan, BlockAfterBlock)
    parts = TrainingState(net, fpnas().on(net.space), seed=0, batch_size=16).parts
    moves = list(plan.program.moves(step(net, parts=parts).within(part)))
    assert [move.families for move in moves] == [("weights",)]  # type: ignore[union-attr]


def test_it_derives_what_is_decided_or_the_best_that_the_policy_draws() -> None:
    derive = fpnas(derived=7).derive
    assert derive == Decided(otherwise=SampleAndRank(samples=7, rating=FreshBatch(), part="policy"))


def test_wrong_numbers_are_sentences() -> None:
    with pytest.raises(UsageError, match="in 0 rounds"):
        fpnas(rounds=0)
    with pytest.raises(UsageError, match="samples of WeightsAndPolicy is 0"):
        fpnas(samples=0)
    with pytest.raises(UsageError, match="every of WeightsAndPolicy is 0"):
        fpnas(every=0)
    with pytest.raises(UsageError, match="best of 0 architectures"):
        fpnas(derived=0)
    assert torch.isfinite(torch.tensor(fpnas().weights.clip_norm or 0.0))
