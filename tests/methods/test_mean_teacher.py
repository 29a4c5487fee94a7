"""Mean teacher: the average of the weights, without a gradient, agrees with every path by a weight that rises."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from method_trials import digits, squares, train, vector
from small_nets import elastic_net, executor, operations_net, plain_net, step
from supernet.errors import UsageError
from supernet.methods import darts, fairnas, few_shot, gm_nas, k_shot, mean_teacher, sandwich, sgas, spos
from supernet.methods.teachers.mean_teacher import DECAY, RAMP_UP
from supernet.nn import Supernet
from supernet.nn.selection import as_decisions
from supernet.train import (
    AverageInto,
    Consistency,
    CopyOfNet,
    CrossEntropy,
    Edit,
    Jump,
    Move,
    Part,
    Path,
    Ramp,
    Recipe,
    Step,
    Trained,
    TrainPaths,
)
from supernet.train.executor import Executor
from supernet.train.laws import Trial


def better(trained: Trained) -> float:
    """By what factor the loss of the labels fell; the loss as a whole grows with the weight of the teacher."""
    return trained.history[0]["term/loss"] / trained.history[-1]["term/loss"]


def trial(recipe: Recipe, net: Supernet) -> Trial:
    return Trial(recipe=recipe, net=net, data=digits(), steps=80, measure=better, least=1.25)


TRIALS = {
    "mean_teacher": lambda: trial(mean_teacher().with_weights(lr=0.2, per=None), operations_net()),
    "mean_teacher, sandwich": lambda: trial(mean_teacher(sandwich().with_weights(lr=0.1, per=None)), elastic_net()),
    "mean_teacher, darts": lambda: trial(mean_teacher(darts().with_weights(lr=0.1)), operations_net()),
}
ALTERNATIVES = {"recipe": fairnas(), "decay": 0.9, "weight": 1.0, "distance": "kl", "runs": "largest"}
SETTINGS = {
    "decay": Jump(0.99, 0.999, at=80 / 300),
    "weight": Ramp(0.0, 100.0, shape="sigmoid", until=80 / 300),
    "distance": "mse",
    "runs": "same",
}
SMOOTHING = 0.1
REFUSES = {"few_shot", "gm_nas", "k_shot", "mean_teacher"}
REFUSED_BY = {"few_shot", "gm_nas", "k_shot"}


# -- the teacher is an average -------------------------------------------------------------------------------------


class Weights:
    """A monitor that keeps the weights after every step."""

    every = 1

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def __call__(self, step: Step) -> dict[str, float]:
        self.seen.append(vector(step.net).double().numpy())
        return {}


@pytest.mark.parametrize("decay", [0.7, Jump(0.3, 0.9, at=0.5), 1.0])
def test_the_teacher_is_the_average_of_the_weights(decay: Any) -> None:
    """θ′ is a weighted sum of the initial weights and those after each step t, by Π d_s over the steps after t."""
    watch, steps = Weights(), 8
    start = vector(operations_net()).double().numpy()
    trained = train(mean_teacher(decay=decay, weight=0.5), steps=steps, monitors=[watch])
    wanted = [0.3] * 4 + [0.9] * 4 if isinstance(decay, Jump) else [decay] * steps
    kept = [min(d, t / (t + 1)) for t, d in enumerate(wanted, start=1)]
    assert kept[0] == min(wanted[0], 0.5), "the initial weights are soon forgotten"
    average = math.prod(kept) * start
    for t, weights in enumerate(watch.seen):
        average = average + (1 - kept[t]) * math.prod(kept[t + 1 :]) * weights
    teacher = vector(trained.parts["teacher"]).double().numpy()
    np.testing.assert_allclose(teacher, average, atol=1e-6)
    assert np.abs(teacher - watch.seen[-1]).max() > 1e-3
    if decay == 1.0:
        np.testing.assert_allclose(teacher, np.mean([start, *watch.seen], axis=0), atol=1e-6)


def test_statistics_of_the_teacher_are_its_own() -> None:
    trained = train(mean_teacher(weight=0.5), steps=3)
    ours, its = (dict(module.named_buffers()) for module in (trained.net, trained.parts["teacher"]))
    tracked = [name for name in ours if name.endswith("running_mean")]
    assert tracked
    assert not any(torch.equal(ours[name], its[name]) for name in tracked[:1])
    counted = [int(value) for name, value in its.items() if name.endswith("1.num_batches_tracked")]
    assert counted[0] == 3, "it sees every batch, in training mode"


# -- its term of the loss ------------------------------------------------------------------------------------------


def put(runs: str = "same", distance: str = "mse", weight: Any = 3.0) -> tuple[Supernet, Supernet, Executor, Step, Any]:
    net, teacher = plain_net(seed=1), CopyOfNet()(type("S", (), {"net": plain_net(seed=2)})())  # type: ignore[arg-type]
    run = executor(net, squares())
    objective = Consistency(CrossEntropy(), weight=weight, distance=distance, runs=runs)  # type: ignore[arg-type]
    now = replace(step(net, parts={"teacher": teacher}), runner=run)
    return net, teacher, run, now, objective


@pytest.mark.parametrize("distance", ["mse", "kl"])
@pytest.mark.parametrize("runs", ["same", "largest"])
def test_a_path_learns_from_labels_and_from_the_probabilities_of_the_teacher(distance: str, runs: str) -> None:
    net, teacher, run, now, objective = put(runs, distance)
    arch = net.space.smallest()
    batch = run.batch("train")
    taught = teacher(batch.x, arch if runs == "same" else net.space.largest()).softmax(1).detach()
    logits = net(batch.x, arch)
    ours = logits.softmax(1)
    if distance == "mse":
        apart = ((ours - taught) ** 2).sum() / (16 * 10)
    else:
        apart = (taught * (taught.log() - ours.log())).sum() / 16
    loss = F.cross_entropy(logits, batch.y) + 3.0 * apart
    wanted = [
        p.detach() - 0.1 * (0 if g is None else g)
        for p, g in zip(
            net.parameters(), torch.autograd.grad(loss, list(net.parameters()), allow_unused=True), strict=True
        )
    ]
    before = vector(teacher)
    result = run.execute(Move(paths=[Path(arch, objective)]), now)
    assert result.loss == pytest.approx(loss.item(), rel=1e-5)
    assert result.terms == {
        "loss": pytest.approx(F.cross_entropy(logits, batch.y).item(), rel=1e-5),
        "consistency": pytest.approx(3.0 * apart.item(), rel=1e-4),
    }
    for parameter, value in zip(net.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.detach(), value)
    assert torch.equal(vector(teacher), before), "no gradient moves the teacher"
    assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())


@pytest.mark.parametrize("runs", ["same", "largest"])
def test_what_the_teacher_runs(runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[bool, Any]] = []
    original = Executor.forward

    def noting(self: Executor, target: Any, batch: Any, **options: Any) -> Any:
        ran.append((options.get("net") is not None, dict(as_decisions(target, self.net.space))))
        return original(self, target, batch, **options)

    monkeypatch.setattr(Executor, "forward", noting)
    net = operations_net()
    train(mean_teacher(fairnas(), runs=runs), net=net, steps=2)
    assert [teacher for teacher, _ in ran] == [False, True] * (2 * 3)
    largest = dict(as_decisions(net.space.largest(), net.space))
    for (_, ours), (_, its) in zip(ran[::2], ran[1::2], strict=True):
        assert its == (ours if runs == "same" else largest)


@pytest.mark.parametrize(
    ("recipe", "net", "paths"),
    [(spos(), operations_net, 1), (fairnas(), operations_net, 3), (sandwich(), elastic_net, 4)],
)
def test_a_step_costs_one_forward_more_per_path(recipe: Recipe, net: Any, paths: int) -> None:
    plain, taught = (train(given, net=net(), steps=2).history[-1] for given in (recipe, mean_teacher(recipe)))
    assert (plain["forwards"], plain["backwards"]) == (2 * paths, 2 * paths)
    assert (taught["forwards"], taught["backwards"]) == (4 * paths, 2 * paths)


def test_its_weight_rises_along_the_published_curve_and_then_stands() -> None:
    """exp(−5 (1 − x)²) over the first 80 of 300 epochs, then 100; 301 steps make a step an epoch."""
    for epoch in range(301):
        x = min(1.0, epoch / 80)
        wanted = 0.0 if epoch == 0 else 100 * math.exp(-5 * (1 - x) ** 2)
        assert RAMP_UP(step(plain_net(), epoch, total=301)) == pytest.approx(wanted)
    assert [DECAY(step(plain_net(), epoch, total=300)) for epoch in (0, 79, 80, 299)] == [0.99, 0.99, 0.999, 0.999]


def test_the_log_has_the_weighted_distance() -> None:
    terms = {}
    for index in (5, 10):
        _, _, run, now, objective = put(weight=Ramp(0.0, 8.0, shape="sigmoid"))
        path = Path(now.net.space.smallest(), objective)
        terms[index] = run.execute(Move(paths=[path]), replace(now, index=index, total=11)).terms["consistency"]
    assert terms[5] / terms[10] == pytest.approx(math.exp(-5 * 0.25), rel=1e-5)


def test_a_teacher_that_counts_for_nothing_changes_nothing() -> None:
    """But for the draws of its own dropout, of which there are none here."""
    ends = [train(recipe, net=plain_net(), steps=5).net for recipe in (spos(), mean_teacher(weight=0.0))]
    assert torch.equal(*map(vector, ends))
    assert not torch.equal(vector(ends[0]), vector(train(mean_teacher(), net=plain_net(), steps=5).net))


# -- around methods ------------------------------------------------------------------------------------------------


def test_around_another_method_it_adds_a_part_an_edit_and_a_term() -> None:
    inner = fairnas()
    around = mean_teacher(inner, weight=2.0, decay=0.9)
    assert around.name == "mean_teacher(fairnas)"
    assert isinstance(inner.program, TrainPaths)
    assert around.program == replace(inner.program, objective=Consistency(inner.program.objective, weight=2.0))
    assert (around.samplers, around.weights) == (inner.samplers, inner.weights)
    assert around.parts == {"teacher": Part(build=CopyOfNet())}
    assert around.edits == (Edit(name="average", apply=AverageInto("teacher", 0.9)),)
    remembering = sgas()
    assert mean_teacher(remembering).edits[:-1] == remembering.edits != ()
    arch = operations_net().space.smallest()
    assert around.alone(arch) == replace(inner.alone(arch), name="mean_teacher(fairnas), alone")


def test_several_sets_of_weights_have_no_teacher() -> None:
    for recipe in (few_shot(), gm_nas(), k_shot()):
        with pytest.raises(UsageError, match=r"mean_teacher averages one set of weights, but .* makes several"):
            mean_teacher(recipe)
    for method in (few_shot, gm_nas, k_shot):
        with pytest.raises(UsageError, match=r"'mean_teacher\(spos\)' has parts beside it, which belong to one set"):
            method(mean_teacher())
    with pytest.raises(UsageError, match=r"gives a method a part 'teacher', but .* has one already"):
        mean_teacher(mean_teacher())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"decay": 1.5}, "decay of the average is 1.5; .* at most 1"),
        ({"weight": -1.0}, "weight of the consistency is -1.0"),
        ({"distance": "cosine"}, "by 'mse' or 'kl'.* got 'cosine' and 'same'"),
        ({"runs": "smallest"}, "'largest' architecture; got 'mse' and 'smallest'"),
    ],
)
def test_options_outside_their_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        mean_teacher(**options)
