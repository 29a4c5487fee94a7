"""BossNAS: targets before paths and without a gradient, stages one after another, ratings by brute force."""

from __future__ import annotations

import copy
import itertools
import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from method_trials import digits, published, squares, train
from small_nets import executor, operations_net, sgd, step
from staged_nets import STAGES, staged_net
from supernet import Arch, Supernet, zoo
from supernet.data import Augment, ImageData
from supernet.data import digits as load_digits
from supernet.data.derived.viewed import Viewed
from supernet.data.derived.viewed_by import ViewedBy
from supernet.data.derived.views import Views
from supernet.data.view_augment import BYOL_FIRST, BYOL_SECOND, WEAK
from supernet.errors import UsageError
from supernet.measure import NetEvaluator
from supernet.measure.scores.score import Subnet
from supernet.methods import bossnas, dynas, few_shot, mean_teacher, sum_nas
from supernet.methods.blockwise.bossnas import DECAY, NATS, WEIGHTS
from supernet.nn.stage_modules import stage_names, stages_module
from supernet.nn.stage_paths import StagePaths
from supernet.search import Traversal, run
from supernet.train import Distinct, Ramp, RateStage, Recipe, Step, StrictFair, Trained, fit
from supernet.train.executor import Executor
from supernet.train.laws import Trial
from supernet.train.move import Move, Outcome
from supernet.train.objectives.ensemble_prediction import EnsemblePrediction
from supernet.train.parts.siamese_heads import SiameseHeads, end_shapes
from supernet.train.parts.stage_ratings import StageRatings
from supernet.train.programs.bootstrap_stage import BootstrapStage
from supernet.train.state import TrainingState

NET = staged_net
SHORT = {
    "stages": 3,
    "sampler": Distinct(2),
    "pairs": 2,
    "views": None,
    "hidden": 32,
    "features": 16,
    "images": 32,
}


def small(**options: Any) -> Recipe:
    """For `staged_net`, at a learning rate for small batches."""
    return bossnas(**{**SHORT, "weights": sgd(0.1, momentum=0.9), **options})


def hybrid() -> Supernet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return zoo.hytra(
            variant="tiny", num_classes=10, in_channels=1, image_size=8, widths=(8, 16, 32), depths=(2, 1, 1)
        )


def shifted() -> ImageData:
    return load_digits(augment=Augment(shift=1.0))


def fallen(trained: Trained) -> float:
    """By what factor the loss of the last stage fell from what unrelated vectors have, 4 over both views."""
    return 4 / trained.history[-1]["loss"]


TRIALS = {
    "bossnas": lambda: Trial(
        recipe=small(), net=staged_net(), data=shifted(), steps=60, measure=fallen, least=2.0, watched=6
    ),
    "bossnas, hytra": lambda: Trial(
        recipe=small(earlier="trained"), net=hybrid(), data=shifted(), steps=60, measure=fallen, least=2.0, watched=6
    ),
    "bossnas, fair": lambda: Trial(
        recipe=small(sampler=StrictFair(), pairs=1),
        net=staged_net(),
        data=shifted(),
        steps=60,
        measure=fallen,
        least=2.0,
        watched=6,
    ),
}
ALTERNATIVES = {
    "stages": 3,
    "sampler": StrictFair(),
    "pairs": 2,
    "views": None,
    "decay": 0.9,
    "earlier": "trained",
    "hidden": 64,
    "features": 32,
    "images": 100,
    "stage_weights": (1.0, 1.0, 2.0, 1.0),
    "weights": NATS,
}
SETTINGS = {
    "stages": 4,
    "sampler": Distinct(4),
    "pairs": 4,
    "views": (BYOL_FIRST, BYOL_SECOND),
    "decay": Ramp(0.99, 1.0, shape="cosine"),
    "earlier": "frozen",
    "hidden": 4096,
    "features": 256,
    "images": None,
    "stage_weights": None,
}
REFUSED_BY = {"few_shot", "gm_nas", "k_shot", "mean_teacher", "distilled", "dynas", "sum_nas"}


# -- published settings --------------------------------------------------------------------------------------------


def test_the_optimiser_is_that_of_the_released_code() -> None:
    for updates, lr in ((WEIGHTS, 4.8), (NATS, 0.48)):
        found = published(updates)
        assert (found["lr"], found["momentum"], found["weight_decay"], found["per"]) == (lr, 0.9, 1e-6, 4096)
        optimiser: Any = updates.optimiser
        assert (optimiser.trust, optimiser.adapt_vectors, found["end"]) == (0.001, False, 0.0)


def test_warm_up_cosine_and_average_begin_anew_with_each_stage() -> None:
    net, phases = staged_net(), bossnas().phases
    assert [phase.name for phase in phases] == [f"stage {k}" for k in range(4)]
    assert all(
        phase.restart and phase.part == (0.0, 1.0) and phase.share == 1 and not phase.updates for phase in phases
    )

    def factor(index: int) -> float:
        return WEIGHTS.schedule(step(net, index, total=600), [])

    assert factor(0) == pytest.approx(1e-4)
    assert factor(50) == pytest.approx((1e-4 + (1 - 1e-4) / 2) * (1 + math.cos(math.pi * 50 / 600)) / 2)
    assert factor(100) == pytest.approx((1 + math.cos(math.pi / 6)) / 2), "one epoch of six"
    assert NATS.schedule(step(net, 24, total=600), []) == pytest.approx((1 + math.cos(math.pi * 24 / 600)) / 2)
    for index in (0, 150, 599):
        expected = 1 - (1 - 0.99) * (math.cos(math.pi * index / 599) + 1) / 2
        assert DECAY(step(net, index, total=600)) == pytest.approx(expected)


def test_each_path_sees_a_pair_of_the_published_views() -> None:
    assert bossnas(pairs=2).data == ViewedBy((BYOL_FIRST, BYOL_SECOND) * 2)
    assert bossnas(pairs=2, views=None).data == Viewed(4)
    (phase, *_) = bossnas(views=(WEAK, BYOL_FIRST)).phases
    assert phase.leave.views == (WEAK, BYOL_FIRST)  # type: ignore[union-attr]


# -- a step, by hand -----------------------------------------------------------------------------------------------


def prepared(**options: Any) -> tuple[Recipe, TrainingState, Executor, Step]:
    net = staged_net()
    recipe = small(**options)
    state = TrainingState(net, recipe, seed=0, batch_size=16)
    run = executor(net, Viewed(4)(shifted()), recipe=recipe)
    run.steppers = state.steppers
    now = Step(3, 10, net, np.random.default_rng(0), runner=run, parts=state.parts)
    return recipe, state, run, now


def test_paths_predict_the_ensemble_of_all_paths_on_the_other_view() -> None:
    """The losses of a move by the formulas of the paper, on copies of everything."""
    recipe, state, run, now = prepared()
    with torch.no_grad():  # else both networks are alike
        for part in (state.parts["target"], state.parts["heads"].targets):  # type: ignore[union-attr]
            for parameter in part.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    (move,) = [m for m in recipe.phases[0].program.moves(now) if isinstance(m, Move)]
    assert move.families == ("weights", "heads")
    archs = [path.decisions for path in move.paths]
    assert len(set(archs)) == 2
    online, target = copy.deepcopy(run.net), copy.deepcopy(state.parts["target"])
    heads = copy.deepcopy(state.parts["heads"])
    views = run.batch("train").x
    stage = [["stem", "one"]]

    def z(net: Any, projector: nn.Module, arch: Any, view: str) -> Tensor:
        with net.active(arch):
            return projector(stages_module(net, stage)(views[view]))  # type: ignore[index]

    ensembles = []
    for side in (1, 2):
        vectors = [z(target, heads.targets[0], arch, f"view{2 * k + side}") for k, arch in enumerate(archs)]  # type: ignore[union-attr,index]
        ensembles.append(sum(v / v.norm(dim=1, keepdim=True) for v in vectors) / 2)
    losses = []
    for k, arch in enumerate(archs):
        loss = torch.zeros(())
        for side, other in ((1, 2), (2, 1)):
            p = heads.predictors[0](z(online, heads.projectors[0], arch, f"view{2 * k + side}"))  # type: ignore[union-attr,index]
            e = ensembles[other - 1]
            loss = loss + (2 - 2 * (p * e).sum(1) / (p.norm(dim=1) * e.norm(dim=1))).mean()
        losses.append(float(loss.detach()))
    assert run.execute(move, now).losses == pytest.approx(losses, rel=1e-5)
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)


def test_targets_come_first_and_no_gradient_reaches_them(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, state, run, now = prepared()
    order: list[str] = []
    original = Executor.forward

    def watched(self: Executor, target: Any, batch: Any, *, net: Any = None, **more: Any) -> Any:
        order.append("online" if net is None else "target")
        found = original(self, target, batch, net=net, **more)
        assert found.logits.requires_grad == (net is None)
        return found

    monkeypatch.setattr(Executor, "forward", watched)
    seen: list[Outcome] = []
    original_loss = EnsemblePrediction.__call__

    def noting(self: EnsemblePrediction, outcome: Outcome) -> Tensor:
        seen.append(outcome)
        return original_loss(self, outcome)

    monkeypatch.setattr(EnsemblePrediction, "__call__", noting)
    before = {name: p.clone() for name, p in state.parts["target"].named_parameters()}
    (move,) = [m for m in recipe.phases[0].program.moves(now) if isinstance(m, Move)]
    run.execute(move, now)
    assert order == ["target"] * 4 + ["online"] * 4, "both views of both paths"
    assert all(not part.requires_grad for outcome in seen for part in outcome.given["ensemble"])
    assert seen[0].given["ensemble"][0] is seen[1].given["ensemble"][0], "one ensemble for all paths"
    for name, parameter in state.parts["target"].named_parameters():
        assert not parameter.requires_grad
        assert torch.equal(parameter, before[name])
    heads: Any = state.parts["heads"]
    assert not any(p.requires_grad for p in heads.targets.parameters())
    assert not {id(p) for p in heads.targets.parameters()} & {id(p) for p in run.steppers["heads"].parameters}
    assert run.backwards == 4, "two views of two paths"


class Runs:
    """Counts the calls of the modules of a network."""

    def __init__(self, net: Supernet, names: tuple[str, ...]) -> None:
        self.calls: Counter[str] = Counter()
        for name in names:
            net.module.get_submodule(name).register_forward_hook(lambda *_, name=name: self.calls.update([name]))


def test_a_step_runs_one_stage_and_those_before_it() -> None:
    recipe, state, run, now = prepared()
    ratings: Any = state.parts["ratings"]
    ratings.add([(0,)], [0.0], run.net.space.smallest().code)
    runs = Runs(run.net, ("one", "two", "three", "head"))
    (move,) = [m for m in recipe.phases[1].program.moves(now) if isinstance(m, Move)]
    run.execute(move, now)
    assert runs.calls == {"one": 4, "two": 4}


@pytest.mark.parametrize("earlier", ["frozen", "trained"])
def test_earlier_stages_are_frozen_or_trained_on(earlier: str) -> None:
    recipe, state, run, now = prepared(earlier=earlier)
    ratings: Any = state.parts["ratings"]
    best = run.net.space.arch({"a": "conv3", "b": "conv1", "c": "conv1", "d": "conv1"})
    ratings.add([(0,)], [0.0], best.code)
    before = copy.deepcopy(run.net.module.state_dict())
    (move,) = [m for m in recipe.phases[1].program.moves(now) if isinstance(m, Move)]
    assert all(path.decisions["a"] == "conv3" for path in move.paths)  # type: ignore[call-overload]
    run.execute(move, now)
    changed = {name for name, p in run.net.module.named_parameters() if not torch.equal(p, before[name])}
    assert any(name.startswith("two") for name in changed)
    assert any(name.startswith(("stem", "one.candidates.conv3")) for name in changed) == (earlier == "trained")
    assert not any(name.startswith(("three", "head", "one.candidates.conv1")) for name in changed)


# -- the average ---------------------------------------------------------------------------------------------------


class Averages:
    """A monitor that keeps a weight of both networks and of both projectors after every step."""

    every = 1

    def __init__(self) -> None:
        self.seen: list[list[float]] = []

    def __call__(self, now: Step) -> dict[str, float]:
        heads, target = now.part("heads", SiameseHeads), now.part("target", Supernet)
        of = [now.net, target, heads.projectors, heads.targets]
        self.seen.append([float(next(module.parameters()).detach().double().sum()) for module in of])
        return {}


def test_the_average_follows_by_a_share_that_begins_anew_with_each_stage() -> None:
    watch = Averages()
    train(small(decay=Ramp(0.5, 1.0)), net=staged_net(), steps=12, monitors=[watch])
    shares = [0.5, 1 - 1 / 3, 1 - 1 / 6, 1.0] * 3  # a linear ramp over four steps
    for t in range(1, 12):
        for online, average in ((0, 1), (2, 3)):
            before, now = watch.seen[t - 1], watch.seen[t]
            expected = shares[t] * before[average] + (1 - shares[t]) * now[online]
            assert now[average] == pytest.approx(expected, abs=1e-5)


# -- ratings -------------------------------------------------------------------------------------------------------


def trained_once(recipe: Recipe, net: Supernet, *, steps: int = 9) -> Trained:
    return fit(net, recipe, shifted(), steps=steps, batch_size=16, accelerator="cpu", progress=False)


def statistics(modules: nn.Module, views: list[Tensor]) -> None:
    """Leave in its batch norms the plain average of the statistics of the views."""
    for layer in modules.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.reset_running_stats()
            layer.momentum = None
            layer.train()
    for view in views:
        modules(view)
    modules.eval()


@pytest.mark.parametrize("views", [None, (BYOL_FIRST, BYOL_SECOND)])
def test_ratings_are_the_distances_from_the_centre_by_brute_force(views: Any) -> None:
    """Of the last stage, on copies: nothing has been trained since."""
    if views is not None:
        pytest.importorskip("torchvision")
    trained = trained_once(small(views=views), staged_net())
    ratings, heads, target = (copy.deepcopy(trained.parts[name]) for name in ("ratings", "heads", "target"))
    assert isinstance(ratings, StageRatings)
    data = trained.recipe.data(shifted())  # type: ignore[misc]
    stored = next(data.train.stream(16, seed=0)).x
    stored = [stored["view1"], stored["view2"]]
    best = trained.net.space.wrap(ratings.best[1][None].numpy())[0]
    space = StagePaths(trained.net, STAGES).of(2, trained.net.space, best)
    archs = list(space.enumerate())
    batches = list(Views(data.validation, 2, views or ()).drawn_once(16, seed=0, limit=32))

    def said(net: Any, last: nn.Module, arch: Arch) -> list[list[Tensor]]:
        own = copy.deepcopy(net).eval()
        own.calibrated_for = None
        before, path = stages_module(own, STAGES[:2]), nn.Sequential(stages_module(own, STAGES[2:]), last)
        with torch.no_grad(), own.active(arch):
            statistics(before, stored)
            statistics(path, [before(view) for view in stored])
            return [[path(before(view)) for view in batch.x.values()] for batch in batches]  # type: ignore[union-attr]

    targets = [said(target, copy.deepcopy(heads.targets[2]), arch) for arch in archs]  # type: ignore[union-attr,index]
    centres = [[sum(t[b][s] for t in targets) / len(archs) for s in (0, 1)] for b in range(len(batches))]
    for arch, value in zip(archs, ratings.values[2].tolist(), strict=True):
        last = nn.Sequential(copy.deepcopy(heads.projectors[2]), copy.deepcopy(heads.predictors[2]))  # type: ignore[union-attr,index]
        online = said(trained.net, last, arch)
        distances = [
            (2 - 2 * F.cosine_similarity(online[b][s], centres[b][1 - s])).mean()
            for b in range(len(batches))
            for s in (0, 1)
        ]
        assert value == pytest.approx(float(sum(distances)) / len(batches), rel=1e-4)
    values = ratings.values[2].tolist()
    assert len(set(values)) == len(archs)
    assert ratings.best[2].tolist() == list(archs[int(np.argmin(values))].code)


def test_of_paths_that_are_rated_alike_the_first_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RateStage, "_walked", lambda self, context, net, archs, *_: ([], [1.0] * len(archs)))
    trained = trained_once(small(), staged_net())
    assert trained.derived == next(iter(trained.net.space.enumerate()))


def test_rating_leaves_no_trace_in_the_networks() -> None:
    """The weights and statistics after the last step, with and without a rating."""
    recipe = small(stages=(STAGES[0], STAGES[1], STAGES[2]))
    unrated = replace(recipe, program=tuple(replace(p, leave=None) for p in recipe.phases[:1]), derive=None)
    rated = replace(recipe, program=recipe.phases[:1], derive=None)
    found = [trained_once(r, staged_net(), steps=3) for r in (rated, unrated)]
    states = [{**t.net.state_dict(), **t.parts["heads"].state_dict(), **t.parts["target"].state_dict()} for t in found]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def score(trained: Trained, arch: Arch) -> float:
    assert trained.recipe.ranks_by is not None
    return trained.recipe.ranks_by(Subnet(trained.net, arch, trained.parts))


def test_an_architecture_is_worth_the_sum_of_its_stages() -> None:
    trained = trained_once(small(stage_weights=(1.0, 2.0, 0.5)), staged_net())
    ratings: Any = trained.parts["ratings"]
    assert [len(values) for values in ratings.values] == [2, 4, 2]
    assert trained.space is not None
    assert trained.space.size == trained.net.space.size == 16, "all architectures are rated"
    tables = [
        dict(zip(map(tuple, p.tolist()), v.tolist(), strict=True))
        for p, v in zip(ratings.paths, ratings.values, strict=True)
    ]
    for arch in trained.net.space.enumerate():
        a, b, c, d = arch.code
        assert score(trained, arch) == pytest.approx(tables[0][a,] + 2 * tables[1][b, c] + 0.5 * tables[2][d,])
    best = min(trained.net.space.enumerate(), key=lambda arch: score(trained, arch))
    assert trained.derived == best


def test_a_route_is_kept_to_what_goes_on_from_the_best_path_and_all_of_that_is_rated() -> None:
    trained = trained_once(small(), hybrid())
    assert trained.space is not None
    assert trained.derived in trained.space
    assert 1 < trained.space.size < trained.net.space.size
    scores = {arch: score(trained, arch) for arch in trained.space.enumerate()}
    assert trained.derived is not None
    assert all(math.isfinite(value) for value in scores.values())
    outside = next(arch for arch in trained.net.space.enumerate() if arch not in trained.space)
    with pytest.raises(UsageError, match="was not rated"):
        score(trained, outside)
    # The best path of the last stage goes on from the best of those before it.
    ratings: Any = trained.parts["ratings"]
    ends = [trained.net.space.wrap(code[None].numpy())[0] for code in ratings.best]
    routes = [tuple(p for p in arch["route"] if p <= end) for arch, end in zip(ends, (2, 3, 4), strict=True)]
    for before, after in itertools.pairwise(routes):
        assert after[: len(before)] == before


@pytest.mark.parametrize(("build", "groups"), [(staged_net, 3), (hybrid, 1)])
def test_the_best_architecture_is_found_by_tables_alone(build: Any, groups: int) -> None:
    """Stages that a route goes through are looked up as one."""
    trained = trained_once(small(), build())
    evaluator = NetEvaluator(
        trained.net, shifted(), score=trained.recipe.ranks_by, parts=trained.parts, space=trained.space
    )
    assert evaluator.stages is not None
    assert len(evaluator.stages) == groups
    front = run(Traversal(best=2), evaluator, objectives="ensemble_distance", budget=20)
    assert trained.space is not None
    archs = sorted(trained.space.enumerate(), key=lambda arch: score(trained, arch))
    assert [one.arch for one in front.archive] == archs[:2]
    assert front.archive[0].arch == trained.derived


def test_a_training_that_is_stopped_derives_what_it_has_rated() -> None:
    def stopped(after: int) -> Trained:
        return fit(
            staged_net(),
            small(),
            shifted(),
            steps=9,
            batch_size=16,
            accelerator="cpu",
            progress=False,
            stop_after=after,
        )

    none, one = stopped(2), stopped(4)
    assert none.derived == none.net.space.smallest()
    ratings: Any = one.parts["ratings"]
    assert len(ratings.best) == 1
    assert one.derived is not None
    assert one.derived["a"] == one.net.space.wrap(ratings.best[0][None].numpy())[0]["a"]


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda: bossnas(stages=0), "0 stages"),
        (lambda: bossnas(pairs=0), "at least 1"),
        (lambda: bossnas(earlier="half"), "one of"),  # type: ignore[arg-type]
        (lambda: bossnas(images=1), "two or more"),
        (lambda: bossnas(hidden=0), "hidden width"),
        (lambda: bossnas(decay=1.5), "decay"),
        (lambda: mean_teacher(bossnas()), "cannot be gone around"),
        (lambda: few_shot(bossnas()), "parts beside it"),
        (lambda: dynas(bossnas()), "sampler"),
        (lambda: sum_nas(bossnas()), "exchanges the gradient"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_is_written(made: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        made()


@pytest.mark.parametrize(
    ("recipe", "net", "sentence"),
    [
        (lambda: small(stages=4), staged_net, "has 3. Give a number from 1 to 3"),
        (lambda: small(stages=2), staged_net, "'d' is read by none of the 2 stages"),
        (lambda: small(), operations_net, "does not say what its stages are"),
        (lambda: small(stages=(("stem",), ("one", "two"), ("three",))), staged_net, "Stage 0 has no choice"),
        (lambda: small(sampler=StrictFair()), hybrid, "only exists in some"),
    ],
)
def test_networks_that_do_not_suit_are_refused_before_the_training(recipe: Any, net: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        train(recipe(), net=net())


def test_a_stage_of_too_many_paths_is_refused() -> None:
    program = BootstrapStage(objective=EnsemblePrediction(stage=1), stages=3, most=3)
    with pytest.raises(UsageError, match="Stage 1 has 4 paths"):
        program.check(staged_net())


def test_images_in_one_view_are_refused() -> None:
    with pytest.raises(UsageError, match=r"see view1 and view2, but the batches hold one view"):
        train(replace(small(), data=None), net=staged_net())


# -- heads ---------------------------------------------------------------------------------------------------------


def test_heads_fit_every_map_that_a_stage_may_end_at() -> None:
    net = hybrid()
    shapes = end_shapes(net, stage_names(net))
    assert shapes == [[(8, 8), (16, 4), (32, 2)]] * 3
    heads = SiameseHeads(shapes, 8, 4)
    for channels, side in shapes[0]:
        assert heads.predicted(0, torch.randn(3, channels, side, side)).shape == (3, 4)
    with pytest.raises(UsageError, match="returned 5 channels"):
        heads.predicted(0, torch.randn(3, 5, 2, 2))
    assert end_shapes(staged_net(), STAGES) == [[(4, 4)], [(6, 4)], [(8, 2)]]


def test_targets_begin_as_the_projectors() -> None:
    heads = SiameseHeads([[(4, 4)], [(6, 4)]], 8, 4)
    for one, other in zip(heads.projectors.parameters(), heads.targets.parameters(), strict=True):
        assert torch.equal(one, other)
    assert 0.005 < float(heads.predictors[0][0].weight.detach().std()) < 0.02  # type: ignore[index,union-attr,operator,arg-type]


def test_ratings_come_back_from_a_state() -> None:
    ratings, other = StageRatings(), StageRatings()
    ratings.add([(0, 1), (1, 1)], [0.5, 0.25], (1, 1, 0))
    ratings.add([(0,)], [1.0], (1, 1, 0))
    other.load_state_dict(ratings.state_dict())
    assert (other.of(0, (1, 1)), other.of(0, (0, 0)), other.of(1, (0,))) == (0.25, None, 1.0)
    assert other.best[0].tolist() == [1, 1, 0]
    with pytest.raises(UsageError, match="Stage 2 has no ratings"):
        other.of(2, (0,))


def test_digits_of_the_laws_have_no_views_that_differ() -> None:
    """Why the trials augment: two views of an image that is never changed say nothing."""
    assert squares().name == "squares"
    batch = next(Views(digits().train, 2).stream(4, seed=0))
    assert torch.equal(*batch.x.values())  # type: ignore[union-attr]
