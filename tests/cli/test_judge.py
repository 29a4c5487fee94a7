"""`supernet judge`: against a table, against trainings alone, and where the table is whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from command_line import supernet
from quick_runs import SMALL_SPACE
from supernet import zoo
from supernet.judge import Truth, write_csv

pytestmark = pytest.mark.slow  # whole runs, or processes of their own


def test_against_a_table_and_against_trainings_alone(whole: Path, tmp_path: Path) -> None:
    found = [json.loads(line) for line in (whole / "search.jsonl").read_text().splitlines()]
    lines = [
        ";".join(f"{name}={option}" for name, option in row["arch"].items()) + f",{row['values']['accuracy']}"
        for row in found
    ]
    (tmp_path / "truth.csv").write_text("arch,accuracy\n" + "\n".join(lines) + "\n")
    done = supernet("judge", whole, "--table", tmp_path / "truth.csv")
    assert done.code == 0, done.err
    told = json.loads((whole / "judge.json").read_text())
    assert told["n"] == len(found)
    figures = done.out.index("parameter count", len(told["verdict"]))
    assert done.out.index(told["verdict"]) < figures
    assert told["sentences"][0] not in done.out
    tau = next(c for c in (whole / "judge.csv").read_text().splitlines() if c.startswith("kendall_tau,supernet"))
    assert float(tau.split(",")[2]) == pytest.approx(1.0)  # the table holds the supernet's own figures
    done = supernet("judge", whole, "--verbose")
    assert done.out.index(told["verdict"]) < done.out.index(told["sentences"][0])
    done = supernet("judge", whole, "--json")
    assert json.loads(done.out)["verdict"] == told["verdict"]
    done = supernet("judge", whole, "--retrain", 4, "--retrain-steps", 2)
    assert done.code == 0, done.err
    assert (whole / "retrained.jsonl").read_text().count("\n") >= 4
    before = json.loads((whole / "judging.json").read_text())
    assert (before["judge"]["retrain"], before["judge"]["table"]) == (4, "")
    assert supernet("judge", whole).code == 0  # goes on as it was begun
    assert json.loads((whole / "judging.json").read_text()) == before


def test_against_nothing_is_refused(trained_run: Path) -> None:
    done = supernet("judge", trained_run)
    assert done.code == 2
    assert "--table or against --retrain N" in done.err


def test_learned_architecture_weights_are_judged_where_the_table_is_whole(tmp_path: Path) -> None:
    archs = list(zoo.nasbench201(channels=4, cells=1).space.enumerate())
    truth = np.random.default_rng(0).normal(size=len(archs))
    write_csv(Truth.of(archs, truth), tmp_path / "truth.csv")
    out = tmp_path / "d"
    options = ("--method", "darts", "--batch-size", 16, "--steps", 2, "--monitor-every", 0, "-D", "validation=0.5")
    assert supernet("train", "--out", out, *SMALL_SPACE, *options).code == 0
    assert supernet("judge", out, "--table", tmp_path / "truth.csv", "--archs", 5).code == 0
    found = json.loads((out / "judge.json").read_text())
    assert (found["n"], found["mass"]["n"]) == (5, 15625)
    assert found["mass"]["lines"][0]["values"][-1] == pytest.approx(1)
    assert found["mass"]["lines"][0]["values"] != found["mass"]["random"]
