"""Judging a run: where the architecture stands that its method has derived."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from small_runs import trained_run
from supernet.io.config import Judging, Named, Training
from supernet.judge import Truth, read_truth_file, write_csv
from supernet.runs.judge import judge
from supernet.runs.run import Run

pytestmark = pytest.mark.slow  # whole runs

DARTS: dict[str, Any] = {"method": Named("darts"), "data": Named("digits", {"validation": 0.5})}


@pytest.fixture(scope="module")
def derived_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DARTS training. Judged anew by every test."""
    return trained_run(tmp_path_factory.mktemp("darts") / "r", **DARTS).directory.path


def test_a_table_tells_where_the_derived_architecture_stands(derived_run: Path, tmp_path: Path) -> None:
    run = Run.open(derived_run)
    archs, arch = list(run.net.space.enumerate()), run.derived
    assert arch is not None
    assert arch.options() == json.loads((derived_run / "derived.json").read_text())["decisions"]
    values = np.random.default_rng(1).permutation(len(archs)) / 10
    write_csv(Truth.of(archs, values), tmp_path / "truth.csv")
    report = judge(run.asking(judge=Judging(table=str(tmp_path / "truth.csv"), archs=3)))
    ours = values[archs.index(arch)]
    assert report.derived is not None
    assert (report.n, report.derived.n) == (3, len(archs))  # ranked among all, scored or not
    assert (report.derived.true, report.derived.rank) == (pytest.approx(ours), 1 + int((values > ours).sum()))
    assert json.loads((derived_run / "judge.json").read_text())["derived"]["rank"] == report.derived.rank
    others = [other for other in archs if other != arch]
    report = judge(run, Truth.of(others, values[: len(others)]))
    assert report.derived is None
    assert "holds no accuracy of" in report.omitted["derived"]


def test_with_trainings_alone_it_is_trained_alone_too(derived_run: Path) -> None:
    run = Run.open(derived_run).asking(judge=Judging(retrain=4, retrain_steps=3))
    arch = run.derived
    assert arch is not None
    report = judge(run)
    kept = read_truth_file(derived_run / "retrained.jsonl", run.net.space)
    assert report.n == 4
    assert arch in kept
    assert report.derived is not None
    (ours,) = kept.lookup([arch])
    assert report.derived.true == ours
    assert report.derived.rank == 1 + int((kept.mean > ours).sum())
    assert report.derived.n == len(kept) == (4 if arch in report.archs else 5)


def test_a_method_that_derives_nothing_has_no_such_figures(tmp_path: Path) -> None:
    run = trained_run(tmp_path / "r")
    archs = list(run.net.space.enumerate())
    report = judge(run, Truth.of(archs, np.arange(len(archs)) / 10))
    assert (run.derived, report.derived, "derived" in report.omitted) == (None, None, False)


def test_a_surrogate_speaks_for_architectures_that_were_not_trained(tmp_path: Path) -> None:
    told: list[str] = []
    space = {"space": Named("nasbench201", {"channels": 4, "cells": 1})}
    run = trained_run(tmp_path / "r", **DARTS | space)
    run = Run.open(run.directory.path, told.append)
    report = judge(run.asking(judge=Judging(table="nasbench201_digits", surrogate=50, archs=5)))
    assert "surrogate of 320 architectures, held out: τ" in " ".join(told)
    assert report.n == 5
    assert report.derived is not None
    assert report.derived.n in (50, 51)
    assert report.mass is not None
    assert report.mass.quantity.endswith("estimated by 50 draws")
    said = json.loads((run.directory.path / "judge.json").read_text())["truth"]
    assert "predicted by a surrogate of 320 architectures" in said
    again = judge(run.asking(judge=Judging(table="nasbench201_digits", surrogate=50, archs=5)))
    assert again.archs == report.archs


def test_trainings_alone_have_the_batches_and_the_arithmetic_of_the_supernet(tmp_path: Path) -> None:
    asked = Training(steps=4, batch_size=16, micro_batch=8, precision="bf16-mixed", accelerator="cpu", monitor_every=0)
    run = trained_run(tmp_path / "r", train=asked)

    def settings(run: Run) -> dict[str, Any]:
        judge(run.asking(judge=Judging(retrain=3, retrain_steps=1)))
        (head, *_) = (run.directory / "retrained.jsonl").read_text().splitlines()
        (run.directory / "retrained.jsonl").unlink()
        found: dict[str, Any] = json.loads(head)["settings"]
        return {name: found.get(name) for name in ("batch_size", "micro_batch", "precision")}

    assert settings(run) == {"batch_size": 16, "micro_batch": 8, "precision": "bf16-mixed"}
    told = json.loads((run.directory / "training.json").read_text())
    (run.directory / "training.json").write_text(json.dumps(told | {"batch_size": 32}))  # that of two processes
    assert settings(run) == {"batch_size": 32, "micro_batch": 8, "precision": "bf16-mixed"}
    several = replace(run.config, train=replace(asked, micro_batch=None, precision="32-true"))
    assert settings(replace(run, config=several)) == {"batch_size": 32, "micro_batch": 16, "precision": None}
    (run.directory / "training.json").write_text(json.dumps(told | {"batch_size": 16 * 100}))  # that of a hundred
    assert settings(run)["batch_size"] == len(run.data.train) < 16 * 100
