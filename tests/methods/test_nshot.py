"""Few-shot NAS, GM-NAS and K-shot NAS: the laws, their phases, and what search and judge make of the result."""

from __future__ import annotations

import inspect
import itertools
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import supernet.data
from small_nets import elastic_net, executor, images, operations_net, step
from supernet import Arch, Choice, OpChoice, Space, Supernet, measure, search, zoo
from supernet.errors import UsageError
from supernet.judge import Table, rank_report
from supernet.methods import few_shot, gm_nas, k_shot
from supernet.nn import Leaves
from supernet.train import (
    ComplexityAwareLR,
    Constant,
    Entry,
    EqualCost,
    Fixed,
    MomentumSeparation,
    OneGroup,
    PathDropout,
    Recipe,
    Sandwich,
    Step,
    StrictFair,
    Trained,
    Uniform,
    checkpoint,
    fit,
    load_weights,
)
from supernet.train import Path as NetPath
from supernet.train.edits.split_by_option import SplitByOption
from supernet.train.laws import RECIPE_LAWS, RecipeLaw, Trial
from supernet.train.phases import plan
from supernet.train.samplers.within import Within

DIGITS = supernet.data.digits(augment=supernet.data.Augment())
SQUARES = images()

FEW: dict[str, Any] = {"parent_epochs": 1, "leaf_epochs": 1}
GM: dict[str, Any] = {"epochs": (1, 1), "repeats": 2}

TRIALS = {
    "few_shot": (few_shot(**FEW, learning_rate=0.3), operations_net(), 160),
    "few_shot, fresh": (few_shot(transfer=False, learning_rate=0.4), operations_net(), 210),
    "gm_nas": (gm_nas(**GM, learning_rate=0.3), operations_net(), 180),
    "gm_nas, sizes": (gm_nas(**GM, learning_rate=0.2, restart="never"), elastic_net(), 80),
    "k_shot": (k_shot(k=3, learning_rate=0.5, entropy=0.1), operations_net(), 100),
    "k_shot, sizes": (k_shot(k=2, code_data="validation"), elastic_net(), 60),
}


@pytest.mark.parametrize("law", RECIPE_LAWS)
@pytest.mark.parametrize("name", TRIALS)
def test_methods_keep_the_laws(name: str, law: RecipeLaw) -> None:
    recipe, net, steps = TRIALS[name]
    law(Trial(recipe=recipe, net=net, data=DIGITS, steps=steps))


def train(recipe: Recipe, *, net: Supernet | None = None, steps: int = 8, seed: int = 0, **options: Any) -> Trained:
    net = operations_net() if net is None else net
    return fit(
        net, recipe, SQUARES, steps=steps, batch_size=16, seed=seed, accelerator="cpu", progress=False, **options
    )


def vector(module: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


class Watch:
    """Keeps the weights of every leaf after every step."""

    every = 1

    def __init__(self) -> None:
        self.seen: list[list[torch.Tensor]] = []

    def __call__(self, net: Supernet, step: int) -> dict[str, float]:
        self.seen.append([vector(module) for module in net.module.copies])
        return {}


def leaf_weights(trained: Trained, leaf: int) -> torch.Tensor:
    return vector(trained.net.module.copies[leaf])


# -- phases -------------------------------------------------------------------------------------------------------


def test_few_shot_trains_the_supernet_and_then_leaf_after_leaf() -> None:
    edges = zoo.nasbench201(channels=4, cells=1).space
    phases = few_shot().on(edges).phases
    assert [phase.name for phase in phases] == ["parent", *(f"leaf {leaf}" for leaf in range(5))]
    assert [stretch.steps for stretch in plan(phases, 2100)] == [600, 300, 300, 300, 300, 300]
    assert [phase.enter is not None for phase in phases] == [False, True, False, False, False, False]
    alone = few_shot(transfer=False).on(edges).phases
    assert [phase.name for phase in alone] == [f"leaf {leaf}" for leaf in range(5)]
    assert alone[0].enter == SplitByOption(None, fresh=True)


def test_gm_nas_doubles_its_leaves_from_stage_to_stage() -> None:
    phases = gm_nas().phases
    assert [stretch.steps for stretch in plan(phases, 26000)] == [2000, 2000, 2000, 5000, 5000, 5000, 5000]
    splits = {phase.name: phase.enter for phase in phases if phase.enter is not None}
    assert {name: split.fresh for name, split in splits.items()} == {"stage 1, leaf 0": False, "stage 2, leaf 0": True}
    assert not any(phase.enter.fresh for phase in gm_nas(restart="never").phases if phase.enter is not None)
    assert all(phase.restart for phase in phases)


@pytest.mark.parametrize("inactive", ["freeze", "decay"])
@pytest.mark.parametrize("transfer", [True, False])
def test_only_the_leaf_whose_turn_it_is_moves(transfer: bool, inactive: Any) -> None:
    """Neither do weight decay and momentum move another."""
    recipe = few_shot(parent_epochs=3, leaf_epochs=3, transfer=transfer, inactive=inactive, weight_decay=0.1)
    recipe = recipe.on(operations_net().space)
    watch = Watch()
    train(recipe, steps=3 * len(recipe.phases), monitors=[watch])
    for number, (before, after) in enumerate(itertools.pairwise(watch.seen), start=1):
        if number % 3 == 0:
            continue  # the first step of a phase: leaves may have been split before it
        name = recipe.phases[number // 3].name
        mine = 0 if name == "parent" else int(name.removeprefix("leaf "))
        moved = [not torch.equal(one, other) for one, other in zip(before, after, strict=True)]
        assert moved == [leaf == mine for leaf in range(3)], name


def test_leaves_start_from_the_trained_supernet() -> None:
    """After the step in which they were split, the leaves that were not trained yet have its logits, bitwise."""
    recipe = few_shot(**FEW, inactive="freeze")
    parent = train(recipe, steps=8, stop_after=2).net.eval()
    children = train(recipe, steps=8, stop_after=3).net.eval()
    x = next(SQUARES.validation.batches(8)).x
    with torch.no_grad():
        for arch in parent.space.enumerate():
            same = torch.equal(parent(x, arch), children(x, arch))
            assert same == (children.module.leaf(arch) != 0)


def test_fresh_leaves_come_from_the_seed() -> None:
    def started(seed: int, leaf: int) -> torch.Tensor:
        return leaf_weights(train(few_shot(transfer=False, inactive="freeze"), steps=6, seed=seed, stop_after=1), leaf)

    assert torch.equal(started(1, 2), started(1, 2))
    assert not torch.equal(started(1, 2), started(2, 2))
    assert not torch.equal(started(1, 1), started(1, 2))


def test_several_choices_make_a_leaf_per_joint_option() -> None:
    recipe = few_shot(choices=("block1", "block0"), parent_epochs=1, leaf_epochs=1)
    net = train(recipe, steps=10).net
    assert [space.size for space in net.module.spaces] == [1] * 9
    assert {net.module.leaf(arch) for arch in net.space.enumerate()} == set(range(9))


def test_gm_nas_splits_by_the_data() -> None:
    net = train(gm_nas(epochs=(1, 1, 1), repeats=1), steps=7).net
    spaces = net.module.spaces
    assert sum(space.size for space in spaces) == net.space.size
    assert len(spaces) == 4
    assert all(space.size < net.space.size for space in spaces)


# -- resuming -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipe",
    [few_shot(**FEW), few_shot(transfer=False), gm_nas(epochs=(1, 1, 1), repeats=1), k_shot(k=2)],
    ids=["few_shot", "fresh", "gm_nas", "k_shot"],
)
def test_stopping_anywhere_changes_nothing(recipe: Recipe, tmp_path: Path) -> None:
    steps = 2 * len(recipe.on(operations_net().space).phases) + 2
    for stop in range(1, steps + 1):
        train(recipe, steps=steps, out=tmp_path / "parts", resume=True, stop_after=stop)
    train(recipe, steps=steps, out=tmp_path / "whole")
    whole, parts = (
        checkpoint.load(checkpoint.latest(tmp_path / name / "checkpoints"))  # type: ignore[arg-type]
        for name in ("whole", "parts")
    )
    assert whole[1] == parts[1]
    assert set(whole[0]) == set(parts[0])
    assert all(torch.equal(whole[0][name], parts[0][name]) for name in whole[0])


def test_a_run_is_loaded_with_its_partition(tmp_path: Path) -> None:
    recipe = gm_nas(**GM)
    net = train(recipe, steps=6, out=tmp_path).net.eval()
    loaded = recipe.adapted(operations_net(seed=3))
    load_weights(loaded, tmp_path)
    assert all(loaded.module.leaf(arch) == net.module.leaf(arch) for arch in net.space.enumerate())
    states = (loaded.state_dict(), net.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[1])


# -- search, judge, subnet-aware training -------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", [few_shot(**FEW, learning_rate=0.3), gm_nas(**GM, learning_rate=0.3), k_shot(k=2)])
def test_search_and_judge_work_across_leaves(recipe: Recipe) -> None:
    net = fit(operations_net(), recipe, DIGITS, steps=60, batch_size=32, accelerator="cpu", progress=False).net
    front = search.random(net, DIGITS, objectives=("accuracy", "macs"), budget=9)
    evaluated = {record.arch for record in front.points}
    assert evaluated <= set(net.space.enumerate())
    for point in front.points:
        assert point.values["macs"] == measure.macs(net, point.arch)
        assert point.values["accuracy"] == pytest.approx(measure.scores(net, point.arch, DIGITS).accuracy)
    archs = list(net.space.enumerate())
    worth = Table.of(archs, np.linspace(0.5, 0.9, len(archs)))
    report = rank_report(net, DIGITS, worth, n=len(archs), images=60)
    assert report.n == len(archs)
    assert len(np.unique(report.predicted)) > 1


@pytest.mark.parametrize("method", [few_shot, gm_nas, k_shot])
def test_subnet_aware_training_is_one_argument(method: Callable[..., Recipe]) -> None:
    given = {few_shot: FEW, gm_nas: GM, k_shot: {"k": 2}}[method]
    ends = []
    for options in ({}, {"schedule": ComplexityAwareLR()}, {"states": MomentumSeparation(choice="block1")}):
        trained = train(method(**given, **options), net=operations_net(), steps=12)
        ends.append(vector(trained.net))
    assert all((one - other).norm() > 1e-3 for one, other in ((ends[0], ends[1]), (ends[0], ends[2])))


# -- samplers within a leaf ---------------------------------------------------------------------------------------


def entered(net: Supernet, choices: tuple[str, ...]) -> Supernet:
    adapted = few_shot().adapt(net)  # type: ignore[misc]
    SplitByOption(choices)(Entry(executor(adapted, SQUARES), seed=0))
    return adapted


def test_samplers_draw_uniformly_from_the_leaf_and_cover_it() -> None:
    net = entered(operations_net(), ("block0",))
    for leaf, option in enumerate(("conv3", "conv1", "skip")):
        drawn = [Within(Uniform(2), leaf).paths(step(net, index)) for index in range(40)]
        assert {arch["block0"] for paths in drawn for arch in paths} == {option}
        assert {arch["block1"] for paths in drawn for arch in paths} == {"conv3", "conv1", "skip"}
    largest, smallest = Within(Sandwich(0), 1).paths(step(net, 0))
    assert (largest["block0"], smallest["block0"]) == ("conv1", "conv1")


@dataclass(frozen=True)
class Whole:
    """Draws one architecture, whatever the space."""

    arch: Arch

    def check(self, net: Supernet) -> None:
        pass

    def paths(self, step: Step) -> Sequence[Arch]:
        return [self.arch]


def test_strictly_fair_paths_are_fair_to_the_options_of_the_leaf() -> None:
    options = {"b0": 4, "b1": 3, "b2": 2}
    net = Supernet(
        nn.Sequential(*(OpChoice(b, {f"op{o}": nn.Identity() for o in range(n)}) for b, n in options.items()))
    )
    leaves = Leaves(net, 2)
    leaves.split(0, "b0", [["op0", "op3"], ["op1", "op2"]])
    for leaf, options in enumerate((("op0", "op3"), ("op1", "op2"))):
        paths = Within(StrictFair(), leaf).paths(step(Supernet(leaves), 3))
        assert Counter(arch["b0"] for arch in paths) == dict.fromkeys(options, 3)
        assert Counter(arch["b1"] for arch in paths) == dict.fromkeys(("op0", "op1", "op2"), 2)


@pytest.mark.parametrize("seed", range(4))
def test_momentum_is_separated_in_every_leaf(seed: int) -> None:
    """Whatever edge the seed draws: an optimiser state for each of the three options of the other block."""
    recipe = few_shot(states=MomentumSeparation(), **FEW)
    groups: dict[int, set[int]] = defaultdict(set)
    states = recipe.weights.states
    assert states is not None

    class Watched:
        def group(self, step: Step, paths: Sequence[NetPath]) -> int:
            groups[step.start].add(states.group(step, paths))
            return states.group(step, paths)

    train(
        replace(recipe, weights=replace(recipe.weights, states=Watched())), net=operations_net(), steps=120, seed=seed
    )
    assert [len(found) for found in groups.values()] == [3] * 4


def test_few_shot_trains_with_every_sampler_that_draws_from_a_space() -> None:
    for sampler in (StrictFair(), PathDropout(), EqualCost(count=2), OneGroup(Uniform(2), MomentumSeparation())):
        assert train(few_shot(sampler=sampler), net=operations_net(), steps=8).steps == 8


def test_a_sampler_that_ignores_the_leaf_is_refused() -> None:
    net = entered(operations_net(), ("block0",))
    outside = net.space.arch({"block0": "skip", "block1": "skip"})
    with pytest.raises(UsageError, match="outside the sub-space that is trained now"):
        Within(Fixed(outside), 0).paths(step(net, 0))
    with pytest.raises(UsageError, match="Whole drew a path outside the sub-space of leaf 0"):
        Within(Whole(outside), 0).paths(step(net, 0))
    assert Within(Fixed(outside), 2).paths(step(net, 0)) == [outside]
    with pytest.raises(UsageError, match="leaves 0 to 2"):
        Within(Uniform(), 3).check(net)
    with pytest.raises(UsageError, match="one set"):
        Within(Uniform(), 0).check(operations_net())


# -- options ------------------------------------------------------------------------------------------------------


def another(name: str, value: Any) -> Any:
    special = {
        "choices": ("block1",),
        "epochs": (5, 6),
        "restart": "never",
        "inactive": "freeze",
        "code_data": "validation",
        "schedule": Constant(),
        "sampler": Uniform(3),
        "states": MomentumSeparation(),
    }
    if name in special:
        return special[name]
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else 0.5 if value is None or value < 0.25 else value / 2


@pytest.mark.parametrize("method", [few_shot, gm_nas, k_shot])
def test_every_option_shows_in_the_description(method: Callable[..., Recipe]) -> None:
    seen = {json.dumps(method().describe(), sort_keys=True)}
    for option, parameter in inspect.signature(method).parameters.items():
        assert parameter.kind is parameter.KEYWORD_ONLY
        described = json.dumps(method(**{option: another(option, parameter.default)}).describe(), sort_keys=True)
        assert described not in seen, f"{option} changes nothing, or the same as another option"
        seen.add(described)


@pytest.mark.parametrize(
    ("method", "published"),
    [
        (few_shot, {"lr": 0.025, "momentum": 0.9, "weight_decay": 1e-4, "nesterov": True, "clip": None}),
        (gm_nas, {"lr": 0.025, "momentum": 0.9, "weight_decay": 1e-4, "nesterov": False, "clip": 5.0}),
    ],
)
def test_defaults_are_the_released_ones(method: Callable[[], Recipe], published: dict[str, Any]) -> None:
    weights = method().weights
    group = weights.optimizer([{"params": [nn.Parameter(torch.zeros(1))]}]).param_groups[0]
    found = {name: group[name] for name in ("lr", "momentum", "weight_decay", "nesterov")}
    assert {**found, "clip": weights.clip_norm} == published
    last = step(operations_net(), 10**6 - 1, total=10**6)
    assert group["lr"] * weights.schedule(last, []) == pytest.approx(0.001, rel=1e-4)
    assert weights.inactive == "decay"


def test_a_space_that_cannot_be_split_so_is_refused_before_training() -> None:
    with pytest.raises(UsageError, match=r"depend on the space; take recipe\.on\(net\.space\)"):
        _ = few_shot().phases
    with pytest.raises(UsageError, match="cannot be split"):
        few_shot().on(Space([Choice("kernel", (3,))]))
    with pytest.raises(UsageError, match="no choice named 'nothing'"):
        train(few_shot(choices=("nothing",)))
    with pytest.raises(UsageError, match="each once"):
        train(few_shot(choices=("block0", "block0")))
    with pytest.raises(UsageError, match="only exists under a condition"):
        train(few_shot(choices=("kernel",)), net=elastic_net())
    with pytest.raises(UsageError, match="split 3 times in succession, but only 2"):
        train(gm_nas(epochs=(1, 1, 1, 1)))
    with pytest.raises(UsageError, match="two or more"):
        gm_nas(epochs=(1,))
    with pytest.raises(UsageError, match="'final', 'never'"):
        gm_nas(restart="sometimes")  # type: ignore[arg-type]


def test_leaves_are_as_many_as_the_choices_have_joint_options() -> None:
    net = elastic_net()
    always = [choice.name for choice in net.space.choices if choice.when is None and len(choice) > 1]
    for choices in (None, (always[-1],), tuple(always[:2])):
        joint = math.prod(len(net.space.allowed(name)) for name in choices or always[:1])
        assert len(few_shot(choices=choices, transfer=False).on(net.space).phases) == joint
        assert len(few_shot(choices=choices).adapted(net).module.copies) == joint


def test_the_default_split_is_the_edge_of_the_official_code() -> None:
    adapted = few_shot().adapted(zoo.nasbench201(channels=4, cells=1))
    SplitByOption(None)(Entry(executor(adapted, SQUARES), seed=0))
    assert [space.allowed("1<-0") for space in adapted.module.spaces] == [
        (op,) for op in ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    ]
    assert [space.size for space in adapted.module.spaces] == [3125] * 5


# -- K-shot -------------------------------------------------------------------------------------------------------


def test_k_shot_trains_weights_and_codes_in_turn() -> None:
    recipe = k_shot(k=2)
    net = recipe.adapted(operations_net())
    run = executor(net, SQUARES, weights=recipe.weights)
    run.begin()
    seen = []
    for move in recipe.program.moves(step(net, 0)):
        before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
        run.execute(move, step(net, 0))
        moved = [name for name, tensor in net.state_dict().items() if not torch.equal(tensor, before[name])]
        seen.append({"statistics" if "running" in name or "num" in name else name.split(".")[1] for name in moved})
    assert seen == [{"copies", "statistics"}, {"simplex"}]


def test_entropy_keeps_codes_apart_from_the_corners() -> None:
    def entropy(weight: float) -> float:
        recipe = k_shot(k=3, entropy=weight, code_rate=1.0, learning_rate=0.3)
        net = fit(operations_net(), recipe, DIGITS, steps=60, batch_size=32, accelerator="cpu", progress=False).net
        total = 0.0
        for arch in net.space.enumerate():
            with net.active(arch), torch.no_grad():
                total += net.module.entropy().item()
        return total / net.space.size

    assert entropy(0.3) > 0.9 * math.log(3)
    assert entropy(0.0) < 0.5 * math.log(3), "there would be nothing to keep apart"


def test_k_shot_needs_sensible_numbers() -> None:
    for options, said in (({"code_rate": 0.0}, "rate=0.0"), ({"entropy": -1.0}, "entropy=-1.0")):
        with pytest.raises(UsageError, match=said):
            k_shot(**options)
    with pytest.raises(UsageError, match="0 copies"):
        train(k_shot(k=0))
