"""ENAS: its moves and settings, in all three spaces, and that its controller learns what is rewarded."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from method_trials import moves, published, squares, train
from small_nets import executor, operations_net, step
from supernet import zoo
from supernet.errors import UsageError
from supernet.methods import enas, fairnas, mean_teacher
from supernet.methods.cells.enas import (
    CONTROLLER,
    MACRO,
    MICRO,
    NAS_BENCH_201,
    PENN_TREEBANK,
    PENN_TREEBANK_RELEASED,
    WEIGHTS,
)
from supernet.settings import build, parse
from supernet.space.restriction import Restriction
from supernet.train import (
    Auxiliary,
    Controller,
    FreshBatch,
    LSTMController,
    Mean,
    Move,
    Part,
    Recipe,
    Reinforce,
    SampleAndRank,
    StepDecay,
    Trained,
    WarmRestarts,
    WeightsThenPolicy,
    adam,
    sgd,
)
from supernet.train.laws import Trial
from supernet.train.ratings.inverse_perplexity import InversePerplexity
from supernet.train.state import TrainingState

SHORT: dict[str, Any] = {"updates": 2, "samples": 3, "derived": 4}


def short(**options: Any) -> Recipe:
    return enas(**SHORT, **options).with_weights(lr=0.1)


TRIALS = {
    "enas": lambda: Trial(recipe=short(), net=operations_net(), data=squares(), steps=60),
    "enas, NAS-Bench-201": lambda: Trial(
        recipe=enas(**{**NAS_BENCH_201, **SHORT}).with_weights(lr=0.1), net=operations_net(), data=squares(), steps=60
    ),
}
ALTERNATIVES = {
    "lstm": LSTMController(size=8),
    "updates": 3,
    "samples": 4,
    "models": 2,
    "every": 2,
    "entropy": 0.1,
    "decay": 0.5,
    "begin": None,
    "auxiliary": 0.0,
    "rating": InversePerplexity(),
    "derived": 3,
    "weights": sgd(0.1),
    "controller": adam(0.1),
}
SETTINGS = {
    "lstm": LSTMController(),
    "updates": 50,
    "samples": 20,
    "models": 1,
    "every": 1,
    "entropy": 1e-4,
    "decay": 0.99,
    "begin": 0.0,
    "auxiliary": 0.4,
    "rating": FreshBatch(),
    "derived": 10,
}
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"}


def parts_of(recipe: Recipe) -> tuple[WeightsThenPolicy, LSTMController, dict[str, Any], dict[str, Any]]:
    """The program, the controller, and what the two optimisers are told."""
    (program,) = recipe.programs
    part = recipe.parts["controller"]
    assert isinstance(program, WeightsThenPolicy)
    assert isinstance(part, Part)
    assert isinstance(part.build, LSTMController)
    assert part.updates is not None
    return program, part.build, published(recipe.weights), published(part.updates)


def test_the_settings_of_the_two_scripts_and_of_nas_bench_201() -> None:
    common = {"lr": 0.05, "momentum": 0.9, "nesterov": True, "inactive": "decay"}
    expected = [
        # tanh, temperature, reduce, size, layers | updates, samples, derived | decay, clip, rate and clip of controller
        (MACRO, (1.5, 1.0, 1.0, 64, 1), (50, 20, 10), (5e-4, None), (1e-3, None)),
        (MICRO, (1.1, 1.0, 2.5, 64, 1), (30, 10, 10), (2e-4, None), (3.5e-3, None)),
        (NAS_BENCH_201, (2.5, 5.0, 1.0, 32, 2), (50, 20, 100), (2.5e-4, 5.0), (1e-3, 5.0)),
    ]
    for preset, lstm, counts, weights, policy in expected:
        recipe = enas(**preset)
        program, build, told, of_controller = parts_of(recipe)
        assert (build.tanh, build.temperature, build.reduce, build.size, build.layers) == lstm
        assert isinstance(recipe.derive, SampleAndRank)
        assert (program.updates, program.samples, recipe.derive.samples) == counts
        assert {name: told[name] for name in common} == common
        assert (told["weight_decay"], told["clip"]) == weights
        assert (of_controller["lr"], of_controller["clip"]) == policy
        assert of_controller["betas"] == (0.0, 0.999)
        assert (program.policy_gradient.decay, program.policy_gradient.entropy, program.models, program.every) == (
            0.99,
            1e-4,
            1,
            1,
        )
        assert recipe.derive.rating == program.policy_gradient.rating == FreshBatch("validation", "error")
    assert CONTROLLER.optimiser.eps == 1e-3  # type: ignore[attr-defined]
    assert parts_of(enas(**MICRO))[1].favour == ("sep_conv_3x3", "sep_conv_5x5")
    macro = parts_of(enas(**MACRO))[1]
    assert (macro.skip_target, macro.skip_weight, macro.skip_rate, macro.bias) == (0.4, 0.8, "probability", False)
    assert enas(**MACRO) == enas()


def test_the_settings_of_recurrent_cells() -> None:
    expected = [
        (PENN_TREEBANK, (2000, 1, 1e-4), (20.0, 0.0, 2e-7, 0.25), StepDecay(0.96, begin=15), 3.5e-4),
        (
            PENN_TREEBANK_RELEASED,
            (100, 10, 1e-3),
            (0.25 * 35, 0.0, 2e-7 / 35, 10 / 35),
            StepDecay(0.95, begin=12, floor=0.0005 / 0.25),
            1e-3,
        ),
    ]
    for preset, counts, weights, schedule, lr in expected:
        recipe = enas(**preset)
        program, build, told, of_controller = parts_of(recipe)
        assert (build.size, build.layers, build.tanh, build.temperature, build.bias) == (100, 1, 2.5, 5.0, False)
        assert (program.updates, program.samples, program.policy_gradient.entropy) == counts
        assert (told["lr"], told["momentum"], told["weight_decay"], told["clip"]) == pytest.approx(weights)
        assert (told["inactive"], recipe.weights.schedule, of_controller["lr"]) == ("decay", schedule, lr)
        assert isinstance(recipe.derive, SampleAndRank)
        assert recipe.derive.rating == program.policy_gradient.rating == InversePerplexity(80.0)


def test_the_schedules_of_the_learning_rate() -> None:
    assert enas(**MICRO).weights.schedule == WEIGHTS.schedule == WarmRestarts(epochs=10, factor=2.0, floor=0.01)
    assert enas(**NAS_BENCH_201).weights.schedule == WarmRestarts(epochs=10, floor=0.01, back=True)


def test_the_command_of_the_page_has_all_settings_of_nas_bench_201() -> None:
    page = Path(__file__).parents[2] / "docs" / "methods" / "enas.md"
    (command,) = re.findall(r"--space nasbench201 --method enas(.*?)--out", page.read_text(encoding="utf-8"), re.DOTALL)
    assert build("methods", "enas", parse(re.findall(r"-M (\S+)", command))) == enas(**NAS_BENCH_201)


def test_the_moves_of_an_epoch() -> None:
    net, recipe = operations_net(), enas(**SHORT, models=2)
    counts = [len(moves(recipe, net, index=index, total=4)) for index in range(4)]
    assert counts == [3, 3, 3, 3], "an epoch of one step"
    first, *others = moves(recipe, net, index=3, total=4)
    assert (first.families, first.data, len(first.paths), first.combine) == (("weights",), "train", 2, Mean())
    assert [(move.families, move.data, len(move.paths)) for move in others] == [(("controller",), "validation", 3)] * 2
    assert all(isinstance(move.gradient, Reinforce) for move in others)
    assert first.paths[0].objective == Auxiliary(others[0].paths[0].objective, 0.4)


def test_each_move_leaves_the_other_family_and_what_is_not_trained_alone() -> None:
    """Drawing and rewards change no weight and no running statistic, and a step of the weights no controller."""
    net, recipe = operations_net(), short()
    state = TrainingState(net, recipe.on(net.space), seed=0, batch_size=16)
    run = executor(net, squares(), recipe=recipe)
    run.steppers = state.steppers
    now = replace(step(net, 3, total=4, parts=state.parts), runner=run)

    def of(module: nn.Module) -> dict[str, torch.Tensor]:
        return {name: value.detach().clone() for name, value in module.state_dict().items()}

    controller, moved = state.parts["controller"], []
    for move in recipe.programs[0].moves(now):
        assert isinstance(move, Move)
        before = of(net), of(controller)
        run.execute(move, now)
        same = [
            all(torch.equal(old[name], value) for name, value in of(module).items())
            for old, module in zip(before, (net, controller), strict=True)
        ]
        moved.append((move.families, same))
    assert moved == [(("weights",), [False, True]), *[(("controller",), [True, False])] * SHORT["updates"]]


def test_a_decided_choice_is_drawn_as_decided_and_says_nothing_about_what_was_likely() -> None:
    net = operations_net()
    restriction = Restriction(net.space)
    restriction.decide("block0", "skip")
    state = TrainingState(net, short(), seed=0, batch_size=16)
    now = replace(step(net, parts=state.parts), restriction=restriction)
    policy = state.parts["controller"]
    assert isinstance(policy, Controller)
    drawn = [policy.draw(now, f"{number}") for number in range(12)]
    assert {arch["block0"] for arch in drawn} == {"skip"}
    assert len({arch["block1"] for arch in drawn}) > 1
    alike = step(net, parts=state.parts).within(net.space.restrict({"block0": ["skip"], "block1": ["conv1"]}))
    only = policy.likelihood(alike, net.space.arch({"block0": "skip", "block1": "conv1"}))
    assert (only.log_prob.item(), only.entropy.item()) == (0, 0)


def test_the_log_has_an_epoch_s_rewards_and_the_memory_its_baseline() -> None:
    trained = train(short(), steps=9)
    row = trained.history[-1]
    assert {"loss", "loss/controller", "term/reward", "term/baseline", "term/entropy"} <= set(row)
    assert 0 < trained.memory["baseline of controller"] < 0.2, "six accuracies into an average that begins at 0"
    assert trained.derived is not None


@pytest.mark.slow
def test_the_controller_comes_to_prefer_what_classifies() -> None:
    """Where the convolutions of the first block pass nothing on, the controller leaves them out."""
    net = operations_net()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.startswith("module.3.candidates.conv"):
                parameter.zero_().requires_grad_(False)
    recipe = enas(updates=10, samples=8, derived=5, controller=CONTROLLER.with_settings(lr=0.02)).with_weights(lr=0.1)
    trained = train(recipe, net=net, steps=36)
    policy = parametrised(trained)
    now = step(trained.net, parts=trained.parts)
    shares = {arch: policy.likelihood(now, arch).log_prob.exp().item() for arch in net.space.enumerate()}
    assert sum(share for arch, share in shares.items() if arch["block0"] == "skip") > 0.6
    assert trained.derived is not None
    assert trained.derived["block0"] == "skip"


def parametrised(trained: Trained) -> Controller:
    policy = trained.parts["controller"]
    assert isinstance(policy, Controller)
    return policy


def test_nothing_goes_around_its_controller_but_what_changes_the_loss() -> None:
    around = mean_teacher(enas(**SHORT))
    assert around.derive == enas(**SHORT).derive
    with pytest.raises(UsageError, match="needs a part 'controller'"):
        replace(enas(), parts={})
    with pytest.raises(UsageError, match="a part 'controller'"):
        replace(fairnas(), derive=SampleAndRank(part="controller"))


def test_it_runs_in_the_space_of_nas_bench_201() -> None:
    net = zoo.nasbench201(channels=4, cells=1, in_channels=1)
    trained = train(enas(**{**NAS_BENCH_201, "updates": 1, "samples": 2, "derived": 2}), net=net, steps=2)
    assert trained.derived in net.space
    shapes = {name: tuple(p.shape) for name, p in trained.parts["controller"].named_parameters()}
    assert shapes["embeddings.0.weight"] == shapes["heads.0.weight"] == (5, 32), "one for all six edges"
    assert shapes["cells.1.weight_hh"] == (128, 32)
    assert shapes["heads.0.bias"] == (5,)
