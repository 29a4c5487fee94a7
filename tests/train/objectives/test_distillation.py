"""Distillation from a part: against the formula, one pass of the teacher per batch, and what the teacher runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from small_nets import elastic_net, executor, images, step
from supernet import Supernet
from supernet.errors import UsageError
from supernet.train import (
    Auxiliary,
    CopyOfNet,
    CrossEntropy,
    Distillation,
    Move,
    Objective,
    Outcome,
    Ramp,
    Setting,
    Step,
    TrainPaths,
    Uniform,
)
from supernet.train.alone import alone
from supernet.train.executor import Executor


def teaching(net: Supernet) -> tuple[Executor, Step, Supernet]:
    """A step with a teacher of other weights."""
    teacher = CopyOfNet(dropout=False)(Setting(elastic_net(seed=5), 0, {})).train()
    run = executor(net, images())
    return run, replace(step(net, parts={"teacher": teacher}), runner=run), teacher


@dataclass
class Noting:
    """An objective that keeps what it was asked and what it found."""

    objective: Distillation
    seen: list[tuple[Outcome, dict[str, Tensor]]]

    def prepare(self, *given):  # type: ignore[no-untyped-def]
        return self.objective.prepare(*given)

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        found = self.objective(outcome)
        self.seen.append((outcome, found))
        return found


def executed(objective: Objective, count: int = 3) -> tuple[Executor, Supernet]:
    run, now, teacher = teaching(elastic_net())
    for move in TrainPaths(sampler=Uniform(count), objective=objective).moves(now):
        assert isinstance(move, Move)
        run.execute(move, now)
    return run, teacher


@pytest.mark.parametrize(("weight", "temperature"), [(1.0, 1.0), (0.5, 3.0)])
def test_the_loss_is_labels_and_soft_labels_of_the_largest(weight: float, temperature: float) -> None:
    seen: list[tuple[Outcome, dict[str, Tensor]]] = []
    given = Distillation(weight=weight, temperature=temperature, labels=CrossEntropy(0.1))
    _, teacher = executed(Noting(given, seen))
    for outcome, found in seen:
        with torch.no_grad():
            target = (teacher(outcome.batch.x, teacher.space.largest()) / temperature).softmax(1)
        logs = (outcome.logits / temperature).log_softmax(1)
        expected = -weight * temperature**2 * (target * logs).sum(1).mean()
        torch.testing.assert_close(found["distillation"], expected)
        hard = F.cross_entropy(outcome.logits, outcome.batch.labels, label_smoothing=0.1)
        torch.testing.assert_close(found["loss"], hard)


def test_the_teacher_runs_once_for_all_paths_of_a_move() -> None:
    run, _ = executed(Distillation(), 4)
    assert (run.forwards, run.backwards) == (5, 4)
    run, _ = executed(Auxiliary(Distillation()), 4)
    assert (run.forwards, run.backwards) == (8, 4), "inside another objective it is asked by every path"


def test_the_teacher_is_as_the_path_where_it_is_told_and_the_largest_elsewhere() -> None:
    seen: list[tuple[Outcome, dict[str, Tensor]]] = []
    run, _ = executed(Noting(Distillation(same=("width",)), seen), 8)
    widths = {outcome.path.decisions["width"] for outcome, _ in seen}  # type: ignore[union-attr, index]
    assert widths == {4, 8}
    assert run.forwards == 8 + 2
    for outcome, _ in seen:
        (taught_by, *_) = (a for a in outcome.given["teacher"] if a["width"] == outcome.path.decisions["width"])  # type: ignore[union-attr, index]
        assert (taught_by["depth"], taught_by["kernel"]) == (1, 3)


def test_no_gradient_reaches_the_teacher_and_its_dropout_is_off() -> None:
    _, teacher = executed(Distillation())
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in teacher.parameters())
    assert [layer.p for layer in teacher.modules() if isinstance(layer, nn.Dropout)] == [0.0]
    assert all(module.training for module in teacher.modules())
    kept = CopyOfNet()(Setting(elastic_net(), 0, {}))
    assert [layer.p for layer in kept.modules() if isinstance(layer, nn.Dropout)] == [0.05]


def test_a_teacher_that_could_learn_gets_no_gradient_either() -> None:
    run, now, teacher = teaching(elastic_net())
    teacher.requires_grad_(True)
    seen: list[tuple[Outcome, dict[str, Tensor]]] = []
    for move in TrainPaths(sampler=Uniform(2), objective=Noting(Distillation(), seen)).moves(now):
        assert isinstance(move, Move)
        run.execute(move, now)
    said = [output for outcome, _ in seen for output in outcome.given["teacher"].values()]
    assert len(said) == 2
    assert not any(output.logits.requires_grad for output in said)


def test_chance_counts_both_terms_and_alone_has_labels() -> None:
    assert Distillation().chance(2.0) == 4.0
    assert Distillation(weight=0.5).chance(2.0) == 3.0
    assert Distillation(temperature=2.0).chance(2.0) is None
    assert Distillation(weight=Ramp(1.0, 0.0)).chance(2.0) is None
    assert alone(Distillation(labels=CrossEntropy(0.2))) == CrossEntropy(0.2)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="The weight of the distillation"):
        Distillation(weight=-1.0)
    with pytest.raises(UsageError, match="The distillation temperature"):
        Distillation(temperature=0.0)
    with pytest.raises(UsageError, match="as the path in 'resolution', but the path decides nothing of this name"):
        executed(Distillation(same=("resolution",)))
    run, now, _ = teaching(elastic_net())
    (move,) = TrainPaths(sampler=Uniform(), objective=Distillation(part="tutor")).moves(now)
    assert isinstance(move, Move)
    with pytest.raises(UsageError, match="A part 'tutor' of the kind Supernet is needed"):
        run.execute(move, now)
