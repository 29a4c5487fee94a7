"""One stage alone: what runs, what feeds it, and what is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from small_nets import operations_net
from staged_nets import STAGES, TAPS, running, staged_net, tapped_teacher
from supernet import Supernet
from supernet.errors import UsageError
from supernet.train import FeatureDistance, Fixed, Move, Path, Stage, TrainStage

NAMES = ("stem", "one", "two", "three", "head")


@contextmanager
def counted(net: Supernet) -> Iterator[Counter[str]]:
    """How often each part of the row runs, and in which place it had a gradient (`name, grad`)."""
    found: Counter[str] = Counter()

    def note(name: str, _: nn.Module, __: Any, result: torch.Tensor) -> None:
        found[name] += 1
        found[f"{name}, grad"] += result.requires_grad

    handles = [net.module.get_submodule(n).register_forward_hook(partial(note, n)) for n in NAMES]
    yield found
    for handle in handles:
        handle.remove()


def path(net: Supernet, stage: Stage) -> Path:
    return Path(net.space.largest(), FeatureDistance(stage=stage.index), forward=stage)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_step_runs_and_trains_one_stage_fed_by_the_teacher(index: int) -> None:
    net = staged_net()
    run, now = running(net, teacher=tapped_teacher(net))
    program = TrainStage(
        sampler=Fixed(net.space.largest()), forward=Stage(index=index), objective=FeatureDistance(stage=index)
    )
    program.check(net)
    before = {name: p.detach().clone() for name, p in net.module.named_parameters()}
    with counted(net) as ran:
        (move,) = program.moves(now)
        assert isinstance(move, Move)
        run.execute(move, now)
    expected = set(STAGES[index])
    assert {name for name in NAMES if ran[name]} == expected
    assert all(ran[name] == 1 for name in expected)
    changed = {name.split(".")[0] for name, p in net.module.named_parameters() if not torch.equal(p, before[name])}
    assert changed == expected
    assert (run.forwards, run.backwards) == (1, 1)


def test_what_a_stage_is_given_is_the_teacher_s_feature_of_the_stage_before() -> None:
    net = staged_net()
    run, now = running(net, teacher=(teacher := tapped_teacher(net)))
    batch = run.batch("train")
    features = teacher(batch.x)
    objective = FeatureDistance(stage=1)
    given = objective.prepare([], now, batch)
    _, outcome = run.run(path(net, Stage(index=1)), batch, now, given=given)
    with net.active(net.space.largest()):
        assert torch.equal(outcome.logits, net.module.two(features[0]))  # type: ignore[operator]
    assert outcome.logits.shape[1:] == features[1].shape[1:] == (6, 4, 4)


@pytest.mark.parametrize("gradient", [False, True])
def test_own_earlier_stages_run_with_a_gradient_only_where_that_is_asked_for(gradient: bool) -> None:
    net = staged_net()
    run, now = running(net)
    batch = run.batch("train")
    with counted(net) as ran:
        _, outcome = run.run(
            path(net, Stage(index=2, source="own", gradient=gradient)),
            batch,
            now,
            given={"teacher": [torch.zeros(16, 8, 2, 2)] * 3},
        )
    assert [ran[name] for name in NAMES] == [1, 1, 1, 1, 0]
    assert [ran[f"{name}, grad"] for name in NAMES] == [gradient, gradient, gradient, True, False]
    with torch.no_grad(), net.active(net.space.largest()):
        row: Any = net.module
        torch.testing.assert_close(outcome.logits, row.three(row.two(row.one(row.stem(batch.x)))))


def test_other_decisions_run_other_operations() -> None:
    net = staged_net()
    run, now = running(net, teacher=tapped_teacher(net))
    batch = run.batch("train")
    given = FeatureDistance(stage=2).prepare([], now, batch)
    one, other = (
        run.run(replace(path(net, Stage(index=2)), decisions=arch), batch, now, given=given)[1].logits
        for arch in (net.space.smallest(), net.space.largest())
    )
    assert not torch.equal(one, other)


def test_stages_may_be_named_by_the_user() -> None:
    net = staged_net()
    stage = Stage(index=0, stages=("stem", "one"), source="own")
    with pytest.raises(UsageError, match=r"Stage 0, the modules stem, has no choice"):
        stage.check(net)
    named = Stage(index=1, stages=(("stem", "one", "two"), "three"))
    named.check(net)
    run, now = running(net, teacher=tapped_teacher(net, taps=TAPS[1:], stages=named.stages))
    batch = run.batch("train")
    given = FeatureDistance(stage=1).prepare([], now, batch)
    assert run.run(path(net, named), batch, now, given=given)[1].logits.shape == (16, 8, 2, 2)


@pytest.mark.parametrize(
    ("stage", "net", "sentence"),
    [
        (Stage(index=3), staged_net, r"Stage 3 was to run, but Row has the stages 0 to 2"),
        (Stage(index=0), operations_net, r"Sequential does not say what its stages are\. Name their modules in order"),
        (Stage(index=0, stages=("stem", "tow")), staged_net, r"There is no module 'tow' in Row; it has 'head', 'one'"),
        (Stage(index=0, stages=("one", ("two", "one"))), staged_net, r"The module 'one' stands in two places"),
        (Stage(index=0, stages=()), staged_net, r"name at least one, and at least one module in each"),
        (Stage(index=1, stages=("one", ("two.0",), ("stem",))), staged_net, None),
        (Stage(index=2, stages=("one", ("two.0",), ("stem",))), staged_net, r"has no choice, so there is nothing"),
    ],
)
def test_a_network_without_the_stage_is_refused(stage: Stage, net: Any, sentence: str | None) -> None:
    if sentence is None:
        stage.check(net())
        return
    with pytest.raises(UsageError, match=sentence):
        stage.check(net())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"index": -1}, "numbered from 0"),
        ({"index": 1, "source": "images"}, r"A stage is fed by one of \('teacher', 'own'\)"),
        ({"index": 1, "gradient": True}, "A teacher has no gradient"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Stage(**options)


def test_a_stage_that_nothing_was_prepared_for_says_so() -> None:
    net = staged_net()
    run, now = running(net)
    with pytest.raises(UsageError, match=r"fed by the teacher 'teacher', but nothing has prepared its features"):
        run.run(path(net, Stage(index=1)), run.batch("train"), now)


def test_stage_and_objective_are_of_one_stage() -> None:
    with pytest.raises(UsageError, match="Stage 1 was to run and stage 2 to be compared"):
        TrainStage(
            sampler=Fixed(staged_net().space.largest()), forward=Stage(index=1), objective=FeatureDistance(stage=2)
        )
