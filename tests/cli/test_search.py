"""`supernet search`: constraints, searchers, directories of its own, and what is begun again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from command_line import supernet
from quick_runs import QUICK
from small_nets import operations_net
from supernet import data, methods
from supernet.io.config import Searching
from supernet.judge import Truth, write_csv
from supernet.measure import cost_model
from supernet.runs.run import Run
from supernet.train import fit, load_candidates, load_weights

pytestmark = pytest.mark.slow  # whole runs, or processes of their own

Copied = Callable[..., Path]


def kept(run: Path) -> Searching:
    """The settings of the search on record."""
    return Run.open(run).config.search


def asked_for(run: Path) -> list[dict[str, object]]:
    """The architectures that were evaluated, in order."""
    return [json.loads(line)["arch"] for line in (run / "search.jsonl").read_text().splitlines()]


def test_it_tells_the_satisfiable_range_before_it_searches(trained: Path) -> None:
    done = supernet("search", trained, "--max", "macs=1", "--budget", 5)
    assert done.code == 2
    assert "macs" in done.err
    assert json.loads((trained / "space.json").read_text())["size"] == "15625"
    done = supernet("search", trained, "--max", "macs=300e3", "--budget", 6)
    assert done.code == 0, done.err
    assert done.out.index("of this space") < done.out.index("evaluated")
    for line in (trained / "search.jsonl").read_text().splitlines():
        assert json.loads(line)["values"]["macs"] <= 300e3


def test_one_training_serves_several_searches(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "other"
    options = ("--searcher", "evolution", "-R", "population=4", "-R", "parents=2", "--objectives", "accuracy")
    options = (*options, "-R", "mutations=2", "-R", "crossovers=2", "--seed", 7, "--budget", 8)
    scoring = ("--calibration", "ofa", "--validation-images", 50)
    done = supernet("search", trained, "--out", out, *options, *scoring, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert (found["run"], found["directory"], found["evaluations"]) == (str(trained), str(out), 8)
    assert found["points"] == json.loads((out / "front.json").read_text())["points"]
    assert "architectures evaluated" in done.err
    settings = kept(out)
    assert settings.searcher_options == {"population": 4, "parents": 2, "mutations": 2, "crossovers": 2}
    assert (settings.seed, settings.calibration, settings.validation_images) == (7, "ofa", 50)
    assert not (trained / "search.jsonl").exists()
    done = supernet("search", trained, "--out", out, "--resume", "--budget", 10)
    assert done.code == 0, done.err
    assert kept(out) == replace(settings, budget=10)
    assert len(asked_for(out)) == 10
    done = supernet("search", trained, "--out", out, "--resume", "--budget", 10, "--seed", 8)
    assert done.code == 2
    assert "search.seed = 7" in done.err


def test_workers_write_the_same_files(trained: Path, tmp_path: Path) -> None:
    options = ("--searcher", "random", "--budget", 6, "--validation-images", 40, "--calibration-images", 32)
    for name, more in (("alone", ()), ("spread", ("--workers", 2))):
        done = supernet("search", trained, "--out", tmp_path / name, *options, *more)
        assert done.code == 0, done.err
    alone, spread = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir() if path.is_file()}
        for name in ("alone", "spread")
    )
    assert alone == spread
    assert {"searching.json", "search.jsonl", "front.json"} <= alone.keys()


def test_latency_by_the_clock_is_not_measured_beside_workers(trained: Path) -> None:
    done = supernet("search", trained, "--objectives", "accuracy,latency_ms", "--budget", 2, "--workers", 2)
    assert done.code == 2
    assert "latency_ms is measured here by the clock" in done.err
    assert not (trained / "search.jsonl").exists()


def test_a_search_of_another_run_is_not_gone_on_with(trained: Path, trained_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "other"
    assert supernet("search", trained, "--out", out, "--searcher", "random", "--budget", 2).code == 0
    done = supernet("search", trained_run, "--out", out, "--resume")
    assert done.code == 2
    assert f"a search of {trained}, not of {trained_run}" in done.err


def test_nothing_to_resume_is_an_error(trained_run: Path) -> None:
    done = supernet("search", trained_run, "--resume")
    assert done.code == 2
    assert "no search to resume" in done.err


def test_killed_it_resumes_to_the_same_archive(trained: Path, copied: Copied) -> None:
    killed = copied(trained, "killed")
    search = ("--searcher", "evolution", "--objectives", "accuracy", "--budget", "60")
    assert supernet("search", trained, *search).code == 0
    command = [sys.executable, "-m", "supernet", "search", str(killed), *search]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    archive, deadline = killed / "search.jsonl", time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if archive.is_file() and archive.read_bytes().count(b"\n") >= 9:
            os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.002)
    assert process.wait() == -signal.SIGKILL
    assert archive.read_bytes().count(b"\n") < 60
    assert supernet("search", killed, "--resume").code == 0
    assert archive.read_bytes() == (trained / "search.jsonl").read_bytes()


def test_killed_before_its_first_result_it_resumes_too(trained: Path, tmp_path: Path) -> None:
    out, whole = tmp_path / "killed", tmp_path / "whole"
    options = ("--searcher", "random", "--objectives", "accuracy", "--budget", 4, "--validation-images", 40)
    for place in (whole, out):
        assert supernet("search", trained, "--out", place, *options).code == 0
    for name in ("search.jsonl", "front.json"):
        (out / name).unlink()
    done = supernet("search", trained, "--out", out, "--resume")
    assert done.code == 0, done.err
    for name in ("searching.json", "search.json", "search.jsonl", "front.json"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def some_truth(run: Path) -> Path:
    """A made-up table: 200 architectures, each as good as its parameters are many."""
    net = Run.open(run, lambda text: None).net
    archs = net.space.wrap(np.unique(net.space.population(np.random.default_rng(0), 220), axis=0)[:200])
    params = cost_model(net, (1, 8, 8)).params(net.space.codes(archs))
    write_csv(Truth.of(archs, params / params.max()), run / "truth.csv")
    return run / "truth.csv"


def test_a_shifted_search_leaves_the_weights_that_are_exported(trained: Path) -> None:
    before = {path.name: path.read_bytes() for path in (trained / "checkpoints").glob("*")}
    search = ("search", trained, "--searcher", "evolution", "--objectives", "accuracy", "--budget", 60)
    shift = ("--shift-option", "lr=0.05", "--shift-option", "images=64", "--table", some_truth(trained))
    assert supernet(*search, *shift).code == 0
    log = [json.loads(line) for line in (trained / "shifted" / "shifting.jsonl").read_text().splitlines()]
    assert [row["generation"] for row in log] == [0, 1, 2]
    assert [row["generation"] for row in log if "order/found" in row] == [0, 2]
    job = Run.open(trained, lambda text: None)
    job.load_searched()
    weights, plain = job.net.state_dict(), deepcopy(job.net)
    load_weights(plain, trained)
    assert any(not torch.equal(value, weights[name]) for name, value in plain.state_dict().items())
    assert {path.name: path.read_bytes() for path in (trained / "checkpoints").glob("*")} == before
    assert "Shifting has no setting 'lrr'" in supernet(*search, "--shift-option", "lrr=1", "--overwrite").err
    done = supernet(*search, "--no-shift", "--shift-option", "lr=1")
    assert (done.code, "--no-shift turns off" in done.err) == (2, True)
    assert supernet(*search[:-1], 4, "--no-shift", "--overwrite").code == 0
    assert Run.open(trained, lambda text: None).config.search.shifting is None
    assert not (trained / "shifted").exists()


def test_it_begins_with_the_candidates_of_the_training(tmp_path: Path) -> None:
    out = tmp_path / "run"
    greedy = (*QUICK[: QUICK.index("spos")], "greedynas", *QUICK[QUICK.index("spos") + 1 :])
    assert supernet("train", "--out", out, *greedy, "-M", "images=50").code == 0
    search = ("search", out, "--searcher", "random", "--budget", 12)
    done = supernet(*search, "--pool")
    assert done.code == 0, done.err
    job = Run.open(out, lambda text: None)
    assert job.config.search.pool
    pool = [candidate.arch.options() for candidate in load_candidates(job.net.space, out)]
    assert len(pool) >= 12
    assert asked_for(out) == pool[:12]
    assert supernet(*search, "--no-pool", "--overwrite").code == 0
    assert asked_for(out) != pool[:12]


def test_a_training_without_candidates_has_none_to_begin_with(trained_run: Path) -> None:
    done = supernet("search", trained_run, "--pool")
    assert done.code == 2
    assert "kept no candidate pool; those by GreedyNAS do" in done.err


def test_a_run_that_was_made_in_python_is_told_how_its_network_is_built(tmp_path: Path) -> None:
    out = tmp_path / "made"
    fit(operations_net(), methods.spos(), data.digits(), steps=4, batch_size=32, out=out, accelerator="cpu")
    search = ("search", out, "--searcher", "random", "--budget", 2)
    done = supernet(*search)
    assert done.code == 2
    assert "--space module:function" in done.err
    done = supernet(*search, "--space", "small_nets:operations_net")
    assert done.code == 0, done.err
    assert supernet(*search, "--overwrite").code == 0  # what was told is kept


def test_a_damaged_checkpoint_is_a_failure(trained: Path) -> None:
    newest = max((trained / "checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:-100])
    done = supernet("search", trained, "--budget", 2)
    assert done.code == 1
    assert newest.name in done.err


@pytest.mark.parametrize(
    ("searcher", "objectives"), [("random", "accuracy, params"), ("regularised_evolution", "accuracy")]
)
def test_a_searcher_of_its_name(trained: Path, searcher: str, objectives: str) -> None:
    done = supernet("search", trained, "--searcher", searcher, "--budget", 3, "--objectives", objectives)
    assert done.code == 0, done.err
    assert kept(trained).objectives == tuple(objectives.split(", "))
    assert kept(trained).searcher == searcher
    assert json.loads((trained / "front.json").read_text())["evaluations"] == 3
