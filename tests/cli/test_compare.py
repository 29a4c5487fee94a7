"""`supernet compare`: what is printed and written of runs that are there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench_runs import scores, write_run
from command_line import supernet

pytestmark = pytest.mark.slow  # whole runs, or processes of their own


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two seeds of two cells."""
    for seed in (0, 1):
        for cell, noise, settings in (("a", 6.0, {}), ("b", 1.0, {"train": {"batch_size": 16}})):
            write_run(tmp_path / f"{cell}/seed-{seed}", scores(noise, seed), seed=seed, settings=settings)
    return tmp_path


def test_rows_are_compared_with_a_baseline(runs: Path) -> None:
    words = (runs / "a", runs / "b/seed-0", runs / "b/seed-1", "--baseline", "b", "--out", runs / "c")
    done = supernet("compare", *words)
    assert done.code == 0, done.err
    assert "a ranks worse than b: τ -0." in done.out
    assert "a, beside b: train.batch_size=32." in done.out
    assert done.out.endswith(f"written: {runs / 'c/comparison.md'}, .csv, .json\n")
    assert json.loads(supernet("compare", *words, "--json").out) == json.loads((runs / "c/comparison.json").read_text())


def test_nothing_and_an_unknown_row_are_refused(runs: Path) -> None:
    for words, told in (((), "at least one run"), ((runs / "a", "--baseline", "x"), "no row 'x'")):
        done = supernet("compare", *words)
        assert done.code == 2
        assert told in done.err


def test_trainings_that_stopped_at_the_same_step_are_compared(tmp_path: Path) -> None:
    for cell, steps in (("a", 300), ("b", 400)):
        write_run(tmp_path / cell, scores(2.0, 0), settings={"train": {"steps": steps}}, backwards=100)
    done = supernet("compare", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "c")
    assert done.code == 0, done.err
    assert not (tmp_path / "c/budget.svg").exists()
