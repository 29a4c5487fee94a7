"""Edits: when they are applied, what they may see, and what the log says of them."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, replace
from pathlib import Path as File
from typing import Any, Literal

import pytest
import torch

from method_trials import squares, train
from small_nets import executor, operations_net, sgd, step
from supernet import Supernet
from supernet.errors import UsageError
from supernet.methods import spos
from supernet.train import (
    Context,
    CopyOfNet,
    CrossEntropy,
    Edit,
    Move,
    Moves,
    Part,
    Path,
    Recipe,
    Step,
    TrainPaths,
    fit,
)
from supernet.train.context import carried_out
from supernet.train.laws import Trial, resumes_bitwise
from supernet.train.move import Result

PROGRAM = spos().program


SEEN: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    SEEN.clear()


def note(context: Context) -> dict[str, float]:
    """Notes the steps that it is applied after, and logs their numbers."""
    SEEN.setdefault("steps", []).append(context.step.done)
    return {"noted": float(context.step.done)}


@pytest.mark.parametrize(
    ("every", "unit", "steps"),
    [(1, "steps", [0, 1, 2, 3, 4, 5, 6, 7, 8]), (3, "steps", [2, 5, 8]), (1, "epochs", [3, 7]), (2, "epochs", [7])],
)
def test_an_edit_is_due_by_steps_or_epochs(every: int, unit: Literal["steps", "epochs"], steps: list[int]) -> None:
    """By epochs of four steps."""
    batch_size = len(squares().train) // 4
    edit = Edit(name="note", apply=note, every=every, unit=unit)
    recipe = replace(spos(), edits=(edit,))
    fit(operations_net(), recipe, squares(), steps=9, batch_size=batch_size, accelerator="cpu", progress=False)
    assert SEEN["steps"] == steps


@pytest.mark.parametrize(("every", "unit"), [(0, "steps"), (1, "hours")])
def test_what_is_never_due(every: int, unit: Any) -> None:
    with pytest.raises(UsageError, match=rf"The edit 'x' is applied every {every} {unit}; give at least 1 of"):
        Edit(name="x", apply=note, every=every, unit=unit)


def test_what_edits_say_waits_for_the_next_line_of_the_log(tmp_path: File) -> None:
    """Its lines have means since the line before, and none where no edit was due; a resumed training has the same."""
    recipe = replace(spos(), edits=(Edit(name="note", apply=note, every=2),))
    whole = train(recipe, steps=10, log_every=5, out=tmp_path / "whole")
    assert [row["noted"] for row in whole.history] == [(1 + 3) / 2, (5 + 7 + 9) / 3]
    assert "noted" not in train(replace(spos(), edits=(Edit(name="n", apply=note, every=9),)), steps=5).history[0]
    for stop in (2, 4, 10):
        train(recipe, steps=10, log_every=10**6, out=tmp_path / "parts", stop_after=stop, resume=True)
    rows = [json.loads(line) for line in (tmp_path / "parts" / "train.jsonl").read_text().splitlines()]
    assert [(row["step"], row["noted"]) for row in rows] == [(2, 1.0), (4, 3.0), (10, 7.0)]


def test_edits_of_the_recipe_come_after_the_moves_and_before_those_of_a_phase() -> None:
    order: list[str] = []

    @dataclass(frozen=True)
    class Say:
        word: str

        def __call__(self, context: Context) -> None:
            order.append(self.word)

    @dataclass(frozen=True)
    class Program:
        parts = ()

        def check(self, net: Supernet) -> None:
            return

        def moves(self, step: Step) -> Moves:
            yield Edit(name="before", apply=Say("before"), every=99)  # one that a program yields is applied at once
            result = yield Move(paths=[Path(step.space.smallest(), CrossEntropy())])
            assert isinstance(result, Result)
            order.append("moved")
            assert (yield Edit(name="after", apply=Say("after"))) is None

    recipe = Recipe(name="x", program=Program(), weights=sgd(), edits=(Edit(name="e", apply=Say("recipe")),))
    phase = replace(recipe.phases[0], edits=(Edit(name="e", apply=Say("phase")),))
    train(replace(recipe, program=(phase,)), steps=2)
    assert order == ["before", "moved", "after", "recipe", "phase"] * 2


@dataclass(frozen=True)
class ByLoss:
    """Repeats a move until its loss is small, at most five times."""

    told: list[list[float]]
    parts = ()

    def check(self, net: Supernet) -> None:
        return

    def moves(self, step: Step) -> Moves:
        losses: list[float] = []
        while len(losses) < 5 and (not losses or losses[-1] > 0.7 * losses[0]):
            result = yield Move(paths=[Path(step.space.smallest(), CrossEntropy())])
            assert result is not None
            losses.append(result.loss)
        self.told.append(losses)


def test_a_program_is_told_what_became_of_its_move() -> None:
    told: list[list[float]] = []
    trained = train(Recipe(name="x", program=ByLoss(told), weights=sgd(0.3)), steps=2, log_every=1)
    assert 1 < len(told[0]) <= 5
    for row, losses in zip(trained.history, told, strict=True):
        assert row["loss"] == pytest.approx(sum(losses) / len(losses))


def test_moves_are_carried_out_before_the_next_is_asked_for() -> None:
    net = operations_net()
    run = executor(net, squares())
    context = Context(replace(step(net), runner=run), run)
    asked: list[str] = []

    def moves() -> Moves:
        for name in "ab":
            asked.append(name)
            yield Move(paths=[Path(net.space.smallest(), CrossEntropy())])

    for number, (act, result) in enumerate(carried_out(moves(), context), start=1):
        assert isinstance(act, Move)
        assert (len(asked), run.backwards) == (number, number)
        assert len(result.losses) == 1


# -- what an edit sees ---------------------------------------------------------------------------------------------


def look(context: Context) -> None:
    batches = [context.batch(number) for number in (3, 3, 4)]
    SEEN["parts"], SEEN["families"] = set(context.parts), set(context.steppers)
    SEEN["same"], SEEN["other"] = (torch.equal(batches[0].x, batches[n].x) for n in (1, 2))
    SEEN["validation"] = len(context.batch(0, split="validation").y)
    context.memory["seen"] = context.memory.get("seen", 0) + 1
    context.step.rate([context.net.space.smallest()], data="validation", images=32)


def test_an_edit_sees_parts_memory_steppers_and_any_batch() -> None:
    recipe = replace(spos(), parts={"first": Part(build=CopyOfNet())}, edits=(Edit(name="look", apply=look),))
    trained = train(recipe, steps=3)
    told = {"parts": {"first"}, "families": {"weights"}, "same": True, "other": False, "validation": 16}
    assert told == SEEN
    assert trained.memory == {"seen": 3}
    assert trained.history[-1]["forwards"] == pytest.approx(3 * (1 + 32 / 16)), "what an edit runs is counted"


@dataclass(frozen=True)
class Perturb:
    """Adds noise to the weights, restricts the space, remembers how often."""

    def __call__(self, context: Context) -> dict[str, float]:
        with context.step.seeded("noise") as rng, torch.no_grad():
            for parameter in context.net.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.01)
            draw = float(rng.random())
        times = context.memory["times"] = context.memory.get("times", 0) + 1
        if times == 2:
            context.restriction.decide("block0", "conv1")
        if times == 4:
            context.restriction.release("block0")
            context.restriction.allow("block1", ("conv3", "skip"))
        return {"draw": draw}


def test_another_net_of_the_same_space_is_rated_in_place_of_the_supernet() -> None:
    net, data = operations_net(), squares()
    other = copy.deepcopy(net)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1.5)
    archs, before = [net.space.smallest()], copy.deepcopy(other.state_dict())
    run, alone = executor(net, data), executor(other, data)
    ratings = run.rate(archs, "validation", net=other)
    assert ratings == alone.rate(archs, "validation") != run.rate(archs, "validation")
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items()), "statistics too"


def test_what_an_edit_forbids_is_not_drawn_from_the_next_step_on() -> None:
    seen: list[tuple[int, ...]] = []

    @dataclass(frozen=True)
    class Drawn:
        draws = "one"

        def check(self, net: Supernet) -> None:
            return

        def paths(self, step: Step) -> Any:
            assert step.restriction is not None
            seen.append(tuple(step.space.counts.tolist()))
            return [step.space.sample(step.rng)]

    recipe = replace(spos(), program=TrainPaths(sampler=Drawn()), edits=(Edit(name="perturb", apply=Perturb()),))
    trained = train(recipe, steps=6)
    assert seen == [(3, 3), (3, 3), (1, 3), (1, 3), (3, 2), (3, 2)]
    assert trained.space is not None
    assert trained.space.counts.tolist() == [3, 2]


@pytest.mark.slow
def test_a_training_with_edits_resumes_bitwise() -> None:
    """Also the restriction, the memory and the numbers for the log are those of the whole training."""
    recipe = replace(spos(), edits=(Edit(name="perturb", apply=Perturb()),))
    resumes_bitwise(Trial(recipe=recipe, net=operations_net(), data=squares(), batch_size=8))


def test_what_is_left_of_the_space_is_written(tmp_path: File) -> None:
    recipe = replace(spos(), edits=(Edit(name="perturb", apply=Perturb()),))
    file = tmp_path / "restriction.json"
    train(recipe, steps=6, stop_after=1, out=tmp_path)
    assert not file.exists()
    train(recipe, steps=6, stop_after=3, out=tmp_path, resume=True)
    assert json.loads(file.read_text()) == {"block0": ["conv1"]}
    train(recipe, steps=6, out=tmp_path, resume=True)
    assert json.loads(file.read_text()) == {"block1": ["conv3", "skip"]}
    train(spos(), out=tmp_path / "other")
    assert not (tmp_path / "other" / "restriction.json").exists()
