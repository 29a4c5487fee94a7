"""Distillation from the network as it was when the training began."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from method_trials import digits, squares, train, vector
from small_nets import elastic_net, executor, operations_net, plain_net, step
from supernet import Supernet
from supernet.errors import UsageError
from supernet.methods import distilled, fairnas, few_shot, p_darts, sandwich, spos
from supernet.train import CopyOfNet, CrossEntropy, Distillation, Move, Path, Recipe, Setting
from supernet.train.laws import Trial

TRIALS = {
    # Its teacher has not learned anything, so that little weight is given to it.
    "distilled": lambda: Trial(
        recipe=distilled(weight=0.1, temperature=1.0).with_weights(lr=0.2, per=None),
        net=operations_net(),
        data=digits(),
        steps=80,
    ),
    "distilled, sandwich": lambda: Trial(
        recipe=distilled(sandwich().with_weights(lr=0.1, per=None), weight=0.1, temperature=1.0),
        net=elastic_net(),
        data=digits(),
        steps=80,
    ),
}
ALTERNATIVES = {"recipe": fairnas(), "weight": 0.5, "temperature": 2.0}
SETTINGS = {"weight": 0.9, "temperature": 4.0}
SMOOTHING = 0.1
REFUSES = {"few_shot", "gm_nas", "k_shot", "mean_teacher", "distilled", "ofa", "p_darts"}
REFUSED_BY = {"few_shot", "gm_nas", "k_shot", "mean_teacher"}


def test_the_loss_is_hinton_s() -> None:
    """(1 − w) CE + w T² H(softmax(teacher / T), softmax(path / T)), the teacher in evaluation mode and a constant."""
    net = plain_net(seed=1)
    teacher = CopyOfNet()(Setting(plain_net(seed=2), 0, {})).eval()
    run = executor(net, squares())
    (program,) = distilled(spos(label_smoothing=0.0), weight=0.7, temperature=3.0).programs
    now = step(net, parts={"teacher": teacher})
    arch = net.space.smallest()
    batch = run.batch("train")
    with torch.no_grad():
        taught = (teacher(batch.x, net.space.largest()) / 3).softmax(1)
    logits = net(batch.x, arch)
    soft = -(taught * (logits / 3).log_softmax(1)).sum(1).mean()
    loss = 0.3 * F.cross_entropy(logits, batch.y) + 0.7 * 9 * soft
    objective: Any = program
    result = run.execute(Move(paths=[Path(arch, objective.objective, dropout=False)]), replace(now, runner=run))
    assert result.loss == pytest.approx(loss.item(), rel=1e-4)
    assert result.terms["distillation"] == pytest.approx(0.7 * 9 * soft.item(), rel=1e-4)


def test_the_teacher_is_the_network_as_it_began() -> None:
    net = operations_net()
    start = vector(net).clone()
    trained = train(distilled(weight=0.5), net=net, steps=4)
    teacher = trained.parts["teacher"]
    assert torch.equal(vector(teacher), start)
    assert not torch.equal(vector(trained.net), start)
    assert not teacher.training
    assert isinstance(teacher, Supernet)
    buffers = zip(teacher.buffers(), operations_net().buffers(), strict=True)
    assert all(torch.equal(one, other) for one, other in buffers), "it only looks"


@pytest.mark.parametrize(("recipe", "net", "paths"), [(spos(), operations_net, 1), (sandwich(), elastic_net, 4)])
def test_the_teacher_runs_once_per_step(recipe: Recipe, net: Any, paths: int) -> None:
    last = train(distilled(recipe), net=net(), steps=2).history[-1]
    assert (last["forwards"], last["backwards"]) == (2 * (paths + 1), 2 * paths)


def test_labels_need_not_count() -> None:
    (program,) = distilled(weight=1.0).programs
    objective: Any = program
    assert objective.objective == Distillation(labels=CrossEntropy(0.1), labels_weight=0.0, weight=1.0, temperature=4.0)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: distilled(weight=0.0), r"The weight of the teacher is 0\.0; give one above 0 and up to 1"),
        (lambda: distilled(temperature=0.0), "The distillation temperature"),
        (
            lambda: distilled(distilled()),
            "distilled gives a method a part 'teacher', but 'distilled\\(spos\\)' has one already",
        ),
        (lambda: distilled(few_shot()), "makes several sets of its weights"),
        (lambda: distilled(p_darts()), "changes the network along the way"),
    ],
)
def test_what_makes_no_sense_is_refused(make: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make()
