"""The log counts the passes that were computed: one is a path over a batch of the training, forward or backward."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from torch import Tensor

from small_nets import images, operations_net
from supernet import fit, methods
from supernet.space import Arch
from supernet.train import (
    BestOf,
    Greedy,
    Move,
    Recipe,
    Step,
    Trained,
    TrainInTurn,
    TrainPaths,
    Uniform,
    ValidationLoss,
    checkpoint,
)
from supernet.train.edits.split_by_gradients import SplitByGradients
from supernet.train.executor import Executor

BATCH = 16


@pytest.fixture(autouse=True)
def _nothing_is_tried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys.modules["supernet.train.fit"], "_try_out", lambda net, data: None
    )  # its passes train nothing


def train(recipe: Recipe, steps: int = 3, batch_size: int = BATCH, **options: object) -> tuple[Trained, float]:
    """The training, and the passes over a batch that a hook on the network itself has seen."""
    net, seen = operations_net(), []
    net.module[0].register_forward_hook(lambda module, inputs, output: seen.append(len(output)))  # type: ignore[index]
    trained = fit(net, recipe, images(), steps=steps, batch_size=batch_size, progress=False, log_every=1, **options)  # type: ignore[arg-type]
    return trained, sum(seen) / batch_size


@dataclass
class Lossy:
    """A gradient rule of someone's own, which asks the executor for nothing but losses, and backs up twice."""

    def __call__(self, executor: Executor, move: Move, step: Step) -> list[Tensor]:
        loss, _ = executor.run(move.paths[0], executor.batch("train"), step)
        loss.backward(retain_graph=True)  # type: ignore[no-untyped-call]
        loss.backward()  # type: ignore[no-untyped-call]
        return [loss.detach()]


RECIPES = {
    "one path": (methods.spos(), 1, 1),
    "strictly fair": (methods.fairnas(), 3, 3),
    "two inner steps": (methods.sum_nas(), 6, 6),
    "first order": (methods.darts(), 2, 2),
    "second order": (methods.darts(order=2), 5, 5),
    "micro-batches": (replace(methods.spos(), program=TrainPaths(sampler=Uniform(2), micro_batch=7)), 2, 2),
    "one's own rule": (replace(methods.spos(), program=TrainPaths(sampler=Uniform(), gradient=Lossy())), 1, 2),
}


@pytest.mark.parametrize("name", RECIPES)
def test_passes_of_a_step(name: str) -> None:
    recipe, forwards, backwards = RECIPES[name]
    trained, seen = train(recipe)
    assert [row["forwards"] for row in trained.history] == [forwards * step for step in (1, 2, 3)]
    assert [row["backwards"] for row in trained.history] == [backwards * step for step in (1, 2, 3)]
    assert seen == forwards * 3


def test_weights_and_codes_cost_two_passes_a_path() -> None:
    row = train(replace(methods.k_shot(), adapt=methods.k_shot(k=2).adapt))[0].history[-1]
    assert (row["forwards"], row["backwards"]) == (6, 6)


@dataclass
class Counted:
    """A rating that counts what it was asked."""

    rated: list[int] = field(default_factory=list)

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        self.rated.append(len(archs))
        return ValidationLoss(50)(step, archs)


def test_ratings_count_as_forwards_by_their_images() -> None:
    rating = Counted()
    program = TrainInTurn(sampler=Greedy(candidates=4, keep=2, rating=rating))
    trained, seen = train(replace(methods.spos(), program=program))
    row = trained.history[-1]
    assert len(rating.rated) == 3
    assert row["forwards"] == pytest.approx(sum(rating.rated) * 50 / BATCH + 6) == pytest.approx(seen)
    assert row["backwards"] == 6


def test_a_rating_on_the_training_batch_is_one_forward() -> None:
    program = TrainPaths(sampler=BestOf(sampler=Uniform(1)))
    row = train(replace(methods.spos(), program=program))[0].history[-1]
    assert (row["forwards"], row["backwards"]) == (6, 3)


def test_what_a_phase_does_at_its_beginning_counts() -> None:
    recipe = methods.gm_nas(epochs=(1, 1), repeats=5).on(operations_net().space)
    phases = recipe.phases
    assert isinstance(phases[1].enter, SplitByGradients)
    row = train(recipe, steps=6)[0].history[-1]
    assert (row["forwards"], row["backwards"]) == (6 + 5 * 6, 6 + 5 * 6)  # two choices of three options, five batches


def test_counts_survive_a_checkpoint_and_odd_batches(tmp_path: Path) -> None:
    recipe = replace(methods.spos(), program=TrainPaths(sampler=Uniform(3), micro_batch=2))
    for stop in (2, 5):
        rows = train(recipe, steps=5, batch_size=7, out=tmp_path, resume=True, stop_after=stop)[0].history
    assert (rows[-1]["forwards"], rows[-1]["backwards"]) == (15, 15)
    newest = checkpoint.latest(tmp_path / "checkpoints")
    assert newest is not None
    assert checkpoint.load(newest)[1]["passed"] == {"forward": 105, "backward": 105, "drawn": 35}
