"""DNA: one stage learns at a time from the teacher's features, and subnets rank by the sum of their distances."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from method_trials import digits, published, squares, train
from small_nets import operations_net
from staged_nets import STAGES, TAPS, closer, plain, staged_net, wide
from supernet import search
from supernet.errors import UsageError
from supernet.measure import NetEvaluator
from supernet.methods import dna
from supernet.methods.blockwise.dna import RATING, RELEASED, TEACHER, WEIGHTS
from supernet.train import Recipe, StageLoss, StepDecay, TappedTeacher, adam
from supernet.train.laws import Trial
from supernet.train.scores.additivity import additivity

PLAIN = TappedTeacher(network=plain, taps=TAPS)
WIDE = TappedTeacher(network=wide, taps=TAPS, project=True)
THREE = (1.0, 2.5, 1.0)
QUICK = StageLoss(kind="normalised", images=128)


def short(**options: Any) -> Recipe:
    return dna(**({"teacher": PLAIN, "rates": THREE, "rating": QUICK} | options)).with_weights(lr=0.03)


def trial(recipe: Recipe) -> Trial:
    return Trial(recipe=recipe, net=staged_net(), data=digits(), steps=90, measure=closer, least=1.4)


TRIALS = {
    "dna": lambda: trial(short()),
    "dna, projected": lambda: trial(short(teacher=WIDE)),
    "dna, itself": lambda: trial(short(teacher=TappedTeacher())),
    "dna, released": lambda: trial(short(**(RELEASED | {"rating": QUICK}))),
}
ALTERNATIVES = {
    "teacher": PLAIN,
    "rates": THREE,
    "stages": STAGES,
    "loss": "normalised",
    "rating": StageLoss(),
    "teacher_mode": "eval",
    "label_smoothing": 0.0,
    "weights": adam(0.1),
}
SETTINGS = {
    "teacher": TEACHER,
    "rates": (1.0, 2.5, 2.5, 2.5, 2.5, 1.0),
    "stages": None,
    "loss": "mse",
    "rating": RATING,
    "teacher_mode": None,
}
SMOOTHING = 0.1
SHORT = {"rates": THREE}
NET = staged_net
REFUSED_BY = {"distilled", "few_shot", "gm_nas", "k_shot", "mean_teacher", "sum_nas"}


def test_the_published_settings() -> None:
    """20 epochs per stage, Adam at .002, .005 four times, .002, times .9 per epoch, weight decay 1e-4."""
    told = published(WEIGHTS)
    assert (told["lr"], told["weight_decay"], told["per"], told["inactive"]) == (0.002, 1e-4, None, "freeze")
    assert told["decay_vectors"]
    assert WEIGHTS.schedule == StepDecay(0.9)
    rates = [getattr(phase.updates["weights"].optimiser, "lr", None) for phase in dna().phases]
    assert rates == pytest.approx([0.002, 0.005, 0.005, 0.005, 0.005, 0.002])
    assert {phase.share for phase in dna().phases} == {1.0}
    assert all(phase.restart for phase in dna().phases)
    assert (RATING.kind, StageLoss().kind, StageLoss().images, StageLoss().batch_size) == (
        "normalised",
        "rating",
        19 * 64,
        64,
    )
    assert RELEASED["weights"] == replace(WEIGHTS, inactive="decay")


def changes(recipe: Recipe) -> list[set[str]]:
    """The modules that change in each phase of three steps."""
    states = [staged_net().state_dict()]
    for stop in (3, 6, 9):
        net = staged_net()
        train(recipe, net=net, steps=9, stop_after=stop)
        states.append(net.state_dict())
    return [
        {name.split(".")[1] for name in one if not torch.equal(one[name], other[name])}
        for one, other in itertools.pairwise(states)
    ]


def test_each_phase_changes_its_stage_and_nothing_else() -> None:
    assert changes(short()) == [{"stem", "one"}, {"two"}, {"three"}]


def test_with_the_released_optimiser_stages_that_were_trained_decay() -> None:
    recipe = short(weights=replace(WEIGHTS, inactive="decay"))
    assert changes(recipe) == [{"stem", "one"}, {"stem", "one", "two"}, {"stem", "one", "two", "three"}]


def test_the_projections_of_a_stage_learn_with_it_at_its_rate() -> None:
    """Into a stage and out of it; the first has none on its way in, since it is given images."""
    recipe = short(teacher=WIDE)
    states = [
        train(recipe, net=staged_net(), steps=9, stop_after=stop).parts["projections"].state_dict()
        for stop in (3, 6, 9)
    ]
    moved = [
        {
            name.removesuffix(".weight")
            for name in one
            if name.endswith("weight") and not torch.equal(one[name], two[name])
        }
        for one, two in itertools.pairwise(states)
    ]
    assert moved == [{"inputs.1", "outputs.1"}, {"inputs.2", "outputs.2"}]
    rates = [phase.updates["projections"].optimiser.lr for phase in recipe.phases]  # type: ignore[attr-defined]
    assert rates == pytest.approx([0.002, 0.005, 0.002])


def test_a_step_costs_one_pass_forward_and_backward() -> None:
    last = train(short(), net=staged_net(), steps=6).history[-1]
    assert (last["forwards"], last["backwards"]) == (6, 6)


def test_the_search_finds_the_best_of_the_whole_space_and_keeps_to_bounds() -> None:
    trained = train(short(), net=staged_net(), steps=30)
    evaluator = NetEvaluator(trained.net, squares(), score=trained.recipe.ranks_by, parts=trained.parts)
    every = {arch: evaluator.value(arch) for arch in trained.net.space.enumerate()}
    costs = {arch: evaluator.evaluate(arch, ["macs"])["macs"] for arch in every}
    assert len(every) == 16
    for bound in (None, float(np.median(list(costs.values())))):
        limits = {} if bound is None else {"macs": bound}
        front = search.run(search.Traversal(best=3), evaluator, constraints=limits)
        allowed = sorted(value for arch, value in every.items() if bound is None or costs[arch] <= bound)
        assert [one.values["stage_loss"] for one in front.archive] == pytest.approx(allowed[:3])


def test_how_well_the_sum_tells_the_whole_network() -> None:
    """Fed by the teacher or by its own earlier stages, a stage is at another distance; the first one is at the same."""
    trained = train(short(), net=staged_net(), steps=60)
    archs = list(trained.net.space.enumerate())
    score: Any = trained.recipe.ranks_by
    found = additivity(score, trained.net, archs, trained.parts, squares())
    assert len(found.fed) == len(found.own) == 16
    assert found.own[0][0] == pytest.approx(found.fed[0][0])
    assert found.own[0][2] != pytest.approx(found.fed[0][2])
    sums = np.asarray(found.fed).sum(1), np.asarray(found.own).sum(1)
    assert found.error == pytest.approx(float(np.abs(sums[0] / sums[1] - 1).mean()))
    assert found.tau is not None
    assert -1 <= found.tau <= 1


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: dna(rates=()), "No rates are given"),
        (lambda: dna(rates=(1.0, 0.0)), "The factor on the learning rate of a stage"),
        (lambda: dna(teacher=TappedTeacher(network="t.pt2"), teacher_mode="train"), "has no training mode"),
        (
            lambda: train(dna(), net=staged_net()),
            r"6 stages are to be trained, but Row has 3: stem, one \| two \| three",
        ),
        (lambda: train(short(stages=("stem", "one", "two")), net=staged_net()), "Stage 0, the modules stem, has no"),
        (lambda: train(short(), net=operations_net()), "Sequential does not say what its stages are"),
        (lambda: train(short(teacher=replace(PLAIN, taps=("a", "b", "c"))), net=staged_net()), "no module 'a' to tap"),
        (lambda: train(short(teacher=replace(WIDE, project=False)), net=staged_net()), "project=True learn 1x1"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_first_step(make: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make()


def test_the_net_itself_teaches_by_the_statistics_of_the_batch() -> None:
    """Its running averages are collected for no architecture, so that features would not be normalised."""
    modes = {
        (network, asked): dna(teacher=TappedTeacher(network=network), teacher_mode=asked).parts["teacher"].mode
        for network in (None, "torchvision.models:resnet18")
        for asked in (None, "eval", "train")
    }
    assert modes[None, None] == "train"
    assert modes["torchvision.models:resnet18", None] == "eval"
    assert all(mode == asked for (_, asked), mode in modes.items() if asked is not None)
