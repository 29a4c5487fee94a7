"""`supernet bench`, from its words to what it prints and writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cyclopts import App, CycloptsError

from bench_runs import scores, write_run
from supernet.cli.bench import bench
from supernet.errors import RunError, UsageError

pytestmark = pytest.mark.slow  # whole runs, or processes of their own

CELLS = {"a": {}, "b": {"train": {"batch_size": 16}}}


def supernet(*words: object) -> None:
    app = App()
    app.command(bench)
    app([str(word) for word in words], exit_on_error=False, print_error=False, result_action="return_value")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study whose runs are all there, two seeds of two cells."""
    file, table = tmp_path / "mine.json", tmp_path / "table.csv"
    table.write_text("arch,accuracy\n")
    judge = {"table": "table.csv"}
    base = {"train": {"steps": 100, "batch_size": 32}}
    file.write_text(json.dumps({"seeds": [0, 1], "base": base, "cells": CELLS, "judge": judge}))
    for seed in (0, 1):
        for cell, noise in (("a", 6.0), ("b", 1.0)):
            write_run(tmp_path / f"out/{cell}/seed-{seed}", scores(noise, seed), seed=seed, settings=CELLS[cell])
    return file


def test_bench_prints_and_writes_the_table(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = study.parent / "out"
    supernet("bench", study, "--out", out, "--only", "a", "--only", "b", "--seeds", "0,1", "--workers", 2)
    said = capsys.readouterr()
    assert said.out.splitlines()[0].startswith("cell ")
    assert "b ranks better than a: τ +0." in said.out
    assert f"written: {out / 'comparison.md'}" in said.out
    assert said.err == f"bench: cells a, b; seeds 0, 1; 4 of 4 runs are done, 0 to do, 2 at a time, in {out}\n"
    assert {path.suffix for path in out.glob("comparison.*")} == {".md", ".csv", ".json", ".svg"}


def test_the_result_as_json(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    supernet("bench", study, "--out", study.parent / "out", "--json")
    assert json.loads(capsys.readouterr().out) == json.loads((study.parent / "out/comparison.json").read_text())


def test_the_table_covers_more_than_what_runs_now(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    supernet("bench", study, "--out", study.parent / "out", "--only", "b", "--seeds", "1")
    said = capsys.readouterr()
    assert "cells b; seeds 1; 1 of 1 runs are done" in said.err
    assert [line.split()[:2] for line in said.out.splitlines()[2:4]] == [["a", "2"], ["b", "2"]]


def test_wrong_words(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = study.parent / "out"
    with pytest.raises(CycloptsError, match="--seeds is 'all'"):
        supernet("bench", study, "--out", out, "--seeds", "all")
    with pytest.raises(UsageError, match=r"no table .*other\.csv"):
        supernet("bench", study, "--out", out, "--table", "other.csv")
    with pytest.raises(UsageError, match="nothing to choose"):
        supernet("bench", study, "--out", out, "--metric", "test_acc")
    monkeypatch.chdir(study.parent)
    with pytest.raises(UsageError, match="no study"):
        supernet("bench", "other.toml")


def test_a_failure_is_told_and_ends_with_an_error(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = study.parent / "out"
    (out / "b/seed-1/ranking.csv").unlink()
    monkeypatch.setattr("supernet.bench.run.run_jobs", lambda jobs, **_: {jobs[0]: "No space left."})
    with pytest.raises(RunError, match=r"1 run failed.*same command again"):
        supernet("bench", study, "--out", out)
    said = capsys.readouterr().out
    assert f"b seed 1 failed (see {out / 'b/seed-1.log'}): No space left." in said
    assert "The cells have different seeds: a 0, 1; b 0." in said
