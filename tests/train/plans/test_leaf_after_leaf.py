"""A phase for the supernet and one per leaf."""

from __future__ import annotations

from supernet import Choice, Space
from supernet.train import LeafAfterLeaf, TrainPaths, Uniform
from supernet.train.edits.split_by_option import SplitByOption
from supernet.train.samplers.within import Within

SPACE = Space([Choice("a", (0, 1, 2)), Choice("b", (0, 1)), Choice("c", (5,))])


def test_there_is_a_phase_per_joint_option_and_one_before_them() -> None:
    plan = LeafAfterLeaf(program=TrainPaths(sampler=Uniform()), choices=("b", "a"), parent=7, leaf=2)
    phases = plan.phases(SPACE)
    assert [(phase.name, phase.share) for phase in phases] == [("parent", 7), *((f"leaf {n}", 2) for n in range(6))]
    assert [phase.program.sampler for phase in phases] == [  # type: ignore[attr-defined]
        Within(Uniform(), leaf) for leaf in (0, 0, 1, 2, 3, 4, 5)
    ]
    splits = {phase.name: phase.enter for phase in phases if phase.enter is not None}
    assert splits == {"leaf 0": SplitByOption(("b", "a"))}, "once, from the weights of the supernet"


def test_leaves_alone_are_split_at_once_and_have_fresh_weights() -> None:
    plan = LeafAfterLeaf(program=TrainPaths(sampler=Uniform()), choices=None, parent=None, leaf=2)
    phases = plan.phases(SPACE)
    assert [phase.name for phase in phases] == ["leaf 0", "leaf 1", "leaf 2"]
    assert phases[0].enter == SplitByOption(None, fresh=True)
