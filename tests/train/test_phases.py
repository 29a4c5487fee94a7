"""Phases: their places in a training, and what a schedule sees of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
import torch

from method_trials import train, vector
from supernet.errors import UsageError
from supernet.methods import spos
from supernet.space import Arch
from supernet.train import Context, Linear, Phase, Recipe, Step, TrainPaths
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
