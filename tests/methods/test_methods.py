"""Published methods: the laws, the published settings, and what sets each apart."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import supernet.data
from small_nets import elastic_net, executor, images, operations_net, sgd, step
from supernet import Arch, OpChoice, Supernet, methods
from supernet.errors import UsageError
from supernet.methods import darts, fairnas, one_shot, sandwich, spos
from supernet.train import (
    ArchitectureParameters,
    Constant,
    Fixed,
    Mean,
    MomentumSeparation,
    Recipe,
    TrainPaths,
    Uniform,
    fit,
)
from supernet.train.executor import Executor
from supernet.train.laws import (
    RECIPE_LAWS,
    RecipeLaw,
    Trial,
    learns,
    moves_change_one_family,
    paths_stay_in_the_subspace,
)
from supernet.train.move import Move, Step

METHODS: dict[str, Callable[..., Recipe]] = {name: getattr(methods, name) for name in methods.__all__}
DIGITS = supernet.data.digits(augment=supernet.data.Augment())
SQUARES = images()

TRIALS = {
    "spos": (spos(learning_rate=0.1, reference_batch=None), operations_net()),
    "spos, sizes": (spos(learning_rate=0.1, reference_batch=None), elastic_net()),
    "fairnas": (fairnas(learning_rate=0.05, reference_batch=None), operations_net()),
    "sum_nas": (methods.sum_nas(inner_learning_rate=0.3), operations_net()),
    "sum_nas, sizes": (methods.sum_nas(sampler=Uniform(2), inner_learning_rate=0.02), elastic_net()),
    "dynas": (methods.dynas(learning_rate=0.3, reference_batch=None), operations_net()),
    "dynas, strictly fair": (
        methods.dynas(paths="strict_fair", learning_rate=0.05, reference_batch=None),
        operations_net(),
    ),
    "one_shot": (one_shot(), operations_net()),
    "sandwich": (sandwich(learning_rate=0.1, reference_batch=None), elastic_net()),
    "greedynas": (methods.greedynas(learning_rate=0.05, reference_batch=None), operations_net()),
    "greedynas, sizes": (methods.greedynas(learning_rate=0.05, reference_batch=None), elastic_net()),
    "attentivenas": (methods.attentivenas(learning_rate=0.1, reference_batch=None), elastic_net()),
    "darts": (darts(learning_rate=0.1), operations_net()),
    "darts, second order": (darts(order=2, learning_rate=0.1), operations_net()),
}


@pytest.mark.parametrize("law", RECIPE_LAWS)
@pytest.mark.parametrize("name", TRIALS)
def test_methods_keep_the_laws(name: str, law: RecipeLaw) -> None:
    recipe, net = TRIALS[name]
    law(Trial(recipe=recipe, net=net, data=DIGITS, steps=80))


def test_every_method_is_tried() -> None:
    elsewhere = {"few_shot", "gm_nas", "k_shot"}  # test_methods_nshot.py
    assert {name.partition(",")[0] for name in TRIALS} | elsewhere == set(METHODS)


# -- the laws themselves can fail ------------------------------------------------------------------------------


def test_the_law_of_learning_catches_a_method_that_does_not() -> None:
    lazy = replace(spos(), weights=sgd(1e-6))
    with pytest.raises(AssertionError, match="the loss went from"):
        learns(Trial(recipe=lazy, net=operations_net(), data=SQUARES, steps=20))


def test_the_law_of_moves_catches_a_move_that_touches_the_other_family(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Executor.execute

    def leaky(self: Executor, move: Move, now: Step) -> float:
        loss = original(self, move, now)
        if move.updates == "architecture":
            next(self.net.buffers()).add_(1e-3)
        return loss

    monkeypatch.setattr(Executor, "execute", leaky)
    with pytest.raises(AssertionError, match=r"a move on the architecture changed .* of the buffers"):
        moves_change_one_family(Trial(recipe=darts(), net=operations_net(), data=SQUARES))


@dataclass(frozen=True)
class Elsewhere:
    """Draws from the whole space, whatever it is given."""

    def check(self, net: Supernet) -> None:
        pass

    def paths(self, step: Step) -> Sequence[Arch]:
        return step.net.space.wrap(step.net.space.population(step.rng, 5))


def test_the_law_of_subspaces_catches_a_sampler_that_draws_elsewhere() -> None:
    with pytest.raises(AssertionError, match="may not be"):
        paths_stay_in_the_subspace(Elsewhere(), operations_net())


# -- descriptions ----------------------------------------------------------------------------------------------


def another(name: str, value: Any) -> Any:
    """A valid value that differs from the default."""
    special = {
        "order": 2,
        "first": "weights",
        "mode": "worst",
        "predictor": len,
        "regularise": "all",
        "inactive": "freeze" if value == "decay" else "decay",
        "paths": "strict_fair",
        "choices": ("b",),
        "epochs": (5, 6),
        "restart": "never",
        "code_data": "validation",
        "complexity": "macs",
        "rate_by": "accuracy",
        "states": MomentumSeparation(by="cluster", groups=2),
        "exclude": ("none",),
        "schedule": Constant(),
        "sampler": Uniform(2),
        "combine": Mean(),
        "architecture_betas": (0.9, 0.999),
    }
    if name in special:
        return special[name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return 0.5 if value is None or value < 0.25 else value / 2


@pytest.mark.parametrize("name", METHODS)
def test_every_option_shows_in_the_description(name: str) -> None:
    method = METHODS[name]
    default = json.dumps(method().describe(), sort_keys=True)
    seen = {default}
    for option, parameter in inspect.signature(method).parameters.items():
        assert parameter.kind is parameter.KEYWORD_ONLY
        described = json.dumps(method(**{option: another(option, parameter.default)}).describe(), sort_keys=True)
        assert described not in seen, f"{option} changes nothing, or the same as another option"
        seen.add(described)


def test_no_two_methods_describe_alike() -> None:
    programs = [json.dumps(method().describe()["program"]) for method in METHODS.values()]
    assert len(set(programs)) == len(METHODS)


# -- published settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "published"),
    [
        (spos, {"lr": 0.5, "momentum": 0.9, "weight_decay": 4e-5, "reference": 1024, "clip": None, "end": 0.0}),
        (darts, {"lr": 0.025, "momentum": 0.9, "weight_decay": 3e-4, "reference": None, "clip": 5.0, "end": 0.04}),
        (sandwich, {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-5, "reference": 256, "clip": None, "end": 0.0}),
    ],
)
def test_defaults_are_the_published_ones(method: Callable[[], Recipe], published: dict[str, float | None]) -> None:
    weights = method().weights
    group = weights.optimizer([{"params": [nn.Parameter(torch.zeros(1))]}]).param_groups[0]
    last = step(operations_net(), 10**6 - 1, total=10**6)
    assert {
        "lr": group["lr"],
        "momentum": group["momentum"],
        "weight_decay": group["weight_decay"],
        "reference": weights.reference_batch,
        "clip": weights.clip_norm,
        "end": pytest.approx(weights.schedule(last, []), abs=1e-4),
    } == published


def test_darts_steps_the_architecture_with_the_published_adam() -> None:
    architecture = darts().architecture
    assert architecture is not None
    group = architecture.optimizer([{"params": [nn.Parameter(torch.zeros(1))]}]).param_groups[0]
    assert (group["lr"], group["betas"], group["weight_decay"]) == (3e-4, (0.5, 0.999), 1e-3)
    assert isinstance(architecture.schedule, Constant)


# -- what sets the methods apart -------------------------------------------------------------------------------


def moves(recipe: Recipe, net: Supernet, *, index: int = 5, total: int = 10) -> list[Move]:
    architecture = ArchitectureParameters(net) if recipe.architecture else None
    return list(recipe.program.moves(step(net, index, total=total, architecture=architecture)))


@pytest.mark.parametrize(
    ("recipe", "net", "expected"),
    [
        (spos(), operations_net(), [("weights", "train", 1)]),
        (fairnas(), operations_net(), [("weights", "train", 3)]),
        (one_shot(), operations_net(), [("weights", "train", 1)]),
        (sandwich(), elastic_net(), [("weights", "train", 4)]),
        (darts(), operations_net(), [("architecture", "validation", 1), ("weights", "train", 1)]),
        (darts(first="weights"), operations_net(), [("weights", "train", 1), ("architecture", "validation", 1)]),
        (darts(begin=0.6), operations_net(), [("weights", "train", 1)]),
        (darts(begin=0.5), operations_net(), [("architecture", "validation", 1), ("weights", "train", 1)]),
    ],
)
def test_the_moves_of_a_step(recipe: Recipe, net: Supernet, expected: list[tuple[str, str, int]]) -> None:
    assert [(move.updates, move.data, len(move.paths)) for move in moves(recipe, net)] == expected


def test_the_loop_carries_the_moves_out_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    carried_out: list[str] = []
    original = Executor.execute

    def noting(self: Executor, move: Move, now: Step) -> float:
        carried_out.append(move.updates)
        return original(self, move, now)

    monkeypatch.setattr(Executor, "execute", noting)
    for first in ("architecture", "weights"):
        carried_out.clear()
        train(darts(first=first, begin=0.5), steps=4)
        other = {"architecture": "weights", "weights": "architecture"}[first]
        assert carried_out == ["weights", "weights", first, other, first, other]


def test_only_the_largest_subnet_of_a_sandwich_drops() -> None:
    assert [path.dropout for path in moves(sandwich(), elastic_net())[0].paths] == [True, False, False, False]
    assert all(path.dropout for path in moves(sandwich(regularise="all"), elastic_net())[0].paths)


def test_one_shot_runs_subsets_in_ghost_batches() -> None:
    (move,) = moves(one_shot(rate=0.9), operations_net())
    assert move.micro_batch == 32
    assert all(isinstance(decision, tuple) for decision in move.paths[0].decisions.values())
    (whole,) = moves(one_shot(ghost_batch=None), operations_net())
    assert whole.micro_batch is None


@pytest.mark.parametrize("name", ["one_shot", "darts"])
def test_methods_that_mix_refuse_sizes(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be mixed"):
        fit(elastic_net(), METHODS[name](), SQUARES, steps=1, batch_size=8, accelerator="cpu")


def test_fairnas_refuses_gated_choices() -> None:
    with pytest.raises(UsageError, match="'kernel' only exists"):
        fit(elastic_net(), fairnas(), SQUARES, steps=1, batch_size=8, accelerator="cpu")


def train(recipe: Recipe, *, net: Supernet | None = None, steps: int = 8, seed: int = 0) -> Any:
    net = operations_net() if net is None else net
    return fit(net, recipe, SQUARES, steps=steps, batch_size=16, seed=seed, accelerator="cpu", progress=False)


def test_no_two_methods_train_the_same_weights() -> None:
    """From the same start, on the same images, with the same optimiser."""
    ends = []
    for method in (spos, fairnas, one_shot, sandwich, darts):
        net = operations_net()
        train(replace(method(), weights=sgd()), net=net, steps=4)
        ends.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    for number, end in enumerate(ends):
        for other in ends[number + 1 :]:
            assert (end - other).norm() > 1e-3


def test_the_rule_of_a_method_is_one_piece() -> None:
    """FairNAS with the sampler of SPOS and otherwise the same pieces is SPOS, bitwise."""
    base = spos(label_smoothing=0.0)
    disguised = replace(fairnas(), weights=base.weights, program=TrainPaths(sampler=Uniform()))
    nets = [operations_net(), operations_net()]
    for net, recipe in zip(nets, (base, disguised), strict=True):
        train(recipe, net=net)
    assert all(torch.equal(a, b) for a, b in zip(*(net.state_dict().values() for net in nets), strict=True))


# -- DARTS finds what was planted --------------------------------------------------------------------------------


class Blind(nn.Module):
    """A candidate that passes nothing of the image on, but has as many weights as a useful one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(1, channels, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.constant.mean((2, 3), keepdim=True).expand(len(x), -1, *x.shape[-2:])


def planted(useful: int) -> Supernet:
    """Of three candidates only the one at this position sees the image."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        options = {f"option{i}": nn.Conv2d(1, 8, 3, padding=1) if i == useful else Blind(8) for i in range(3)}
        return Supernet(
            nn.Sequential(
                OpChoice("block", options), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 10)
            )
        )


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("useful", [0, 1, 2])
def test_darts_derives_the_only_useful_candidate(order: int, useful: int) -> None:
    recipe = darts(order=order, learning_rate=0.1, architecture_learning_rate=0.05)
    trained = train(recipe, net=planted(useful), steps=40)
    assert trained.derived["block"] == f"option{useful}"
    assert trained.architecture.probabilities()["block"][useful] > 0.5


def trajectory(recipe: Recipe) -> list[Tensor]:
    return [logits.detach() for logits in train(recipe, steps=10).architecture.logits]


def test_the_two_orders_and_the_two_sequences_learn_different_architectures() -> None:
    options = {"learning_rate": 0.2, "architecture_learning_rate": 0.01}
    first, again = trajectory(darts(order=1, **options)), trajectory(darts(order=1, **options))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for other in (darts(order=2, **options), darts(first="weights", **options), darts(temperature=3.0, **options)):
        assert max((a - b).abs().max().item() for a, b in zip(first, trajectory(other), strict=True)) > 1e-4


def test_excluded_options_are_not_derived() -> None:
    recipe = darts(order=1, learning_rate=0.1, architecture_learning_rate=0.05, exclude=("option1",))
    assert train(recipe, net=planted(1), steps=20).derived["block"] != "option1"
    with pytest.raises(UsageError, match="no choice of the supernet has it"):
        train(darts(exclude=("nothing",)))


# -- training one subnet -----------------------------------------------------------------------------------------


def test_one_architecture_alone_can_be_trained() -> None:
    net = elastic_net()
    arch = net.space.smallest()
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    run = executor(net, SQUARES)
    recipe = Recipe(name="alone", program=TrainPaths(sampler=Fixed(arch)), weights=sgd())
    for index in range(3):
        run.begin()
        for move in recipe.program.moves(step(net, index)):
            run.execute(move, step(net, index))
    changed = {name for name, p in net.named_parameters() if not torch.equal(p, before[name])}
    assert changed
    assert not any(name.startswith("module.3") for name in changed), "the block that depth 0 leaves out was trained"
