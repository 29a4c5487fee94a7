"""`supernet retrain`: which architecture, how long, and how it goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import supernet
from supernet import zoo

pytestmark = pytest.mark.slow  # whole runs, or processes of their own


def test_the_best_is_retrained_and_gone_on_with(whole: Path) -> None:
    retrain = ("retrain", whole, "--best", "--start", "inherited")
    done = supernet(*retrain, "--steps", 2, "--batch-size", 16, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    best = max(json.loads((whole / "front.json").read_text())["points"], key=lambda p: p["values"]["accuracy"])
    assert found["arch"] == best["arch"]
    assert found == json.loads((whole / "retrained/retrained.json").read_text())
    kept = json.loads((whole / "retrained/retraining.json").read_text())
    assert (kept["steps"], kept["batch_size"], kept["start"]) == (2, 16, "inherited")
    assert supernet("retrain", whole, "--resume").code == 0
    done = supernet("retrain", whole, "--resume", "--batch-size", 8)
    assert done.code == 2
    assert "retrain.batch_size = 16" in done.err


def test_what_is_missing_is_asked_for(whole_run: Path) -> None:
    for options, word in (((), "--arch"), (("--best",), "--steps"), (("--best", "--arch", "a=b"), "one of them")):
        done = supernet("retrain", whole_run, *options)
        assert done.code == 2
        assert word in done.err


def test_a_larger_network_by_another_method(trained: Path, tmp_path: Path) -> None:
    arch = ("--arch", json.dumps(next(iter(zoo.nasbench201(channels=4, cells=1).space.enumerate())).options()))
    larger = ("-S", "channels=6", "--method", "fairnas", "-M", "weights.lr=0.02")
    done = supernet("retrain", trained, *arch, "--steps", 2, *larger, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    before = json.loads((trained / "config.json").read_text())["space"]["options"]
    assert found["space"] == {"name": "nasbench201", "options": {**before, "channels": 6}}
    assert found["method"] == {"name": "fairnas", "options": {"weights.lr": 0.02}}
    assert supernet("report", trained).code == 0
    page = (trained / "report.html").read_text()
    assert "built by nasbench201 with" in page
    assert "channels=6, " in page or "channels=6." in page
    assert "trained by fairnas with weights.lr=0.02" in page
    for options, reason in (
        (("--data", "digits"), "on the data of its run"),
        (("--space", "mbconv"), "has other choices than the run"),
        (("-S", "channels=5", "--start", "inherited"), "cannot inherit its weights"),
    ):
        done = supernet("retrain", trained, *arch, "--steps", 2, *options, "--out", tmp_path / "none")
        assert done.code == 2, options
        assert reason in done.err
