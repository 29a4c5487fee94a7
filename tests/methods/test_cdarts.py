"""CDARTS: cycles, the evaluation network, what both networks learn from each other."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cell_nets import assert_stops_leave_no_trace
from method_trials import on_digits, published, squares, train
from small_nets import executor, operations_net, step
from supernet import Supernet, zoo
from supernet.errors import UsageError
from supernet.methods import cdarts
from supernet.methods.cells.cdarts import CIFAR_CODE, IMAGENET, NAS_BENCH_201
from supernet.nn.stages import stages
from supernet.nn.taps import tapped
from supernet.train import (
    Constant,
    HeadsOfStages,
    Move,
    MutualDistillation,
    OptionLogits,
    Outcome,
    Ramp,
    SearchAndEvaluate,
    Strongest,
    sgd,
)
from supernet.train.context import Context
from supernet.train.edits.begin_cycle import BeginCycle, evaluated
from supernet.train.executor import Executor
from supernet.train.laws import Trial
from supernet.train.loop import Loop
from supernet.train.parts.stage_heads import StageHeads
from supernet.train.phases import plan
from supernet.train.state import TrainingState
from supernet.train.values._protocol import value_of

TINY: dict[str, Any] = {
    "channels": 4,
    "layers": 3,
    "nodes": 2,
    "operations": ("skip_connect", "max_pool_3x3"),
    "none": True,
    "stem_multiplier": 1,
    "in_channels": 1,
    "image_size": 8,
}


def cells() -> Supernet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return zoo.darts(**TINY)


LARGER = partial(zoo.darts, **{**TINY, "layers": 5})
ONE: dict[str, Any] = {"cycles": 1, "held_back": ("skip",)}
SHORT = {**ONE, "pretrain": 0.0}  # for a few steps of nets of operations
TRIALS = {
    "cdarts": lambda: on_digits(
        cdarts(**ONE, evaluation=sgd(0.1)).with_weights(lr=0.1, schedule=Constant()), operations_net(), steps=100
    ),
    "cdarts, larger evaluation network": lambda: Trial(
        recipe=cdarts(cycles=1, layers=5, exclude=("none",), learn_heads=True),
        net=cells(),
        data=squares(),
        steps=12,
        batch_size=16,
        measure=lambda trained: float(trained.history[0]["loss"] > 0 and trained.derived is not None),
        least=1.0,
    ),
}
ALTERNATIVES = {
    "layers": 20,
    "network": LARGER,
    "cycles": 3,
    "pretrain": 0.0,
    "warmup": 0.5,
    "search": 2.0,
    "weight": 2.0,
    "temperature": 1.0,
    "distance": "smooth_l1",
    "join": "stages",
    "learn_heads": True,
    "held_back": ("skip",),
    "penalty": 0.1,
    "copy": False,
    "weigh_edges": True,
    "exclude": ("none",),
    "weights": sgd(0.05),
    "evaluation": sgd(0.06),
    "architecture": sgd(0.07),
}
SETTINGS = {
    "layers": None,
    "network": None,
    "cycles": 30,
    "pretrain": 2.0,
    "warmup": 1.0,
    "search": 1.0,
    "weight": 1.0,
    "temperature": 2.0,
    "distance": "kl",
    "join": "sum",
    "learn_heads": False,
    "held_back": ("skip_connect", "max_pool_3x3", "avg_pool_3x3"),
    "penalty": Ramp(5.0, 0.0, until=2 / 3),
    "copy": True,
    "weigh_edges": False,
    "exclude": (),
}
POOLS_AND_SKIP = ("skip_connect", "max_pool_3x3", "avg_pool_3x3")
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"}


def test_defaults_are_the_official_ones() -> None:
    recipe = cdarts()
    heads, network = (recipe.parts[name].updates for name in ("heads", "evaluation"))
    for updates in (recipe.weights, heads, network):
        assert updates is not None
        told = published(updates)
        assert (told["lr"], told["momentum"], told["weight_decay"], told["clip"]) == (0.08, 0.9, 3e-4, 5.0)
        assert told["end"] == 1.0, "no schedule is stepped"
    architecture = recipe.parts["architecture"].updates
    assert architecture is not None
    told = published(architecture)
    assert (told["lr"], told["betas"], told["weight_decay"], told["end"]) == (3e-4, (0.5, 0.999), 0.0, 1.0)


@pytest.mark.parametrize(
    ("preset", "epochs", "optimiser", "alpha_decay", "distance", "held_back", "penalty", "heads_learn"),
    [
        (CIFAR_CODE, (2, 1, 1, 30), (0.08, 3e-4), 0.0, "smooth_l1", POOLS_AND_SKIP, (5, 2 / 3), False),
        (IMAGENET, (10, 3, 1, 30), (0.8, 1e-5), 1e-5, "kl_mean", POOLS_AND_SKIP, (5, 1 / 2), True),
        (NAS_BENCH_201, (0, 1, 1, 50), (0.08, 3e-4), 0.0, "smooth_l1", ("none",), (5 / 6, 2 / 3), True),
    ],
    ids=["CIFAR_CODE", "IMAGENET", "NAS_BENCH_201"],
)
def test_presets_are_those_of_the_scripts(
    preset: dict[str, Any],
    epochs: tuple[int, ...],
    optimiser: tuple[float, float],
    alpha_decay: float,
    distance: str,
    held_back: tuple[str, ...],
    penalty: tuple[float, float],
    heads_learn: bool,
) -> None:
    recipe = cdarts(**preset)
    pretrain, warmup, search, cycles = epochs
    assert [phase.share for phase in recipe.phases] == [*[pretrain] * (pretrain > 0), *[warmup, search] * cycles]
    for updates in (recipe.weights, recipe.parts["evaluation"].updates, recipe.parts["heads"].updates):
        assert updates is not None
        told = published(updates)
        assert (told["lr"], told["weight_decay"], told["clip"], told["end"]) == (*optimiser, 5.0, 1.0)
    told = published(recipe.parts["architecture"].updates)  # type: ignore[arg-type]
    assert (told["lr"], told["weight_decay"]) == (3e-4, alpha_decay)
    loss = together(recipe)
    assert (loss.distance, loss.join, loss.weight, loss.temperature) == (distance, "stages", 1.0, 2.0)
    assert loss.held_back == held_back
    assert loss.penalty == Ramp(penalty[0], 0.0, until=penalty[1])
    assert recipe.parts["heads"].build == HeadsOfStages(heads_learn)


def together(recipe: Any) -> MutualDistillation:
    program = recipe.phases[-1].program
    assert isinstance(program, SearchAndEvaluate)
    return program.together


# -- cycles --------------------------------------------------------------------------------------------------------


def test_a_cycle_warms_up_and_then_both_learn() -> None:
    """2 epochs alone, then 30 times one of either kind."""
    phases = cdarts().phases
    assert [phase.share for phase in phases] == [2.0, *[1.0] * 60]
    assert [phase.restart for phase in phases] == [True, *[True, False] * 30], "momentum is new in every cycle"
    assert [phase.enter is not None for phase in phases] == [False, *[True, False] * 30]


def test_the_penalty_falls_over_the_searches_of_all_cycles() -> None:
    """5 (1 − t / (2/3 T)) of T search steps, whatever stands between them."""
    recipe = cdarts(cycles=3, pretrain=1)
    stretches = plan(recipe.phases, 7 * 10)
    found = [
        value_of(together(recipe).penalty, step(operations_net(), stretch.place(done)[0], total=stretch.place(done)[1]))
        for stretch in stretches
        if isinstance(stretch.phase.program, SearchAndEvaluate)
        for done in range(stretch.steps)
    ]
    assert found == pytest.approx([5 * max(0.0, 1 - index / 29 / (2 / 3)) for index in range(30)])


class Begun:
    """A training just before a step, with its loop at hand."""

    def __init__(self, recipe: Any, net: Supernet, *, steps: int) -> None:
        self.net, self.recipe = net.train(), recipe
        net.input_shape = squares().shape
        self.state = TrainingState(net, recipe, seed=0, batch_size=16)
        base = executor(net, squares())
        self.run = Executor(base.fabric, net, self.state.steppers, squares(), batch_size=16, seed=0, draws={})
        options: dict[str, Any] = {"directory": None, "identity": {}, "log_every": 1, "checkpoint_every": 10**6}
        stretches = plan(recipe.phases, steps)
        self.loop = Loop(self.state, self.run, stretches, seed=0, steps=steps, monitors=(), **options)

    def to(self, done: int) -> Context:
        self.loop.run(done, progress=False)
        self.run.begin()
        return self.loop.context()

    @property
    def evaluation(self) -> Supernet:
        part = self.state.parts["evaluation"]
        assert isinstance(part, Supernet)
        return part


def parameters(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in net.named_parameters()}


@pytest.mark.parametrize("kept", [True, False])
def test_the_evaluation_network_is_built_anew_for_what_alpha_says_now(kept: bool) -> None:
    training = Begun(cdarts(cycles=2, pretrain=0, network=LARGER, copy=kept), cells(), steps=8)
    initial = parameters(training.evaluation)
    training.to(4)
    old, weights = training.evaluation, parameters(training.evaluation)
    logits = training.state.parts["architecture"]
    assert isinstance(logits, OptionLogits)
    with torch.no_grad():
        for choice, values in logits.named():
            values.copy_(torch.arange(len(choice)).float())  # another cycle, another architecture
    momentum = training.state.steppers["evaluation"].optimizer
    assert momentum.state
    first = evaluated(training.net, training.state.memory)
    begin = training.recipe.phases[2].enter
    assert isinstance(begin, BeginCycle)
    begin(training.loop.context())
    now = evaluated(training.net, training.state.memory)
    assert now != first
    assert set(now.options().values()) >= {"max_pool_3x3"}
    assert training.evaluation is not old
    assert not training.state.steppers["evaluation"].optimizer.state, "its momentum is new"
    assert training.run.steppers["evaluation"] is training.state.steppers["evaluation"]
    found, stem = parameters(training.evaluation), dict(training.net.named_parameters())
    same = {name for name in found if torch.equal(found[name], weights[name])}
    named = {name for name in found if "stem" in name}
    for name in named:
        assert torch.equal(found[name], stem[name]), "the stem is the supernet's"
    trained = {name for name in found if not torch.equal(weights[name], initial[name])} - named
    assert trained
    assert (trained <= same) if kept else not (trained & same)


def test_only_the_derived_architecture_of_the_evaluation_network_learns() -> None:
    training = Begun(cdarts(**ONE, pretrain=0), operations_net(), steps=4)
    training.to(1)
    before = parameters(training.evaluation)
    supernet_weights, alpha = parameters(training.net), parameters(training.state.parts["architecture"])
    training.to(2)
    arch = evaluated(training.net, training.state.memory)
    changed = {name for name, value in parameters(training.evaluation).items() if not torch.equal(value, before[name])}
    assert any(name.startswith("module.0.") for name in changed)
    for block, place in (("block0", 3), ("block1", 4)):
        touched = {name.split(".")[3] for name in changed if name.startswith(f"module.{place}.")}
        options = ("conv3", "conv1", "skip")
        position = options.index(str(arch[block]))
        assert len(touched) <= 1, (touched, position)
    assert all(torch.equal(value, supernet_weights[name]) for name, value in parameters(training.net).items())
    assert all(torch.equal(v, alpha[n]) for n, v in parameters(training.state.parts["architecture"]).items())


def test_every_phase_moves_its_families_on_its_images() -> None:
    """The weights alone on training images; the evaluation network on validation images; all, and then the weights."""
    recipe = cdarts(**ONE)
    context = Begun(recipe, operations_net(), steps=4).to(3)
    found = [
        [(act.families, act.data) for act in phase.program.moves(context.step) if isinstance(act, Move)]
        for phase in recipe.phases
    ]
    weights = (("weights",), "train")
    together = (("evaluation", "heads", "architecture"), "validation")
    assert found == [[weights], [(("evaluation",), "validation")], [together, weights]]


def test_families_and_derivation_have_the_options_of_the_method() -> None:
    one, other, third = sgd(0.1), sgd(0.2), sgd(0.3)
    recipe = cdarts(weights=one, evaluation=other, architecture=third, weigh_edges=True, exclude=("none",))
    stepped = {name: part.updates for name, part in recipe.parts.items()}
    assert recipe.weights == one
    assert stepped == {"evaluation": other, "heads": other, "architecture": third}
    derived = Strongest(("none",), weigh_edges=True)
    assert recipe.derive == derived
    assert {phase.enter for phase in recipe.phases} == {None, BeginCycle(derived)}


def test_an_evaluation_network_of_the_same_size_has_weights_of_its_own() -> None:
    training = Begun(cdarts(**ONE), operations_net(), steps=4)
    pairs = zip(training.evaluation.named_parameters(), training.net.parameters(), strict=True)
    assert not [name for (name, mine), its in pairs if mine.ndim > 1 and torch.equal(mine, its)]


def test_stopping_anywhere_leaves_no_trace() -> None:
    recipe = cdarts(cycles=2, pretrain=1, held_back=("skip",), architecture=sgd(5.0))
    trial = Trial(recipe=recipe, net=operations_net(), data=squares(), batch_size=16)
    told = assert_stops_leave_no_trace(trial, steps=7)
    assert len(told["memory"]["evaluated"]) == 2


# -- the loss ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("join", ["sum", "stages"])
@pytest.mark.parametrize("distance", ["kl", "kl_mean", "smooth_l1"])
def test_the_loss_is_that_of_the_paper(distance: Any, join: Any) -> None:
    """(CE_S + CE_E) / λ + λ T² D + c Σ |α_skip|, with every pass made again by hand."""
    recipe = cdarts(**ONE, pretrain=0, weight=2.0, temperature=3.0, distance=distance, join=join, penalty=0.5)
    training = Begun(recipe, operations_net(), steps=4)
    now = training.to(2).step
    objective = together(recipe)
    (move, _) = list(recipe.phases[1].program.moves(now))
    assert isinstance(move, Move)
    path, batch = move.paths[0], training.run.batch("validation")
    torch.manual_seed(3)
    _, outcome = training.run.run(path, batch, now)
    torch.manual_seed(3)
    found = objective(_again(outcome, training))
    torch.manual_seed(3)
    arch, heads = evaluated(training.net, now.memory), now.part("heads", StageHeads)
    (name,) = stages(training.net).names
    shares = heads.ensemble.softmax(0)
    with tapped(training.evaluation.module, [name]) as seen:
        logits = training.evaluation(batch.x, arch)
    answers = [
        [shares[0] * heads.heads[0](maps[name]), shares[1] * own]
        for maps, own in ((outcome.taps, outcome.logits), (seen, logits))
    ]
    s, e = ((torch.stack(a).sum(0)) if join == "sum" else torch.cat(a) for a in answers)
    if distance == "smooth_l1":
        difference = (s - e).abs()
        expected = torch.where(difference < 1, difference**2 / 2, difference - 0.5).mean()
    else:
        p, q = (F.softmax(x / 3, 1) for x in (e, s))
        expected = (p * (p.log() - q.log())).sum(1).mean() / (10 if distance == "kl_mean" else 1)
    ce = F.cross_entropy(outcome.logits, batch.y) + F.cross_entropy(logits, batch.y)
    logit_part = now.part("architecture", OptionLogits)
    skips = sum(values[choice.position("skip")].abs() for choice, values in logit_part.named())
    torch.testing.assert_close(found["labels"], ce / 2, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found["distillation"], 2 * 9 * expected, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(found["held_back"], 0.5 * torch.as_tensor(skips))


def _again(outcome: Outcome, training: Begun) -> Outcome:
    return replace(outcome, step=training.loop.context().step)


def test_the_distillation_teaches_both_networks_and_the_ensemble() -> None:
    recipe = cdarts(**ONE, pretrain=0, penalty=0.0)
    training = Begun(recipe, operations_net(), steps=4)
    now = training.to(2).step
    (move, _) = list(recipe.phases[1].program.moves(now))
    assert isinstance(move, Move)
    _, outcome = training.run.run(move.paths[0], training.run.batch("validation"), now)
    term = together(recipe)(outcome)["distillation"]
    assert term > 0
    alpha = now.part("architecture", OptionLogits).logits[0]
    heads = now.part("heads", StageHeads)
    families = [alpha, heads.ensemble, training.evaluation.module[0].weight]  # type: ignore[index]
    for gradient in torch.autograd.grad(term, families):
        assert gradient.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in heads.heads.parameters())
    learned = Begun(cdarts(**ONE, learn_heads=True), operations_net(), steps=4).state.parts["heads"]
    assert all(parameter.requires_grad for parameter in learned.parameters())


def test_what_is_held_back_shrinks_alone() -> None:
    """With the penalty alone plain SGD moves α of skips by lr · c towards 0, and no other."""
    recipe = cdarts(**ONE, pretrain=0, penalty=1.0, architecture=sgd(0.1, momentum=0.0))
    free = cdarts(**ONE, pretrain=0, penalty=0.0, architecture=sgd(0.1, momentum=0.0))
    ends = []
    for one in (recipe, free):
        training = Begun(one, operations_net(), steps=2)
        with torch.no_grad():
            for value in training.state.parts["architecture"].parameters():
                value.copy_(torch.tensor([0.3, 0.2, 0.4]))
        training.to(2)
        ends.append([v.detach().clone() for v in training.state.parts["architecture"].parameters()])
    for held, loose in zip(*ends, strict=True):
        torch.testing.assert_close(held - loose, torch.tensor([0.0, 0.0, -0.1]), rtol=1e-4, atol=1e-5)


# -- derivation, spaces, refusals ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_searches_nas_bench_201_and_cells() -> None:
    bench = zoo.nasbench201(channels=2, cells=1, in_channels=1)
    for net, options in (
        (bench, {"held_back": ("skip_connect", "avg_pool_3x3")}),
        (cells(), {"network": LARGER, "exclude": ("none",), "weigh_edges": True}),
    ):
        trained = train(cdarts(cycles=2, **options), net=net, steps=6, log_every=1)
        assert trained.derived is not None
        last = trained.history[-1]
        terms = ("labels", "distillation", "held_back")
        assert last["loss/evaluation+heads+architecture"] == pytest.approx(
            sum(last[f"term/{name}"] for name in terms), rel=1e-4
        )
        assert all(np.isfinite(value) for row in trained.history for value in row.values())


def test_the_number_of_cells_makes_the_same_network_as_a_function() -> None:
    one, other = (
        Begun(cdarts(cycles=1, **o), cells(), steps=9).evaluation for o in ({"layers": 5}, {"network": LARGER})
    )
    assert len(one.module.cells) == 5  # type: ignore[arg-type]
    assert str(one) == str(other)
    assert all(torch.equal(its, value) for its, value in zip(one.parameters(), other.parameters(), strict=True))
    with pytest.raises(UsageError, match=r"by a function and with \{'layers': 5\}"):
        cdarts(layers=5, network=LARGER)
    with pytest.raises(UsageError, match="Sequential has no method `rebuilt`"):
        train(cdarts(**ONE, layers=5), steps=4)


def test_the_evaluation_network_takes_the_same_decisions_at_another_depth() -> None:
    net, larger = cells(), LARGER()
    net.input_shape = larger.input_shape = (1, 8, 8)
    assert (len(net.module.cells), len(larger.module.cells)) == (3, 5)  # type: ignore[arg-type]
    assert stages(net).names == ("cells.1", "cells.2")
    assert stages(larger).names == ("cells.1", "cells.3")
    assert stages(net).channels == stages(larger).channels == (16, 32)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cycles": 0}, "in 0 cycles; give at least 1"),
        ({"weight": 0.0}, "The weight λ of the distillation is 0.0"),
        ({"temperature": 0.0}, "The temperature of the distillation is 0.0"),
        ({"penalty": -1.0}, "held back is -1.0"),
        ({"distance": "l2"}, r"The distance of the distillation is one of .*; got 'l2'"),
        ({"warmup": 0.0}, "has a share of 0.0"),
    ],
)
def test_settings_outside_their_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        cdarts(**options)


def test_what_does_not_fit_is_refused_before_training() -> None:
    with pytest.raises(UsageError, match="were to be held back, but no choice"):
        train(cdarts(cycles=1), steps=4)
    with pytest.raises(UsageError, match="The evaluation network spans"):
        train(cdarts(**{**ONE, "network": LARGER}), steps=4)
    wider = partial(zoo.darts, **{**TINY, "channels": 6})
    with pytest.raises(UsageError, match=r"have \(24, 48\) channels .* those of the supernet \(16, 32\)"):
        train(cdarts(cycles=1, network=wider), net=cells(), steps=4)
    with pytest.raises(UsageError, match="gets none of 3 steps"):
        train(cdarts(cycles=2, held_back=("skip",)), steps=3)
    flat = copy.deepcopy(operations_net())
    flat.module = torch.nn.Sequential(*flat.module[:5], torch.nn.Flatten(), torch.nn.Linear(128, 10))  # type: ignore[index]
    with pytest.raises(UsageError, match="No layer of Sequential makes its feature maps smaller"):
        train(cdarts(**ONE), net=flat, steps=4)
