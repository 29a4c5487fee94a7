"""Phases: their places in a training, what a schedule sees of them, what they change, and how they end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from method_trials import squares, train, vector
from small_nets import executor, images, operations_net, sgd, step
from supernet import Supernet
from supernet.data import Batch, FewerClasses, ImageData
from supernet.errors import UsageError
from supernet.methods import spos
from supernet.nn import Mutable
from supernet.nn.output import Output
from supernet.space import Arch, Option, Space
from supernet.train import (
    Context,
    CrossEntropy,
    Linear,
    Move,
    Moves,
    Part,
    Phase,
    Ramp,
    Recipe,
    Setting,
    Step,
    TrainPaths,
    adam,
    fit,
)
from supernet.train import Path as MovePath
from supernet.train.checkpoint import latest, load
from supernet.train.executor import Executor
from supernet.train.laws import Trial, resumes_bitwise
from supernet.train.phases import plan

PROGRAM = TrainPaths(sampler=spos().samplers[0])


def in_parts(*parts: tuple[float, float], program: TrainPaths = PROGRAM, restart: bool = False) -> Recipe:
    """Phases as long as the parts of the training that they are."""
    phases = [
        Phase(name=str(part), share=part[1] - part[0], program=program, part=part, restart=restart) for part in parts
    ]
    return replace(spos().with_weights(lr=0.1, per=None), program=tuple(phases))


@dataclass(frozen=True)
class Noting:
    """Uniform paths; notes where training stands."""

    seen: list[tuple[int, int, int]]

    draws = "one"

    def check(self, net: object) -> None:
        return

    def paths(self, step: Step) -> Sequence[Arch]:
        self.seen.append((step.index, step.total, step.done))
        return [step.net.space.sample(step.rng)]


def test_a_training_in_parts_is_the_training() -> None:
    """Schedule, paths and momentum go on over the border, so that every bit is the same."""
    whole, parts = in_parts((0, 1)), in_parts((0, 0.25), (0.25, 1))
    assert whole.weights.schedule == Linear()
    ends = [train(recipe, steps=12, log_every=1) for recipe in (whole, parts)]
    assert [row["lr"] for row in ends[0].history] == [row["lr"] for row in ends[1].history]
    assert torch.equal(vector(ends[0].net), vector(ends[1].net))


def test_a_part_counts_as_the_longer_training_does() -> None:
    seen: list[tuple[int, int, int]] = []
    train(in_parts((0, 0.5), (0.25, 0.5), program=TrainPaths(sampler=Noting(seen))), steps=6)
    assert seen == [(0, 8, 0), (1, 8, 1), (2, 8, 2), (3, 8, 3), (2, 8, 4), (3, 8, 5)]


@pytest.mark.parametrize("part", [(0.5, 0.5), (0.6, 0.4), (-0.1, 1), (0, 1.1), (float("nan"), 1)])
def test_what_is_no_part(part: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="give two shares between 0 and 1"):
        Phase(name="a", share=1, program=PROGRAM, part=part)


@pytest.mark.parametrize("steps", range(1, 40))
@pytest.mark.parametrize("part", [(0, 1), (0, 0.56), (0.22, 0.44), (0.44, 1), (0.9, 1), (1 / 3, 2 / 3)])
def test_no_step_lies_outside_the_longer_training(part: tuple[float, float], steps: int) -> None:
    (stretch,) = plan([Phase(name="a", share=1, program=PROGRAM, part=part)], steps)
    places = [stretch.place(done) for done in range(steps)]
    assert all(0 <= index < total for index, total in places)
    assert len({total for _, total in places}) == 1
    assert [index for index, _ in places] == list(range(places[0][0], places[0][0] + steps))


@pytest.mark.parametrize("shares", [(1, 1, 1), (50, 1, 1, 5), (0.3, 0.1, 0.1), (1, 2, 2, 1, 0.5)])
def test_a_phase_without_a_step_says_how_many_steps_are_enough(shares: tuple[float, ...]) -> None:
    phases = [Phase(name=str(number), share=share, program=PROGRAM) for number, share in enumerate(shares)]
    with pytest.raises(UsageError, match="gets none of 1 steps") as told:
        plan(phases, 1)
    enough = int(str(told.value).rsplit("Train for ", 1)[1].split()[0].replace(",", ""))
    assert all(stretch.steps >= 1 for steps in range(enough, 3 * enough) for stretch in plan(phases, steps))
    with pytest.raises(UsageError, match="gets none of"):
        plan(phases, enough // 3)


# -- what a phase may change ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Both:
    """The weights, and α of two numbers that are added to the images."""

    parts = ("code",)
    objective = CrossEntropy()

    def check(self, net: object) -> None:
        return

    def moves(self, step: Step) -> Moves:
        images = step.batch("train")
        SEEN.append(
            {
                "done": step.done,
                "size": len(images.y),
                "x": images.x.clone(),
                "y": images.y.clone(),
                "space": step.space.counts.tolist(),
                "settings": dict(step.settings),
                "epoch": step.steps_per_epoch,
            }
        )
        path = MovePath(step.space.sample(step.rng), self.objective, forward=coded)
        yield Move(updates=("weights", "code"), paths=[path])


class Code(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(1))


def code(setting: Setting) -> Code:
    return Code()


def coded(step: Step, path: MovePath, batch: Batch) -> Output:
    return step.forward(path.decisions, Batch(batch.x + step.part("code", Code).value, batch.y))


def phased(*phases: dict[str, Any], **recipe: Any) -> Recipe:
    made = [
        Phase(**({"name": f"p{number}", "share": 1.0, "program": Both()} | phase))
        for number, phase in enumerate(phases)
    ]
    given = {"name": "phased", "weights": sgd(0.1, momentum=0.9), "parts": {"code": CODE}} | recipe
    return Recipe(program=tuple(made), **given)


CODE = Part(build=code, updates=sgd(0.2, momentum=0.5))


SEEN: list[dict[str, Any]] = []
"""What the steps of `Both` have seen."""


def seen() -> list[dict[str, Any]]:
    """What they have seen since this was asked last."""
    found = list(SEEN)
    SEEN.clear()
    return found


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    SEEN.clear()


def test_every_phase_steps_by_its_own_updates_and_others_as_the_recipe_says() -> None:
    """Also what no phase names again: the learning rates are those of the recipe in the third."""
    own = {"weights": sgd(0.01, momentum=0.9, schedule=Linear()), "code": sgd(0.03)}
    recipe = phased({}, {"updates": own}, {"restart": False})
    rates: list[list[float]] = []

    class Rates:
        every = 1

        def __call__(self, step: Step) -> dict[str, float]:
            assert isinstance(step.runner, Executor)
            rates.append([s.optimizer.param_groups[0]["lr"] for s in step.runner.steppers.values()])
            return {}

    rows = train(recipe, steps=6, log_every=1, monitors=[Rates()]).history
    assert [row["lr"] for row in rows] == pytest.approx([0.1, 0.1, 0.01, 0.005, 0.1, 0.1])
    assert [row[0] for row in rates] == pytest.approx([0.1, 0.1, 0.01, 0.005, 0.1, 0.1])
    assert [row[1] for row in rates] == pytest.approx([0.2, 0.2, 0.03, 0.03, 0.2, 0.2])


@pytest.mark.parametrize("restart", [False, True])
def test_momentum_is_kept_over_the_border_or_forgotten(restart: bool) -> None:
    """By the same updates under another name, the training in two phases is that in one only where it is kept."""
    again = {"weights": sgd(0.1, momentum=0.9, clip_norm=1e6)}
    one = train(phased({}), steps=6).net
    two = train(phased({}, {"updates": again, "restart": restart}), steps=6).net
    assert torch.equal(vector(one), vector(two)) is not restart


def test_what_an_optimiser_remembers_means_nothing_to_another() -> None:
    phased({}, {"updates": {"weights": adam(0.01)}})
    for updates in ({"weights": adam(0.01)}, {"code": adam(0.01)}):
        with pytest.raises(UsageError, match=rf"'p1' of the recipe 'phased' keeps .* steps '{next(iter(updates))}' by"):
            phased({}, {"updates": updates, "restart": False})


def test_a_phase_may_have_batches_of_another_size() -> None:
    """The rate of an optimiser with `per` follows; forwards are counted in batches of the training."""
    per = sgd(0.1, per=16)
    recipe = phased({}, {"batch": 0.5}, {"batch": 2}, weights=per)
    rows = train(recipe, steps=6, log_every=1).history
    found = seen()
    assert [entry["size"] for entry in found] == [16, 16, 8, 8, 32, 32]
    epochs = len(squares().train)
    assert [entry["epoch"] for entry in found] == [round(epochs / size) for size in (16, 16, 8, 8, 32, 32)]
    assert [row["lr"] for row in rows] == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.2, 0.2])
    assert [row["backwards"] for row in rows] == [1, 2, 2.5, 3, 5, 7]


@pytest.mark.parametrize(("factor", "size"), [(0.01, 0), (100, 1600)])
def test_batches_that_there_are_not_are_refused_before_the_training(factor: float, size: int) -> None:
    recipe = phased({}, {"batch": factor})
    with pytest.raises(UsageError, match=f"The phase 'p1' asks for batches of {size} examples, of"):
        train(recipe, steps=6)
    assert not seen()


def few(data: ImageData) -> ImageData:
    return FewerClasses(classes=(0, 1))(data)


def test_a_phase_may_have_data_of_its_own() -> None:
    """Streams begin anew with it and after it, so that no batch comes twice; before it, images are as without it."""
    recipe, plain = phased({}, {"data": few}, {}), phased({}, {}, {})
    train(recipe, steps=6)
    found = seen()
    train(plain, steps=6)
    usual = seen()
    assert all(torch.equal(a["x"], b["x"]) for a, b in zip(found[:2], usual[:2], strict=True))
    assert [set(entry["y"].tolist()) <= {0, 1} for entry in found] == [False, False, True, True, False, False]
    batches = [entry["x"] for entry in (*found, *usual)]
    same = [(i, j) for i, a in enumerate(batches) for j, b in enumerate(batches[:i]) if torch.equal(a, b)]
    assert same == [(6, 0), (7, 1)]


def test_data_that_do_not_suit_the_net_are_refused_before_the_training() -> None:
    def other(data: ImageData) -> ImageData:
        return images(classes=12)

    recipe = phased({}, {"data": other})
    with pytest.raises(UsageError, match="have 12 classes, but the network returns"):
        train(recipe, steps=6)
    assert not seen()


def one_operation(space: Space) -> dict[str, tuple[str, ...]]:
    return {"block0": ("conv1",)}


def given_back(space: Space) -> dict[str, Sequence[Option]]:
    return {"block0": space.allowed("block0"), "block1": ("conv3", "skip")}


@pytest.mark.parametrize("shares", [(1, 1), (1, 1, 1), (2, 1, 2), (10, *[5] * 8), (3, 2, 3), (0.35, 0.1, 0.55)])
def test_the_steps_that_are_said_to_do_do_and_so_do_more(shares: tuple[float, ...]) -> None:
    phases = [Phase(name=str(place), share=share, program=PROGRAM) for place, share in enumerate(shares)]
    with pytest.raises(UsageError, match=r"gets none of 1 steps .* Train for (\d+) steps or more") as caught:
        plan(phases, 1)
    said = int(str(caught.value).split("Train for ")[1].split()[0])
    for steps in range(said, said + 40):
        stretches = plan(phases, steps)
        assert sum(stretch.steps for stretch in stretches) == steps
        assert min(stretch.steps for stretch in stretches) >= 1
    assert said <= sum(shares) / min(shares) + 2


def test_what_cannot_be_restricted_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    def unknown(space: Space) -> dict[str, Sequence[Option]]:
        return {"block9": ["skip"]}

    recipe = phased({}, {"restrict": unknown})
    with pytest.raises(UsageError, match="block9"):
        train(recipe, steps=4, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_phase_restricts_and_gives_back() -> None:
    recipe = phased({}, {"restrict": one_operation}, {}, {"restrict": given_back})
    trained = train(recipe, steps=8)
    assert [entry["space"] for entry in seen()] == [[3, 3]] * 2 + [[1, 3]] * 4 + [[3, 2]] * 2
    assert trained.space is not None
    assert trained.space.counts.tolist() == [3, 2]
    assert trained.net.space.counts.tolist() == [3, 3]


def loud(setting: str) -> Supernet:
    """A net one of whose layers notes what it reads of a setting."""

    class Reads(nn.Module, Mutable):
        settings = (setting,)

        def __init__(self) -> None:
            super().__init__()
            self.read: list[float] = []

        def depends_on(self) -> list[Any]:
            return []

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.read.append(self.selection.setting(setting, -1.0))
            return x

        def plain(self) -> nn.Module:
            return nn.Identity()

    return Supernet(nn.Sequential(Reads(), *operations_net().module))


def test_settings_reach_layers_and_are_put_back() -> None:
    """As a number or over time, by phase; a rating sees none of them; a path's own win."""
    net = loud("drop")
    recipe = phased({}, {"settings": {"drop": Ramp(1.0, 3.0)}}, settings={"drop": 0.5})
    reads = net.module[0].read  # type: ignore[index]
    train(recipe, net=net, steps=5)
    passes = [value for value in reads if value != -1.0]
    assert passes == [0.5, 0.5, 1.0, 2.0, 3.0]
    assert [entry["settings"]["drop"] for entry in seen()] == passes
    reads.clear()
    net(torch.ones(2, 1, 8, 8), net.space.smallest())
    assert reads == [-1.0], "evaluation has the default"
    run = executor(net, squares())
    now = replace(step(net), settings={"drop": 0.25}, runner=run)
    reads.clear()
    now.rate([net.space.smallest()], data="train")
    for settings in ({}, {"drop": 0.75}):
        run.execute(Move(paths=[MovePath(net.space.smallest(), CrossEntropy(), settings=settings)]), now)
        now.forward(net.space.smallest(), run.batch("train"), settings=settings)
    assert reads == [-1.0, 0.25, 0.25, 0.75, 0.75]


def test_a_setting_that_no_layer_reads_is_refused_before_the_training() -> None:
    for recipe in (phased({}, settings={"drop": 0.5}), phased({"settings": {"drop": 0.5}})):
        with pytest.raises(UsageError, match="gives the setting 'drop', which no layer of the network reads"):
            train(recipe, steps=2)


# -- ends ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class After:
    """Ends the phase after some of its steps."""

    steps: int

    def __call__(self, context: Context) -> str | None:
        return f"{self.steps} steps are enough" if context.step.index + 1 >= self.steps else None


def test_a_phase_that_ends_early_shortens_the_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Later phases keep their lengths and their places; log, counts, checkpoint and message are about what was done."""
    recipe = phased({"until": After(2)}, {"share": 2.0}, {"until": After(1)})
    net = operations_net()
    trained = fit(net, recipe, squares(), steps=16, batch_size=16, accelerator="cpu", out=tmp_path, log_every=5)
    assert trained.steps == 2 + 8 + 1
    assert [row["step"] for row in trained.history] == [5, 10, 11]
    assert [entry["done"] for entry in seen()] == list(range(11))
    assert sum(json.loads((tmp_path / "counts.json").read_text())[0]["paths"]) == 11
    newest = latest(tmp_path / "checkpoints")
    assert newest is not None
    assert newest.name == "step-000000011.safetensors"
    assert trained.memory["ended"] == {"p0": "2 steps are enough", "p2": "1 steps are enough"}
    said = " ".join(capsys.readouterr().err.split())
    assert "training ended after 11 of 16 steps: phase 'p0': 2 steps are enough; phase 'p2': 1 steps" in said
    again = fit(operations_net(seed=3), recipe, squares(), steps=16, batch_size=16, out=tmp_path, resume=True)
    assert (again.steps, again.history) == (11, ())
    assert torch.equal(vector(again.net), vector(net))


def test_a_schedule_of_a_later_phase_begins_when_an_earlier_one_has_ended() -> None:
    own = {"weights": sgd(0.4, momentum=0.9, schedule=Linear())}
    recipe = phased({"until": After(1)}, {"updates": own})
    rows = train(recipe, steps=8, log_every=1).history
    assert [row["lr"] for row in rows] == pytest.approx([0.1, 0.4, 0.3, 0.2, 0.1])


# -- resuming ------------------------------------------------------------------------------------------------------

CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "updates, kept": ({}, {"updates": {"weights": sgd(0.01, momentum=0.5), "code": sgd(0.3)}, "restart": False}),
    "updates, restarted": ({}, {"updates": {"weights": adam(0.01)}}),
    "batch": ({"batch": 2}, {"batch": 0.5}),
    "data": ({"data": few}, {}),
    "restriction": ({"restrict": one_operation}, {"restrict": given_back}),
    "end": ({"until": After(1)}, {"share": 2.0, "until": After(3)}),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_a_phase_is_resumed_bitwise_in_its_middle_and_at_its_border(change: str) -> None:
    """The law stops after 1, 2 and 5 of 6 steps; the border is after 2."""
    first, second = CHANGES[change]
    recipe = phased({"share": 1.0} | first, {"share": 2.0} | second)
    resumes_bitwise(Trial(recipe=recipe, net=operations_net(), data=squares(), batch_size=16))


@dataclass(frozen=True)
class BestOnBatch:
    """The best of two architectures on the training batch, which is drawn for it, and on validation images."""

    def check(self, net: Supernet) -> None:
        return

    def derive(self, context: Context) -> Arch:
        archs = [context.net.space.smallest(), context.net.space.largest()]
        rated = context.step.rate(archs, data="train") + context.step.rate(archs, data="validation", images=24)
        context.memory["rated"] = [*rated, context.step.steps_per_epoch, context.step.index, context.step.total]
        return archs[0]


@pytest.mark.parametrize("change", ["batch", "data", "end"])
def test_a_derivation_sees_the_same_after_a_training_that_is_resumed_when_it_is_done(
    change: str, tmp_path: Path
) -> None:
    first, second = CHANGES[change]
    recipe = phased(first, {"batch": 2} | second, derive=BestOnBatch())
    told = [
        train(recipe, net=operations_net(seed=number), steps=6, out=tmp_path, resume=True).memory["rated"]
        for number in (0, 1)
    ]
    assert told[0] == told[1]


def test_a_stream_of_a_phase_begins_at_its_first_batch(tmp_path: Path) -> None:
    train(phased({}, {"data": few}, {"share": 2.0}), steps=8, out=tmp_path)
    newest = latest(tmp_path / "checkpoints")
    assert newest is not None
    assert load(newest)[1]["draws"]["train"] == 4


@dataclass(frozen=True)
class Leaving:
    """Notes which step was the last of a phase, and ends the training where it is told to."""

    seen: list[tuple[str, int]]
    finish: bool = False

    def __call__(self, context: Context) -> None:
        self.seen.append(("left", context.step.done))
        if self.finish:
            context.memory["finished"] = "enough"


def _after_two(context: Context) -> str | None:
    return "two" if context.step.index == 1 else None


@pytest.mark.parametrize(("finish", "last"), [(False, 7), (True, 3)])
def test_a_phase_is_left_after_its_last_step_however_it_ends(finish: bool, last: int) -> None:
    seen: list[tuple[str, int]] = []

    phases = (
        Phase(name="one", share=1, program=PROGRAM, leave=Leaving(seen, finish=finish)),
        Phase(name="two", share=1, program=PROGRAM, until=_after_two, leave=Leaving(seen)),
        Phase(name="three", share=0.5, program=PROGRAM, leave=Leaving(seen)),
    )
    recipe = replace(spos().with_weights(lr=0.1, per=None), program=phases)
    trained = train(recipe, steps=10)
    expected = [("left", 3)] if finish else [("left", 3), ("left", 5), ("left", 7)]
    assert seen == expected
    assert trained.steps == last + 1
