"""Few-shot NAS, GM-NAS and K-shot NAS together: resuming, what search and judge make of them, samplers in a leaf."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from method_trials import digits, split_by, train, vector
from small_nets import operations_net, step
from supernet import Arch, OpChoice, Supernet, measure, search
from supernet.errors import UsageError
from supernet.judge import Truth, rank_report
from supernet.methods import dynas, few_shot, gm_nas, k_shot, spos
from supernet.nn import Leaves
from supernet.train import (
    ComplexityAwareLR,
    EqualCost,
    Fixed,
    MomentumSeparation,
    OneGroup,
    PathDropout,
    Recipe,
    Sandwich,
    Step,
    StrictFair,
    Uniform,
    checkpoint,
    fit,
)
from supernet.train import Path as NetPath
from supernet.train.samplers.within import Within

FEW: dict[str, Any] = {"parent_epochs": 1, "leaf_epochs": 1}
GM: dict[str, Any] = {"epochs": (1, 1), "repeats": 2}

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


# -- search, judge, subnet-aware training -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipe", [few_shot(**FEW).with_weights(lr=0.3), gm_nas(**GM).with_weights(lr=0.3), k_shot(k=2)]
)
def test_search_and_judge_work_across_leaves(recipe: Recipe) -> None:
    net = fit(operations_net(), recipe, digits(), steps=60, batch_size=32, accelerator="cpu", progress=False).net
    front = search.random(net, digits(), objectives=("accuracy", "macs"), budget=9)
    evaluated = {record.arch for record in front.points}
    assert evaluated <= set(net.space.enumerate())
    for point in front.points:
        assert point.values["macs"] == measure.macs(net, point.arch)
        assert point.values["accuracy"] == pytest.approx(measure.scores(net, point.arch, digits()).accuracy)
    archs = list(net.space.enumerate())
    worth = Truth.of(archs, np.linspace(0.5, 0.9, len(archs)))
    report = rank_report(net, digits(), worth, n=len(archs), images=60)
    assert report.n == len(archs)
    assert len(np.unique(report.predicted)) > 1


@pytest.mark.parametrize("method", [few_shot, gm_nas, k_shot])
def test_subnet_aware_training_is_one_setting(method: Callable[..., Recipe]) -> None:
    given: dict[str, Any] = {few_shot: FEW, gm_nas: GM, k_shot: {"k": 2}}[method]
    ends = []
    for settings in ({}, {"schedule": ComplexityAwareLR()}, {"states": MomentumSeparation(choice="block1")}):
        trained = train(method(**given).with_weights(**settings), net=operations_net(), steps=12)
        ends.append(vector(trained.net))
    assert all((one - other).norm() > 1e-3 for one, other in ((ends[0], ends[1]), (ends[0], ends[2])))


# -- samplers within a leaf ---------------------------------------------------------------------------------------


def test_samplers_draw_uniformly_from_the_leaf_and_cover_it() -> None:
    net = split_by(operations_net(), ("block0",))
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
    for leaf, allowed in enumerate((("op0", "op3"), ("op1", "op2"))):
        paths = Within(StrictFair(), leaf).paths(step(Supernet(leaves), 3))
        assert Counter(arch["b0"] for arch in paths) == dict.fromkeys(allowed, 3)
        assert Counter(arch["b1"] for arch in paths) == dict.fromkeys(("op0", "op1", "op2"), 2)


@pytest.mark.parametrize("seed", range(4))
def test_momentum_is_separated_in_every_leaf(seed: int) -> None:
    """Whatever edge the seed draws: an optimiser state for each of the three options of the other block."""
    recipe = few_shot(dynas(), parent_epochs=1, leaf_epochs=1)
    groups: dict[int, set[int]] = defaultdict(set)
    states = recipe.weights.states
    assert states is not None

    @dataclass(frozen=True)
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
        assert train(few_shot(spos(sampler=sampler)), net=operations_net(), steps=8).steps == 8


def test_a_sampler_that_ignores_the_leaf_is_refused() -> None:
    net = split_by(operations_net(), ("block0",))
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
