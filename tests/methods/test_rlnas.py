"""RLNAS: labels are random, subnets rank by the angle, and whatever follows the training knows it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from command_line import supernet
from method_trials import on_digits, published, squares, train
from small_nets import operations_net
from supernet import Supernet
from supernet.data import Augment
from supernet.data.derived.random_labels import RandomLabelled
from supernet.io.config import Config, Judging, Named, Searching, Training
from supernet.judge import RankAlong, Truth, rank_report
from supernet.measure import NetEvaluator, Subnet
from supernet.methods import rlnas, spos
from supernet.methods.single_path import rlnas as module
from supernet.methods.single_path.rlnas import (
    DARTS_CIFAR,
    DARTS_IMAGENET,
    NAS_BENCH_201,
    NAS_BENCH_201_SEARCH,
    SEARCH,
    WEIGHTS,
)
from supernet.runs.fitting import monitors_of
from supernet.runs.run import Run
from supernet.search import Evolution, evolution
from supernet.train import (
    Angle,
    Cosine,
    CrossEntropy,
    Linear,
    Recipe,
    SubnetScores,
    Trained,
    TrainPaths,
    Uniform,
    fit,
    sgd,
)
from supernet.train.executor import Executor
from supernet.train.health import warnings_of
from supernet.train.move import Move
from supernet.train.samplers.strict_fair import StrictFair
from supernet.train.step import Step

FEW = ("few_shot", "gm_nas", "k_shot")  # they make several sets of weights, and one part holds initial weights of one


def went(trained: Trained) -> float:
    """The smallest angle of five subnets; 0 before the training."""
    rng = np.random.default_rng(0)
    archs = [trained.net.space.sample(rng) for _ in range(5)]
    return min(Angle()(Subnet(trained.net, arch, trained.parts)) for arch in archs)


TRIALS = {
    "rlnas": lambda: replace(
        on_digits(rlnas().with_weights(lr=0.1, per=None), operations_net()), measure=went, least=0.1
    ),
}
ALTERNATIVES = {
    "labels": 1,
    "sampler": Uniform(2),
    "score": None,
    "label_smoothing": 0.2,
    "weights": sgd(0.1),
}
SETTINGS = {"labels": 0, "sampler": Uniform(), "score": Angle()}
SMOOTHING = 0.1
REFUSED_BY = frozenset(FEW)


def test_defaults_are_those_of_the_released_code() -> None:
    told = published(rlnas().weights)
    assert told == {
        "lr": 0.25,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 4e-5,
        "per": 512,
        "clip": None,
        "inactive": "decay",
        "decay_vectors": False,
        "end": 0.002,
    }
    assert rlnas().weights.clip_value == 5.0
    assert 0.25 * told["end"] == 5e-4
    bench = published(NAS_BENCH_201)
    assert (bench["lr"], bench["nesterov"], bench["weight_decay"]) == (0.025, True, 5e-4)
    assert 0.025 * bench["end"] == pytest.approx(1e-3)
    cifar = published(DARTS_CIFAR)
    assert (cifar["lr"], cifar["weight_decay"], cifar["clip"], cifar["end"]) == (0.025, 3e-4, 5.0, 0.04)
    assert cifar["decay_vectors"]
    assert bench["inactive"] == cifar["inactive"] == "decay"
    imagenet = published(DARTS_IMAGENET)
    assert imagenet == {**told, "lr": 0.1, "per": None, "end": 0.005}, "all else as on the MobileNet space"
    assert DARTS_IMAGENET.clip_value == 5.0
    assert isinstance(DARTS_IMAGENET.schedule, Linear)
    assert 0.1 * imagenet["end"] == 5e-4
    assert [type(updates.schedule) for updates in (WEIGHTS, NAS_BENCH_201, DARTS_CIFAR)] == [Linear, Cosine, Cosine]
    assert Evolution(population=50, parents=10, mutations=25, crossovers=25, mutation_p=0.1) == SEARCH
    assert Evolution(population=100, parents=30, mutations=50, crossovers=50, mutation_p=0.1) == NAS_BENCH_201_SEARCH
    assert module.PAPER.arxiv == "2101.11834"


def test_settings_reach_what_they_set() -> None:
    recipe = rlnas(labels=3, label_smoothing=0.2, score=None)
    assert isinstance(recipe.program, TrainPaths)
    assert recipe.program.objective == CrossEntropy(0.2)
    assert (recipe.data, recipe.ranks_by) == (RandomLabelled(3), None)


# -- random labels -------------------------------------------------------------------------------------------------


def seen(monkeypatch: pytest.MonkeyPatch, recipe: Recipe, *, steps: int = 30) -> tuple[Trained, dict[bytes, set[int]]]:
    """A training, and the labels under which it saw each image."""
    labels: dict[bytes, set[int]] = {}
    original = Executor.execute

    def noting(self: Executor, move: Move, now: Step) -> Any:
        batch = self.batch(move.data)
        for image, label in zip(batch.x, batch.y.tolist(), strict=True):
            labels.setdefault(image.numpy().tobytes(), set()).add(label)
        return original(self, move, now)

    with monkeypatch.context() as patched:
        patched.setattr(Executor, "execute", noting)
        plain = replace(squares(), train=replace(squares().train, augment=Augment()))
        found = fit(operations_net(), recipe, plain, steps=steps, batch_size=16, accelerator="cpu", progress=False)
    return found, labels


def test_each_image_has_one_label_that_knows_nothing_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    true = {
        image.numpy().tobytes(): label
        for batch in squares().train.batches(16)
        for image, label in zip(batch.x, batch.y.tolist(), strict=True)
    }
    _, given = seen(monkeypatch, rlnas())
    assert set(given) == set(true)
    assert all(len(labels) == 1 for labels in given.values())
    right = np.mean([label in given[image] for image, label in true.items()])
    assert right < 0.25  # of 144 images, a tenth by chance
    _, other = seen(monkeypatch, rlnas(labels=1))
    same = np.mean([other[image] == given[image] for image in given])
    assert same < 0.25
    _, own = seen(monkeypatch, spos())
    assert all(own[image] == {label} for image, label in true.items())


def test_the_validation_labels_stay_true() -> None:
    found = rlnas().data(squares())  # type: ignore[misc]
    assert all(
        torch.equal(one.y, other.y)
        for one, other in zip(found.validation.batches(16), squares().validation.batches(16), strict=True)
    )


# -- the angle -----------------------------------------------------------------------------------------------------


def test_the_initial_weights_are_those_of_the_beginning(tmp_path: Path) -> None:
    before = {name: p.detach().clone() for name, p in operations_net().named_parameters()}
    for stop in (1, 4, 8):
        trained = train(rlnas(), out=tmp_path / "run", resume=True, stop_after=stop)
        initial = dict(trained.parts["initial"].named_parameters())
        assert all(torch.equal(initial["module." + name.removeprefix("module.")], p) for name, p in before.items())
    assert went(trained) > 0


def planted(net: Supernet, best: dict[str, str]) -> tuple[Supernet, dict[str, torch.nn.Module]]:
    """A net in which the weights of one option of each block have turned away, and its initial weights."""
    recipe = rlnas()
    trained = train(recipe, net=net, steps=1)
    for block in trained.net.modules():
        if hasattr(block, "choice"):
            with torch.no_grad():
                for name, candidate in block.candidates.items():  # type: ignore[union-attr]
                    for parameter in candidate.parameters():
                        parameter.mul_(-1 if name == best[block.choice.name] else 1)  # type: ignore[union-attr]
    return trained.net, dict(trained.parts)


def test_a_search_by_angle_finds_the_subnet_that_has_turned_most() -> None:
    best = {"block0": "conv3", "block1": "conv1"}
    net, parts = planted(operations_net(), best)
    evaluator = NetEvaluator(net, squares().sealed(), score=Angle(), parts=parts)
    front = evolution(evaluator, objectives="angle", budget=9, seed=0)
    archs = net.space.wrap(net.space.unindex(range(net.space.size)))
    angles = {arch: Angle()(Subnet(net, arch, parts)) for arch in archs}
    found = front.best("angle")
    assert found.arch == max(angles, key=angles.__getitem__)
    assert found.arch.options() == best
    assert found.values["angle"] == angles[found.arch]


def test_the_evaluator_measures_anew_where_a_weight_has_changed() -> None:
    net, parts = planted(operations_net(), {"block0": "conv3", "block1": "conv1"})
    evaluator = NetEvaluator(net, squares().sealed(), score=Angle(), parts=parts)
    arch = net.space.largest()
    before = evaluator.evaluate(arch, ["angle"])["angle"]
    assert evaluator.value(arch) == before
    with torch.no_grad():
        next(net.parameters()).mul_(-1)
    assert evaluator.value(arch) > before


def test_a_judgement_by_angle_ranks_by_it() -> None:
    net, parts = planted(operations_net(), {"block0": "conv3", "block1": "conv1"})
    archs = net.space.wrap(net.space.unindex(range(net.space.size)))
    angles = [Angle()(Subnet(net, arch, parts)) for arch in archs]
    truth = Truth.of(archs, angles)
    report = rank_report(net, squares(), truth, by=Angle(), parts=parts)
    assert report["kendall_tau"].supernet.value == pytest.approx(1)
    assert "ranking by angle" in report.verdict()
    assert report.to_json()["score"]["name"] == "angle"
    by_accuracy = rank_report(net, squares(), truth)
    assert by_accuracy["kendall_tau"].supernet.value < 0.9
    assert "by angle" not in by_accuracy.verdict()
    follow = RankAlong(squares(), truth, every=1, by=Angle())
    row = follow(Step(0, 1, net, np.random.default_rng(0), parts))
    assert row["rank/kendall_tau"] == pytest.approx(1)
    assert row["rank/angle_std"] == pytest.approx(np.std(angles))


# -- from the command line -----------------------------------------------------------------------------------------


def configured(**sections: Any) -> Config:
    settings: dict[str, Any] = {
        "space": Named("small_nets:operations_net"),
        "method": Named("rlnas", {"weights.lr": 0.01}),
        "train": Training(steps=4, batch_size=32, accelerator="cpu", monitor_every=2),
        "search": Searching(searcher="random", budget=5, calibration_images=32, validation_images=40),
        "judge": Judging(),
    }
    return Config(**settings | sections)


def test_accuracy_is_not_followed_and_a_loss_by_chance_is_no_collapse(tmp_path: Path) -> None:
    run = Run.create(configured(), tmp_path / "run")
    assert not any(isinstance(monitor, SubnetScores) for monitor in monitors_of(run))
    log = [{"step": step, "loss": np.log(10)} for step in range(20)]
    trained = fit(
        operations_net(),
        rlnas(),
        squares(),
        steps=2,
        batch_size=16,
        accelerator="cpu",
        progress=False,
        out=tmp_path / "a",
    )
    assert trained.steps == 2
    chance = json.loads((tmp_path / "a" / "training.json").read_text())["chance"]
    assert chance is None
    assert warnings_of(log, 10, chance=chance) == []
    train(spos(), steps=2, out=tmp_path / "b")
    known = json.loads((tmp_path / "b" / "training.json").read_text())["chance"]
    assert len(warnings_of(log, 10, chance=known)) == 1


@pytest.mark.slow
def test_a_run_is_trained_searched_and_judged_by_angle(tmp_path: Path) -> None:
    out = tmp_path / "run"
    space = (
        "--space",
        "small_nets:operations_net",
        "--method",
        "rlnas",
        "-M",
        "weights.lr=0.1",
        "-M",
        "weights.per=none",
    )
    short = ("--steps", 12, "--batch-size", 32, "--monitor-every", 4, "--accelerator", "cpu")
    done = supernet("train", *space, *short, "--data", "digits", "--out", out)
    assert done.code == 0, done.err
    assert "warning" not in done.out + done.err
    found = supernet("search", out, "--searcher", "random", "--budget", 5)
    assert found.code == 0, found.err
    assert "rlnas ranks subnets by angle" in found.out + found.err
    front = json.loads((out / "front.json").read_text())
    assert [objective["name"] for objective in front["objectives"]] == ["angle", "macs"]
    assert all(0 < point["values"]["angle"] < np.pi for point in front["points"])
    judged = supernet("judge", out, "--retrain", 5, "--retrain-steps", 4)
    assert judged.code == 0, judged.err
    told = json.loads((out / "judge.json").read_text())
    assert told["score"]["name"] == "angle"
    scores = [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()[1:]]
    by_arch = {json.dumps(point["arch"], sort_keys=True): point["values"]["angle"] for point in front["points"]}
    assert all("angle" in score for score in scores)
    assert by_arch
    assert supernet("report", out).code == 0
    (file,) = out.glob("*.html")
    page = file.read_text(encoding="utf-8")
    assert "The method ranks by angle" in page
    again = supernet("judge", out, "--retrain", 5, "--retrain-steps", 4)
    assert again.code == 0, again.err
    assert [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()[1:]] == scores


@pytest.mark.slow
def test_without_a_score_the_run_ranks_by_accuracy(tmp_path: Path) -> None:
    run = Run.create(configured(method=Named("rlnas", {"score": None})), tmp_path / "run")
    assert run.recipe.ranks_by is None
    run = Run.create(configured(method=Named("rlnas", {"score.identity": "eye"})), tmp_path / "other")
    assert run.recipe.ranks_by == Angle(identity="eye")


def test_other_samplers_take_its_place() -> None:
    assert rlnas(sampler=StrictFair()).program.sampler == StrictFair()  # type: ignore[union-attr]
