"""`supernet train`: from a file and options to a run, in one process and in several."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from command_line import supernet
from quick_runs import QUICK, SMALL, SMALL_SPACE
from supernet import zoo
from supernet.judge import Truth, write_csv
from supernet.train import load_weights

pytestmark = pytest.mark.slow  # whole runs, or processes of their own

FILE = (
    'seed = 3\n[space]\nname = "nasbench201"\noptions = {channels = 4, cells = 1}\n[method]\nname = "fairnas"\n'
    "[train]\nsteps = 2\nbatch_size = 16\nmonitor_every = 0\naverage = 0.5\n"
)


def test_options_override_a_file_even_with_what_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(FILE)
    given = ("--steps", 3, "--seed", 0, "--average", "none", "-S", "statistics=calibrate")
    done = supernet("train", "--config", tmp_path / "c.toml", "--out", tmp_path / "r", *given, "--json")
    assert done.code == 0, done.err
    kept = json.loads((tmp_path / "r/config.json").read_text())
    assert (kept["seed"], kept["train"]["steps"], kept["method"]["name"]) == (0, 3, "fairnas")
    assert (kept["train"]["batch_size"], kept["train"]["average"]) == (16, None)
    assert kept["space"]["options"] == {"channels": 4, "cells": 1, "statistics": "calibrate"}
    found = json.loads(done.out)
    assert found["run"] == str(tmp_path / "r")
    assert found["log"]["step"] == 3
    assert "15,625 architectures" in done.err


def test_another_name_leaves_the_settings_of_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(FILE)
    other = ("--space", "mbconv", "--method", "spos")
    done = supernet("train", "--config", tmp_path / "c.toml", "--out", tmp_path / "r", *other)
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "r/config.json").read_text())["space"] == {"name": "mbconv", "options": {}}


def test_what_cannot_be_built_leaves_no_run_behind(tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = supernet("train", "--out", out, *QUICK, "-S", "chanels=8")
    assert done.code == 2
    assert "no setting 'chanels'" in done.err
    assert not out.exists()


def test_it_follows_the_ranking_of_a_table(tmp_path: Path) -> None:
    space = zoo.nasbench201(channels=4, cells=1).space
    archs = space.wrap(space.population(np.random.default_rng(0), 8))
    write_csv(Truth.of(archs, np.linspace(0, 1, 8)), tmp_path / "truth.csv")
    out = tmp_path / "r"
    options = ("--steps", 4, "--monitor-every", 2, "--table", tmp_path / "truth.csv")
    done = supernet("train", "--out", out, *SMALL, *options)
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "rank/accuracy_std" in row] == [2, 4]
    assert json.loads((out / "data.json").read_text())["images"]["validation"] == 288
    done = supernet("judge", out)  # the run knows its table
    assert done.code == 0, done.err
    assert json.loads((out / "judge.json").read_text())["n"] == 8


def test_conflicts_are_measured_as_often_as_asked_for_and_stand_on_the_page(tmp_path: Path) -> None:
    out = tmp_path / "r"
    options = ("--steps", 4, "--monitor-every", 0, "--conflict-every", 2)
    done = supernet("train", "--out", out, *SMALL, *options)
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "conflict/paths" in row] == [2, 4]
    assert all(-1 <= value <= 1 for row in rows for name, value in row.items() if name.startswith("conflict/"))
    assert any(name.startswith("conflict/layer/") for name in rows[-1])
    done = supernet("report", out)
    assert done.code == 0, done.err
    assert 'data-csv="chart-conflict"' in (out / "report.html").read_text(encoding="utf-8")
    done = supernet("train", "--out", tmp_path / "s", *SMALL, "--conflict-every", -1)
    assert done.code == 2
    assert "conflict" in done.err


def test_a_training_that_collapses_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flat_for_cli.py").write_text(
        "from torch import nn\n"
        "from supernet import Choice, ElasticConv2d, ElasticLinear\n"
        "def space(num_classes):\n"
        "    w = Choice('w', (4, 8))\n"
        "    head = ElasticLinear(w, num_classes)\n"
        "    nn.init.zeros_(head.weight), nn.init.zeros_(head.bias)\n"
        "    return nn.Sequential(ElasticConv2d(1, w), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)\n"
    )
    monkeypatch.chdir(tmp_path)
    options = ("--method", "spos", "-M", "weights.lr=0", "--steps", 6, "--monitor-every", 1)
    done = supernet("train", "--out", "r", "--space", "flat_for_cli:space", *options)
    assert done.code == 0, done.err
    assert "warning: The loss has stood at 2.303 for the last 6 lines of the log: " in done.out


@pytest.mark.parametrize("further", [(), ("--strategy", "fsdp", "--micro-batch", "8")])
def test_two_processes_train_one_run(further: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "supernet", "train", "--out", str(tmp_path / "r"), *map(str, SMALL)]
    command += ["--steps", "4", "--monitor-every", "0", "--accelerator", "cpu", "--devices", "2", *further]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("trained:") == 1
    assert json.loads((tmp_path / "r/training.json").read_text())["batch_size"] == 64


def test_a_finished_directory_is_not_overwritten_by_accident(trained_run: Path) -> None:
    before = (trained_run / "config.json").read_bytes()
    done = supernet("train", "--out", trained_run, *QUICK)
    assert done.code == 2
    assert "--resume" in done.err
    assert "--overwrite" in done.err
    assert (trained_run / "config.json").read_bytes() == before


def test_overwrite_refuses_a_directory_that_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = supernet("train", "--out", tmp_path, *QUICK, "--overwrite")
    assert done.code == 2
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_nothing_to_resume_is_an_error(tmp_path: Path) -> None:
    done = supernet("train", "--resume", "--out", tmp_path / "typo")
    assert done.code == 2
    assert "no run to resume" in done.err
    assert not (tmp_path / "typo").exists()


def test_what_an_environment_of_several_processes_left_behind_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    options = ("--method", "spos", "--batch-size", 32, "--steps", 2, "--monitor-every", 0)
    assert supernet("train", "--out", tmp_path / "r", *SMALL_SPACE, *options).code == 0
    assert json.loads((tmp_path / "r/config.json").read_text())["train"]["steps"] == 2


def test_it_begins_with_weights_from_a_file_and_writes_checkpoints_as_often_as_asked_for(tmp_path: Path) -> None:
    torch.manual_seed(5)
    given = zoo.nasbench201(channels=4, cells=1, in_channels=1).module.state_dict()
    weights = {f"module.{name}": tensor for name, tensor in given.items()}
    safetensors.torch.save_file(weights, tmp_path / "w.safetensors")
    out = tmp_path / "r"
    options = ("--steps", 4, "--monitor-every", 0, "--checkpoint-every", 2, "-M", "weights.lr=1e-12")
    done = supernet("train", "--out", out, *SMALL, *options, "--init", tmp_path / "w.safetensors")
    assert done.code == 0, done.err
    assert f"{len(given)} tensors were taken over." in done.out
    assert [path.name for path in sorted((out / "checkpoints").iterdir())] == [
        "step-000000002.safetensors",
        "step-000000004.safetensors",
    ]
    net = zoo.nasbench201(channels=4, cells=1, in_channels=1)
    load_weights(net, out)
    for name, tensor in net.module.named_parameters():
        torch.testing.assert_close(tensor, given[name], rtol=0, atol=1e-6)
    done = supernet("train", "--out", tmp_path / "s", *SMALL, "--steps", 4, "--init", tmp_path / "none.safetensors")
    assert done.code == 2
    assert "There are no weights at" in done.err
    assert not (tmp_path / "s").exists()


def test_micro_batches_are_kept_and_resumed(tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ("--steps", 4, "--monitor-every", 0, "--micro-batch", 4)
    done = supernet("train", "--out", out, *SMALL, *options)
    assert done.code == 0, done.err
    assert json.loads((out / "config.json").read_text())["train"]["micro_batch"] == 4
    assert json.loads((out / "training.json").read_text())["micro_batch"] == 4
    assert supernet("train", "--out", out, "--resume").code == 0
    done = supernet("train", "--out", out, "--resume", "--micro-batch", "none")
    assert done.code == 2
    assert "train.micro_batch = 4, and None was asked for" in done.err


@pytest.mark.parametrize(
    ("verb", "given", "told"),
    [
        ("train", ("--micro-batch", 7), "train.micro_batch is 7, which does not divide the batch size, 32"),
        ("run", ("--micro-batch", 64), "train.micro_batch is 64, which is larger than the batch size, 32"),
        ("train", ("--micro-batch", 0), "--micro-batch is '0'"),
        ("train", ("--strategy", "fsdp"), "(strategy 'fsdp') by a training of one process"),
        ("train", ("--strategy", "zero"), "--strategy is 'zero'"),
    ],
)
def test_what_no_batch_or_process_can_do_is_refused(
    verb: str, given: tuple[str | int, ...], told: str, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    done = supernet(verb, "--out", out, *SMALL, "--steps", 2, *given)
    assert done.code == 2
    assert told in done.err
    assert not (out / "training.json").exists()
