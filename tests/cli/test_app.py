"""The commands, from request to files; and what a wrong request is told."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch

from command_line import supernet
from supernet import zoo
from supernet.cli.requests import TableRequest
from supernet.judge import Truth, write_csv
from supernet.measure import cost_model
from supernet.runs.config import Config
from supernet.runs.run import Run
from supernet.train import load_candidates, load_weights

SMALL = ("--space", "nasbench201", "-S", "channels=4", "-S", "cells=1", "--method", "spos", "--batch-size", 32)
QUICK = (*SMALL, "--steps", 12, "--monitor-every", 0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run, small enough for a test."""
    out = tmp_path_factory.mktemp("run") / "r"
    done = supernet("run", "--out", out, *QUICK, "--budget", 12, "--exports", 2, "-S", "statistics=calibrate")
    assert done.code == 0, done.err
    return out


def test_run_leaves_everything(finished: Path) -> None:
    for name in ("config.json", "environment.json", "space.json", "train.jsonl", "front.json", "exports.json"):
        assert (finished / name).is_file(), name
    assert len((finished / "search.jsonl").read_text().splitlines()) == 12
    exports = json.loads((finished / "exports.json").read_text())
    assert [row["name"] for row in exports] == ["small", "large"]
    for row in exports:
        assert row["verified"]["max_difference"] < 1e-3
        assert row["verified"]["images_test"] == 359
        assert all((finished / file).is_file() for file in row["files"].values())
        assert row["diagram"]["nodes"]
    page = (finished / "report.html").read_text()
    assert "nasbench201" in page
    assert "https://" not in page.split("<body")[1].replace("https://plotly.com", "")[:2000]


@pytest.mark.parametrize("command", [("judge", "."), ("latency", "build", ".")])
def test_ctrl_c_is_told_how_to_go_on(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "open", stop)
    done = supernet(*command)
    assert done.code == 1
    assert done.err == "error: interrupted; the same command goes on (run, train and search with --resume)\n"


def test_run_tells_the_satisfiable_range_before_it_searches(tmp_path: Path) -> None:
    out = tmp_path / "r"
    assert supernet("train", "--out", out, *QUICK).code == 0
    done = supernet("search", out, "--max", "macs=1", "--budget", 5)
    assert done.code == 2
    assert "macs" in done.err
    low = float(json.loads((out / "space.json").read_text())["size"])
    assert low == 15625
    done = supernet("search", out, "--max", "macs=300e3", "--budget", 6)
    assert done.code == 0, done.err
    assert done.out.index("of this space") < done.out.index("evaluated")
    for line in (out / "search.jsonl").read_text().splitlines():
        assert json.loads(line)["values"]["macs"] <= 300e3


def test_export_of_a_named_architecture(finished: Path) -> None:
    arch = json.loads((finished / "front.json").read_text())["points"][0]["arch"]
    text = ",".join(f"{name}={option}" for name, option in arch.items())
    done = supernet("export", finished, "--arch", text, "--arch", json.dumps(arch))
    assert done.code == 0, done.err
    rows = json.loads((finished / "exports.json").read_text())
    assert [row["name"] for row in rows] == ["small", "large", "arch-1"]  # two spellings of one, beside the earlier
    assert rows[2]["arch"] == arch
    again = json.loads((finished / "front.json").read_text())["points"][1]["arch"]
    assert supernet("export", finished, "--arch", json.dumps(again), "--arch", text).code == 0
    rows = json.loads((finished / "exports.json").read_text())
    assert {row["name"]: row["arch"] for row in rows[2:]} == {"arch-1": arch, "arch-2": again}


def test_finetuning_changes_the_exported_network(finished: Path, tmp_path: Path) -> None:
    before = (finished / "export/small.onnx").read_bytes()
    assert supernet("export", finished, "--exports", 2, "--finetune-steps", 3).code == 0
    assert (finished / "export/small.onnx").read_bytes() != before


def test_darts_exports_what_it_derives(tmp_path: Path) -> None:
    out = tmp_path / "d"
    options = (*SMALL[:6], "--method", "darts", "--batch-size", 16, "--steps", 3, "--monitor-every", 0)
    assert supernet("train", "--out", out, *options, "-D", "validation=0.5").code == 0
    done = supernet("export", out)
    assert done.code == 0, done.err
    assert [row["name"] for row in json.loads((out / "exports.json").read_text())] == ["derived"]


def test_resume_after_stop_gives_the_same_files(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    options = (*QUICK, "--budget", 8, "--exports", 1)
    assert supernet("run", "--out", whole, *options).code == 0
    assert supernet("train", "--out", broken, *QUICK).code == 0
    config = json.loads((whole / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config))
    lines = (whole / "search.jsonl").read_text().splitlines(keepends=True)
    (broken / "search.jsonl").write_text("".join(lines[:3]) + lines[3][:20])
    done = supernet("run", "--out", broken, "--resume")
    assert done.code == 0, done.err
    assert (broken / "search.jsonl").read_bytes() == (whole / "search.jsonl").read_bytes()


def test_killed_search_resumes_to_the_same_archive(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    assert supernet("train", "--out", whole, *QUICK).code == 0
    copy = tmp_path / "killed"
    subprocess.run(["cp", "-r", str(whole), str(copy)], check=True)
    search = ("--searcher", "evolution", "--objectives", "accuracy", "--budget", "60")
    assert supernet("search", whole, *search).code == 0
    command = [sys.executable, "-m", "supernet", "search", str(copy), *search]
    generator = random.Random(0)
    for resume in ((), ("--resume",)):
        process = subprocess.Popen([*command, *resume], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        archive = copy / "search.jsonl"
        goal = generator.randint(3, 25) + (archive.read_bytes().count(b"\n") if archive.is_file() else 0)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if archive.is_file() and archive.read_bytes().count(b"\n") >= goal:
                os.kill(process.pid, signal.SIGKILL)
            time.sleep(0.002)
        assert process.wait() == -signal.SIGKILL
    assert archive.read_bytes().count(b"\n") < 60
    assert supernet("search", copy, *search, "--resume").code == 0
    assert archive.read_bytes() == (whole / "search.jsonl").read_bytes()


def _some_truth(run: Path) -> Path:
    """A made-up table: 200 architectures, each as good as its parameters are many."""
    net = Run.open(run, lambda text: None).net
    archs = net.space.wrap(np.unique(net.space.population(np.random.default_rng(0), 220), axis=0)[:200])
    params = cost_model(net, (1, 8, 8)).params(net.space.codes(archs))
    write_csv(Truth.of(archs, params / params.max()), run / "truth.csv")
    return run / "truth.csv"


def test_a_shifted_search_leaves_the_weights_that_are_exported(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert supernet("train", "--out", out, *QUICK, "--average", 0.5).code == 0
    trained = (out / "checkpoints").glob("*")
    kept = {path.name: path.read_bytes() for path in trained}
    search = ("search", out, "--searcher", "evolution", "--objectives", "accuracy", "--budget", 60)
    table = _some_truth(out)
    assert supernet(*search, "--shift-option", "lr=0.05", "--shift-option", "images=64", "--table", table).code == 0
    log = [json.loads(line) for line in (out / "shifted" / "shifting.jsonl").read_text().splitlines()]
    assert [row["generation"] for row in log] == [0, 1, 2]
    assert [row["generation"] for row in log if "order/found" in row] == [0, 2]
    job = Run.open(out, lambda text: None)
    job.load_searched()
    weights, plain = job.net.state_dict(), deepcopy(job.net)
    load_weights(plain, out)
    assert any(not torch.equal(value, weights[name]) for name, value in plain.state_dict().items())
    assert {path.name: path.read_bytes() for path in (out / "checkpoints").glob("*")} == kept
    assert "Shifting has no setting 'lrr'" in supernet(*search, "--shift-option", "lrr=1", "--overwrite").err
    assert supernet(*search, "--no-shift", "--overwrite").code == 0
    assert Run.open(out, lambda text: None).config.search.shifting is None
    assert not (out / "shifted").exists()


def test_a_search_begins_with_the_candidates_of_the_training(tmp_path: Path) -> None:
    out = tmp_path / "run"
    greedy = (*QUICK[: QUICK.index("spos")], "greedynas", *QUICK[QUICK.index("spos") + 1 :])
    assert supernet("train", "--out", out, *greedy, "-M", "images=50").code == 0
    search = ("search", out, "--searcher", "random", "--budget", 12)
    done = supernet(*search, "--pool")
    assert done.code == 0, done.err
    job = Run.open(out, lambda text: None)
    assert job.config.search.pool
    pool = [candidate.arch.options() for candidate in load_candidates(job.net.space, out)]
    asked = [json.loads(line)["arch"] for line in (out / "search.jsonl").read_text().splitlines()]
    assert len(pool) >= 12
    assert asked == pool[:12]
    assert supernet(*search, "--no-pool", "--overwrite").code == 0
    assert [json.loads(line)["arch"] for line in (out / "search.jsonl").read_text().splitlines()] != asked


def test_a_training_without_candidates_has_none_to_begin_with(finished: Path) -> None:
    done = supernet("search", finished, "--pool", "--overwrite")
    assert done.code == 2
    assert "kept no candidate pool; those by GreedyNAS do" in done.err


def test_another_table_brings_its_own_choices() -> None:
    before = TableRequest(table="a.npz", dataset="cifar100", metric="val_acc").apply(Config())
    assert (before.judge.dataset, before.judge.metric) == ("cifar100", "val_acc")
    after = TableRequest(table="own.csv").apply(before)
    assert (after.judge.table, after.judge.dataset, after.judge.metric) == ("own.csv", "", "")
    assert TableRequest(metric="test_acc").apply(before).judge.dataset == "cifar100"


def test_what_cannot_be_built_leaves_no_run_behind(tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = supernet("train", "--out", out, *QUICK, "-S", "chanels=8")
    assert done.code == 2
    assert "no setting 'chanels'" in done.err
    assert not out.exists()


def test_own_space_method_and_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_for_cli.py").write_text(
        "from torch import nn\n"
        "from supernet import Choice, ElasticConv2d, ElasticLinear\n"
        "from supernet import methods\n"
        "def space(num_classes, wide=8):\n"
        "    w = Choice('w', (4, wide))\n"
        "    return nn.Sequential(ElasticConv2d(1, w), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),\n"
        "                         ElasticLinear(w, num_classes))\n"
        "def method(rate=0.1):\n"
        "    return methods.spos().with_weights(lr=rate)\n"
    )
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 255, (90, 8, 8), dtype=np.uint8), np.arange(90) % 3
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=y)
    monkeypatch.chdir(tmp_path)
    done = supernet(
        "run",
        "--out",
        "r",
        "--space",
        "mine_for_cli:space",
        "-S",
        "wide=6",
        "--method",
        "mine_for_cli:method",
        "-M",
        "rate=0.05",
        "--data",
        "mine.npz",
        "--steps",
        4,
        "--batch-size",
        16,
        "--budget",
        2,
        "--exports",
        1,
    )
    assert done.code == 0, done.err
    assert json.loads(Path("r/space.json").read_text())["size"] == "2"


def test_config_file_in_toml_and_its_override(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        'seed = 3\n[space]\nname = "nasbench201"\noptions = {channels = 4, cells = 1}\n[method]\nname = "fairnas"\n'
        "[train]\nsteps = 2\nbatch_size = 16\nmonitor_every = 0\n"
    )
    done = supernet("train", "--config", tmp_path / "c.toml", "--steps", 3, "--out", tmp_path / "r")
    assert done.code == 0, done.err
    kept = json.loads((tmp_path / "r/config.json").read_text())
    assert (kept["seed"], kept["train"]["steps"], kept["method"]["name"]) == (3, 3, "fairnas")


def test_judge_against_a_table_and_against_trainings_alone(finished: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (finished / "search.jsonl").read_text().splitlines()]
    lines = [
        ";".join(f"{name}={option}" for name, option in row["arch"].items()) + f",{row['values']['accuracy']}"
        for row in rows
    ]
    (tmp_path / "truth.csv").write_text("arch,accuracy\n" + "\n".join(lines) + "\n")
    done = supernet("judge", finished, "--table", tmp_path / "truth.csv")
    assert done.code == 0, done.err
    assert "parameter count" in done.out
    figures = json.loads((finished / "judge.json").read_text())
    assert figures["n"] == len(rows)
    tau = next(c for c in (finished / "judge.csv").read_text().splitlines() if c.startswith("kendall_tau,supernet"))
    assert float(tau.split(",")[2]) == pytest.approx(1.0)  # the table holds the supernet's own figures
    done = supernet("judge", finished, "--retrain", 4)
    assert done.code == 0, done.err
    assert (finished / "retrained.jsonl").read_text().count("\n") >= 4
    before = json.loads((finished / "judging.json").read_text())
    assert before["judge"]["retrain"] == 4
    assert supernet("judge", finished).code == 0  # goes on as it was begun
    assert json.loads((finished / "judging.json").read_text()) == before


def test_a_run_judges_its_ranking_if_asked_to(tmp_path: Path) -> None:
    out = tmp_path / "r"
    done = supernet("run", "--out", out, *QUICK, "--budget", 4, "--exports", 1, "--retrain", 4, "--retrain-steps", 2)
    assert done.code == 0, done.err
    told = json.loads((out / "judge.json").read_text())
    assert "2 steps of 32 images" in told["truth"]
    assert done.out.index("export/best.onnx") < done.out.index(told["verdict"]) < done.out.index("Kendall τ  ")
    assert told["sentences"][0] not in done.out
    rows = list(csv.DictReader((out / "ranking.csv").read_text().splitlines()))
    assert len(rows) == 4
    assert "Is the ranking right?" in (out / "report.html").read_text()
    before = (out / "retrained.jsonl").read_bytes()
    assert supernet("run", "--out", out, "--resume").code == 0
    assert (out / "retrained.jsonl").read_bytes() == before
    exported = supernet("export", out, "--arch", rows[-1]["arch"])  # as the table prints it
    assert exported.code == 0, exported.err
    (network,) = json.loads((out / "exports.json").read_text())
    assert str(zoo.nasbench201(channels=4, cells=1).space.arch(network["arch"])) == rows[-1]["arch"]
    done = supernet("judge", out, "--retrain-steps", 3)  # other trainings than those that are there
    assert done.code == 2
    assert "retrained.jsonl" in done.err


def test_training_follows_the_ranking_of_a_table(tmp_path: Path) -> None:
    space = zoo.nasbench201(channels=4, cells=1).space
    archs = space.wrap(space.population(np.random.default_rng(0), 8))
    write_csv(Truth.of(archs, np.linspace(0, 1, 8)), tmp_path / "truth.csv")
    out = tmp_path / "r"
    done = supernet(
        "train", "--out", out, *SMALL, "--steps", 4, "--monitor-every", 2, "--table", tmp_path / "truth.csv"
    )
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "rank/accuracy_std" in row] == [2, 4]
    assert json.loads((out / "data.json").read_text())["images"]["validation"] == 288
    done = supernet("judge", out)  # the run knows its table
    assert done.code == 0, done.err
    assert json.loads((out / "judge.json").read_text())["n"] == 8


def test_learned_architecture_weights_are_judged_where_the_table_is_whole(tmp_path: Path) -> None:
    space = zoo.nasbench201(channels=4, cells=1).space
    archs = list(space.enumerate())
    truth = np.random.default_rng(0).normal(size=len(archs))
    write_csv(Truth.of(archs, truth), tmp_path / "truth.csv")
    out = tmp_path / "d"
    options = (*SMALL[:6], "--method", "darts", "--batch-size", 16, "--steps", 2, "--monitor-every", 0)
    assert supernet("train", "--out", out, *options, "-D", "validation=0.5").code == 0
    assert supernet("judge", out, "--table", tmp_path / "truth.csv", "--archs", 5).code == 0
    found = json.loads((out / "judge.json").read_text())
    assert (found["n"], found["mass"]["n"]) == (5, 15625)
    assert found["mass"]["lines"][0]["values"][-1] == pytest.approx(1)
    assert found["mass"]["lines"][0]["values"] != found["mass"]["random"]


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
    assert "warning: The loss has stood at 2.303 for the last 6 lines of the log: 2.303 is what" in done.out


def test_two_processes_train_one_run(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "supernet", "train", "--out", str(tmp_path / "r"), *map(str, SMALL)]
    command += ["--steps", "4", "--monitor-every", "0", "--accelerator", "cpu", "--devices", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("trained:") == 1
    assert json.loads((tmp_path / "r/training.json").read_text())["batch_size"] == 64


def test_lists() -> None:
    assert "spos" in supernet("list", "methods").out
    assert "nasbench201" in supernet("list", "spaces").out
    assert "digits" in supernet("list", "data").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "--space", "resnet"), ("resnet", "mbconv", "nasbench201")),
        (("train", "--method", "spo"), ("spo", "fairnas")),
        (("train", "--data", "imagenet"), ("imagenet", "digits")),
        (("train", "-S", "depth=3"), ("mbconv", "depth", "num_classes")),
        (("train", "-S", "depth"), ("name=value",)),
        (("train", "--method", "nowhere:f"), ("nowhere",)),
        (("train", "--precision", "float64"), ("float64", "bf16-mixed")),
        (("train", "--batch-size", "5000"), ("5000", "1150")),
        (("train", "--config", "none.toml"), ("none.toml",)),
        (("train", "--method", "darts"), ("sizes", "nasbench201")),
        (("search", "nowhere"), ("nowhere", "config.json")),
        (("list", "models"), ("models", "methods")),
        (("run", "--exports", "0"), ("export.count is 0", "at least 1")),
        (("run", "--table", "t.csv", "--retrain", "5"), ("--table", "--retrain", "one of them")),
        (("run", "--retrain", "2"), ("retrain is 2", "at least 3")),
        (("run", "--retrain", "5", "--workers", "0"), ("workers is 0",)),
        (("train", "--table", "none.csv"), ("none.csv", "retraining")),
        (("train", "--steps", "many"), ("--steps", "many")),
        (("trian",), ("trian", "train")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_wrong_requests_are_explained(
    arguments: tuple[str, ...], words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = supernet(*arguments)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert done.err.startswith("error: ")
    for word in words:
        assert word in done.err


def test_a_finished_directory_is_not_overwritten_by_accident(finished: Path) -> None:
    before = (finished / "config.json").read_bytes()
    done = supernet("train", "--out", finished, *QUICK)
    assert done.code == 2
    assert "--resume" in done.err
    assert "--overwrite" in done.err
    assert (finished / "config.json").read_bytes() == before


def test_overwrite_refuses_a_directory_that_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = supernet("train", "--out", tmp_path, *QUICK, "--overwrite")
    assert done.code == 2
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_failure_exits_with_one(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "r"
    assert supernet("train", "--out", out, *QUICK).code == 0
    newest = max((out / "checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:-100])
    done = supernet("search", out, "--budget", 2)
    assert done.code == 1
    assert newest.name in done.err
