"""NAT: an archive that grows, what is trained follows it, and a result that needs no training of its own."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from method_trials import on_digits, published, squares, train
from shifted_searches import blocks_net
from supernet import measure
from supernet.errors import UsageError
from supernet.measure import RBF, Calibration, Ridge, scores
from supernet.methods import nat
from supernet.methods.elastic.nat import CALIBRATION
from supernet.search import NSGA2, RandomSearch, pareto
from supernet.train import (
    CopyOfNet,
    Cosine,
    CrossEntropy,
    Distillation,
    FromFrequencies,
    Part,
    Trained,
    TrainPaths,
    Warmup,
    sgd,
)
from supernet.train.samplers.architecture_archive import ArchitectureArchive
from supernet.train.samplers.candidate_pool import candidates

SHORT: dict[str, Any] = {
    "rounds": 3,
    "initial": 6,
    "picks": 2,
    "keep": 5,
    "predictor": RBF(members=4),
    "members": 6,
    "queries": 24,
    "images": 32,
    "calibration": Calibration(images=32, batch_size=16),
}
WEAK = sgd(0.1, weight_decay=3e-4)


TRIALS = {
    "nat": lambda: on_digits(nat(**SHORT, weights=WEAK), blocks_net(), steps=90),
    "nat, three objectives and a teacher": lambda: on_digits(
        nat(**SHORT, objectives=("score", "macs", "params"), distillation=0.1, weights=WEAK), blocks_net(), steps=150
    ),
}
ALTERNATIVES = {
    "objectives": ("score", "params"),
    "rounds": 7,
    "initial": 50,
    "picks": 4,
    "keep": 20,
    "paths": 2,
    "predictor": Ridge(),
    "searcher": NSGA2(),
    "members": 50,
    "queries": 100,
    "images": 100,
    "calibration": Calibration(),
    "distillation": 1.0,
    "label_smoothing": 0.1,
    "weights": sgd(0.1),
}
SETTINGS = {
    "objectives": ("score", "macs"),
    "rounds": 30,
    "initial": 100,
    "picks": 8,
    "keep": 150,
    "paths": 4,
    "predictor": RBF(),
    "searcher": None,
    "members": 100,
    "queries": 2000,
    "images": None,
    "calibration": CALIBRATION,
    "distillation": 0.0,
}
REFUSED_BY = {"few_shot", "gm_nas", "k_shot"}
NET = blocks_net


def test_the_optimiser_is_the_one_that_others_used() -> None:
    assert published(nat().weights) == {
        "lr": 2.5e-3,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 3e-4,
        "per": None,
        "clip": 5.0,
        "inactive": "decay",
        "decay_vectors": True,
        "end": 0.0,
    }
    assert nat().weights.schedule == Warmup(5 / 150, Cosine(), start=0.04)  # type: ignore[attr-defined]
    assert (CALIBRATION.images, CALIBRATION.batch_size, CALIBRATION.mode) == (960, 96, "mean_of_batches")


def test_one_schedule_runs_through_all_rounds() -> None:
    phases = nat(rounds=4).phases
    assert [phase.part for phase in phases] == [(0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)]
    assert not any(phase.restart for phase in phases)
    assert [phase.leave is None for phase in phases] == [True, True, True, False]
    program = phases[0].program
    assert isinstance(program, TrainPaths)
    assert program.sampler == FromFrequencies(4)
    rates = [row["lr"] for row in trained(steps=12, log_every=1).history]
    assert rates[0] == pytest.approx(0.1 * 0.04)
    assert all(later <= earlier for earlier, later in pairwise(rates[1:]))
    assert rates[6] == pytest.approx(0.05)


def trained(*, steps: int = 9, weights: Any = None, **options: Any) -> Trained:
    settings = {name: options.pop(name) for name in [*options] if name in SETTINGS}
    weights = nat().weights.with_settings(lr=0.1) if weights is None else weights
    recipe = nat(**{**SHORT, **settings}, weights=weights)
    return train(recipe, net=blocks_net(), steps=steps, **options)


def test_the_archive_grows_by_the_picks_of_each_round() -> None:
    found = trained()
    archive = ArchitectureArchive(found.memory)
    assert len(archive) == 6 + 3 * 2
    assert len(set(archive.codes())) == len(archive)
    assert len(archive.kept()) == 5
    ends = {found.net.space.smallest().code, found.net.space.largest().code}
    assert ends <= set(archive.codes()[:6]), "the first archive has both ends"


def test_the_archive_ends_with_what_the_last_weights_are_worth() -> None:
    """Without a measurement after the last phase its scores would be those of older weights."""
    found = trained()
    archive = ArchitectureArchive(found.memory)
    for arch, told in zip(archive.archs(found.net.space), archive.values(), strict=True):
        assert set(told) == {"accuracy", "macs"}
        now = scores(found.net, arch, squares(), calibration=SHORT["calibration"], images=32)
        assert told["accuracy"] == now.accuracy
        assert told["macs"] == measure.macs(found.net, arch)


def test_the_result_is_the_front_of_the_archive() -> None:
    found = trained()
    archive = ArchitectureArchive(found.memory)
    losses = np.asarray([[-told["accuracy"], told["macs"]] for told in archive.values()])
    front = {code for code, on in zip(archive.codes(), pareto.nondominated(losses), strict=True) if on}
    result = candidates(found.net.space, found.memory)
    assert {candidate.arch.code for candidate in result} == front
    assert [candidate.rating for candidate in result] == sorted(losses[pareto.nondominated(losses), 0])
    assert {candidate.step for candidate in result} == {8}


def test_what_is_trained_follows_the_archive() -> None:
    """The only subnet that is kept skips every block, so no convolution of a block is ever trained."""
    net = blocks_net()
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    weights = nat().weights.with_settings(lr=0.1, inactive="freeze")
    recipe = nat(**{**SHORT, "keep": 1, "objectives": ("macs",), "rounds": 1, "initial": 81}, weights=weights)
    found = train(recipe, net=net, steps=20)
    assert ArchitectureArchive(found.memory).kept() == [(2, 2, 2, 2)]
    moved = {name for name, parameter in found.net.named_parameters() if not torch.equal(parameter, before[name])}
    assert moved == {name for name in before if "candidates" not in name}


def test_a_searcher_of_ones_own_asks_the_predictions() -> None:
    found = trained(searcher=RandomSearch(batch=8), predictor=Ridge())
    assert len(ArchitectureArchive(found.memory)) == 12


def test_the_teacher_is_the_largest_subnet_of_the_beginning() -> None:
    recipe = nat(**SHORT, distillation=0.5, label_smoothing=0.1)
    for phase in recipe.phases:
        assert isinstance(phase.program, TrainPaths)
        assert phase.program.objective == Distillation(weight=0.5, labels=CrossEntropy(0.1))
    assert recipe.parts == {"teacher": Part(build=CopyOfNet(dropout=False))}
    assert nat().parts == {}


def test_what_cannot_be_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(UsageError, match="0 rounds"):
        nat(rounds=0)
    with pytest.raises(UsageError, match="each once"):
        nat(objectives=("macs", "macs"))
    with pytest.raises(UsageError, match="'latency_ms' cannot steer a training"):
        nat(objectives=("score", "latency_ms"))
    with pytest.raises(UsageError, match="is no predictor"):
        nat(predictor=RBF)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="is no searcher"):
        nat(searcher=NSGA2)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="picks of the search for the archive is 0"):
        nat(picks=0)
    with pytest.raises(UsageError, match="'miou' is not a quantity"):
        trained(objectives=("miou", "macs"))


def test_passes_of_the_search_are_counted() -> None:
    recipe = nat(**{**SHORT, "rounds": 1}, paths=1, weights=WEAK)
    plain = replace(recipe, program=tuple(replace(phase, enter=None, leave=None) for phase in recipe.phases))
    few, more = (train(one, net=blocks_net(), steps=4).history[-1]["forwards"] for one in (plain, recipe))
    assert (few, more - few) == (4, (6 + 2 + 8) * (32 + 32) / 16)
