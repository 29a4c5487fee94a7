"""Programs on a space that is decided: the architecture no longer moves, the weights do."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from method_trials import squares, train, vector
from small_nets import operations_net
from supernet.methods import darts
from supernet.space import Space
from supernet.train import Bilevel, Part, Phase, Program, Recipe, SingleLevel
from supernet.train.executor import Executor
from supernet.train.laws import Trial, moves_change_one_family
from supernet.train.parametrisations.option_logits import LogitPerOption


def to_skips(space: Space) -> dict[str, tuple[str]]:
    return dict.fromkeys(space.names, ("skip",))


def decided_after_half(program: Program) -> Recipe:
    phases = (
        Phase(name="open", share=1, program=program),
        Phase(
            name="decided",
            share=1,
            program=program,
            restart=False,
            restrict=to_skips,
        ),
    )
    return replace(darts(), program=phases)


@pytest.mark.parametrize("program", [Bilevel(), Bilevel(first="weights"), Bilevel(order=2), SingleLevel()])
def test_once_all_is_decided_only_the_weights_move(program: Program) -> None:
    from supernet.train.executor import Executor

    moved: list[tuple[int, tuple[str, ...]]] = []
    original = Executor.execute
    with pytest.MonkeyPatch.context() as patch:

        def noting(self: Executor, move, step):  # type: ignore[no-untyped-def]
            moved.append((step.done, move.families))
            return original(self, move, step)

        patch.setattr(Executor, "execute", noting)
        train(decided_after_half(program), steps=4)
    assert {done for done, families in moved if "architecture" in families} == {0, 1}
    assert {done for done, families in moved if "weights" in families} == {0, 1, 2, 3}
    moves_change_one_family(Trial(recipe=decided_after_half(program), net=operations_net(), data=squares()))


def test_an_architecture_that_never_begins_to_learn_needs_no_updates() -> None:
    recipe = replace(
        darts(),
        program=Bilevel(begin=1.0),
        parts={"architecture": Part(build=LogitPerOption(0.0))},
    )
    net = operations_net()
    before = vector(net)
    trained = train(recipe, net=net, steps=4)
    assert not vector(trained.parts["architecture"]).any()
    assert not torch.equal(before, vector(net))
