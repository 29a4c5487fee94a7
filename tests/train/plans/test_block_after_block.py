"""Which blocks there are, and that each phase opens one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shifted_searches import blocks_net
from small_nets import executor, images, step
from supernet.errors import UsageError
from supernet.space import Choice, Space
from supernet.space.restriction import Restriction
from supernet.train import BlockAfterBlock, Context, DecideBlock, OpenBlock, SampleAndRank, WeightsAndPolicy
from supernet.train.plans.block_after_block import groups_of

PLAN = BlockAfterBlock(program=WeightsAndPolicy(), rounds=2, derive=SampleAndRank())


def test_choices_of_a_layer_are_one_block_and_others_are_alone() -> None:
    depth = Choice("stage1.depth", (1, 2))
    space = Space(
        [
            depth,
            Choice("stage1.block1.kernel", (3, 5)),
            Choice("stage1.block1.expansion", (2, 3)),
            Choice("stage1.block2.kernel", (3, 5), when=depth >= 2),
        ]
    )
    assert groups_of(space) == [
        ("stage1.depth",),
        ("stage1.block1.kernel", "stage1.block1.expansion"),
        ("stage1.block2.kernel",),
    ]
    decided = space.restrict({"stage1.block1.kernel": (3,), "stage1.depth": (2,)})
    assert groups_of(decided) == [("stage1.block1.expansion",), ("stage1.block2.kernel",)]


def test_phases_are_rounds_times_blocks_with_one_schedule() -> None:
    phases = PLAN.phases(blocks_net().space)
    assert [phase.enter for phase in phases] == [OpenBlock((f"block{n}",)) for n in range(4)] * 2
    assert [phase.part for phase in phases] == [(n / 8, (n + 1) / 8) for n in range(8)]
    assert not any(phase.restart for phase in phases)


def test_a_space_without_choices_is_refused() -> None:
    space = blocks_net().space
    one = space.restrict({name: space.allowed(name)[:1] for name in space.names})
    with pytest.raises(UsageError, match="no choice of the space has two options"):
        PLAN.phases(one)


def context(restriction: Restriction | None = None, *, seed: int = 0) -> Context:
    net = blocks_net()
    left = Restriction(net.space) if restriction is None else restriction
    run = executor(net, images())
    return Context(replace(step(net), restriction=left, runner=run, seed=seed), run)


def test_what_no_block_has_decided_yet_is_drawn_from_all_options() -> None:
    drawn = []
    for seed in range(12):
        here = context(seed=seed)
        OpenBlock(("block1",))(here)
        drawn.append([here.restriction.decided(f"block{n}") for n in (0, 2, 3)])
    assert {position for row in drawn for position in row} == {0, 1, 2}
    assert len({tuple(row) for row in drawn}) > 6


def test_opening_keeps_what_is_decided_and_decides_the_rest_by_the_seed() -> None:
    here = context()
    here.restriction.decide("block3", "skip")
    OpenBlock(("block1",))(here)
    assert [len(here.restriction.allowed(f"block{n}")) for n in range(4)] == [1, 3, 1, 1]
    assert here.restriction.decided("block3") == 2
    other = context()
    other.restriction.decide("block3", "skip")
    OpenBlock(("block1",))(other)
    assert other.restriction.kept == here.restriction.kept
    before = dict(here.restriction.kept)
    OpenBlock(("block2",))(here)
    assert len(here.restriction.allowed("block2")) == 3, "it was decided, and is given back"
    assert here.restriction.decided("block0") == before["block0"][0]
    assert here.restriction.decided("block1") is not None


def test_deciding_takes_the_best_of_the_block_alone() -> None:
    here = context()
    OpenBlock(("block1",))(here)
    before = {name: here.restriction.decided(name) for name in ("block0", "block2", "block3")}
    DecideBlock(("block1",), SampleAndRank(samples=3))(here)
    assert here.restriction.decided("block1") is not None
    assert {name: here.restriction.decided(name) for name in before} == before
    assert here.restriction.space.size == 1
