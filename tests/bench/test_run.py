"""Studies from file to table: interrupted, failing, resumed, judged again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from lock_holder import Holder
from supernet import measure
from supernet.bench import Study, compare_runs, run_study, worker
from supernet.bench.finished import is_finished
from supernet.bench.ranking import Ranking
from supernet.bench.spent import read_resources
from supernet.bench.worker import peak_memory_bytes, work
from supernet.errors import RunError, UsageError
from supernet.io.files import write_json
from supernet.judge import read_truth_file
from supernet.judge.truth.spelling import read_arch
from supernet.runs.run import Run

pytestmark = pytest.mark.slow  # whole runs, or processes of their own

BASE = {
    "space": {"name": "nasbench201", "options": {"channels": 4, "cells": 1}},
    "method": {"name": "spos"},
    "train": {"steps": 6, "batch_size": 32, "monitor_every": 0, "accelerator": "cpu"},
    "search": {"calibration_images": 64, "validation_images": 100, "budget": 4},
}
TRUTH = {"table": "nasbench201_digits", "archs": 12}


def study(cells: dict[str, Any], *, judge: dict[str, Any] | None = TRUTH, base: dict[str, Any] = BASE) -> Study:
    truth = {} if judge is None else {"judge": judge}
    return Study.of({"seeds": [0], "base": base, "cells": cells, **truth}, Path())


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Here and in the processes that are started: on a busy machine two threads mostly wait."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with mock.patch.dict(os.environ, OMP_NUM_THREADS="1"):
        yield
    torch.set_num_threads(threads)


def make(out: Path, found: Study, cell: str, seed: int = 0) -> Path:
    """One run, without a process of its own."""
    write_json(out / "study.json", found.to_json())
    work(out, cell, seed, workers=1)
    return out / cell / f"seed-{seed}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one cell, carried out."""
    out = tmp_path_factory.mktemp("made")
    make(out, study({"a": {}}), "a")
    return out


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def test_interrupted_resumed_and_failing(tmp_path: Path) -> None:
    cells = {"good": {"train": {"steps": 120}}, "bad": {"method": {"options": {"weights.lr": 1e30}}}}
    found, log = study(cells), tmp_path / "good/seed-0/train.jsonl"

    def interrupt() -> None:
        while not (log.is_file() and log.read_text()):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(RunError, match=r"0 of 1 runs are done.*Go on with: supernet bench"):
        run_study(found, tmp_path, only=["good"])
    thread.join()
    assert "Training was interrupted after" in (tmp_path / "good/seed-0.log").read_text()
    assert list((tmp_path / "good/seed-0/checkpoints").iterdir())

    said: list[str] = []
    table = run_study(found, tmp_path, workers=2, say=said.append)
    assert [row.name for row in table.rows] == ["good"]
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()][-1] == 120
    (failure,) = table.failed
    assert failure.startswith(f"bad seed 0 failed (see {tmp_path / 'bad/seed-0.log'}): The loss became nan")
    assert failure in table.to_text()
    assert "There is no finished run of bad." in table.notes
    assert json.loads((tmp_path / "comparison.json").read_text())["n"] == 12

    took = read_resources(tmp_path / "good/seed-0")
    assert (took.workers, took.threads) == (2, 1)
    judged = json.loads((tmp_path / "good/seed-0/judging.json").read_text())["judge"]
    assert (judged["table"], judged["archs"]) == ("nasbench201_digits", 12)
    assert 100 * 2**20 < (took.training_memory_bytes or 0) <= (took.memory_bytes or 0) < 4 * 2**30
    command = json.loads((tmp_path / "good/seed-0/environment.json").read_text())["command"]
    assert command == f"supernet bench {tmp_path / 'study.json'} --out {tmp_path} --only good --seeds 0"

    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "good").rglob("*")}
    said.clear()
    run_study(found, tmp_path, only=["good"], say=said.append)
    assert len(said) == 1
    assert "1 of 1 runs are done, 0 to do" in said[0]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "good").rglob("*")} == files


def test_a_study_that_was_killed_goes_on_at_once(tmp_path: Path) -> None:
    """Its worker ends after the step that it is in; the next call waits for that and goes on from the checkpoint."""
    found, log = study({"a": {"train": {"steps": 400}}}), tmp_path / "out/a/seed-0/train.jsonl"
    write_json(tmp_path / "mine.json", found.to_json())
    command = [sys.executable, "-m", "supernet", "bench", str(tmp_path / "mine.json"), "--out", str(tmp_path / "out")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        while not (log.is_file() and log.read_text()):
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
    table = run_study(found, tmp_path / "out")
    assert not table.failed
    said = (tmp_path / "out/a/seed-0.log").read_text()
    assert "Training was interrupted after" in said  # by the end of the study, not by its own
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()][-1] == 400


def test_a_run_that_cannot_be_read_does_not_stop_the_others(copied: Path) -> None:
    log = copied / "a/seed-0/train.jsonl"
    log.write_text(log.read_text().replace('"step"', '"stop"', 1))
    table = run_study(study({"a": {}, "b": {"method": {"name": "fairnas"}}}), copied)
    assert [row.name for row in table.rows] == ["b"]
    (told,) = table.failed
    assert told.startswith("a seed 0 is left out: ")
    assert "train.jsonl is damaged" in told


def test_a_new_truth_is_judged_without_training_again(copied: Path) -> None:
    run, more = copied / "a/seed-0", study({"a": {}}, judge={**TRUTH, "archs": 15})
    before = {path: path.stat().st_mtime_ns for path in (run / "checkpoints").iterdir()}
    assert is_finished(run, study({"a": {}}).judge)
    assert not is_finished(run, more.judge)
    make(copied, more, "a")
    assert is_finished(run, more.judge)
    assert len((run / "ranking.csv").read_text().splitlines()) == 16
    assert {path: path.stat().st_mtime_ns for path in (run / "checkpoints").iterdir()} == before


def test_subnets_are_scored_on_batches_as_asked(copied: Path) -> None:
    """Batch norm normalises by the batch here, so that its size decides what a subnet scores."""
    path = make(copied, study({"a": {}}, judge={**TRUTH, "batch_size": 50}), "a")
    run = Run.open(path)
    run.load()
    ranking = Ranking.read(path / "ranking.csv")
    archs = [read_arch(run.net.space, text) for text in ranking.archs]
    expected = {size: measure.accuracies(run.net, archs, run.data, batch_size=size, images=100) for size in (50, 512)}
    assert ranking.predicted.tolist() == expected[50] != expected[512]


def test_a_run_that_died_while_judging_is_not_finished(copied: Path) -> None:
    (copied / "a/seed-0/ranking.csv").unlink()  # written last
    assert not is_finished(copied / "a/seed-0", study({"a": {}}).judge)


def test_a_run_made_by_hand_is_taken_as_it_is(copied: Path) -> None:
    for name in ("resources.json", "judging.json"):
        (copied / "a/seed-0" / name).unlink()
    table = run_study(study({"a": {}}), copied)
    assert table["a"].runs[0].spent.training_memory_bytes is None
    assert table.n == 12


def test_other_settings_are_refused_before_anything_runs(copied: Path) -> None:
    changed = study({"a": {"train": {"steps": 7}}})
    said: list[str] = []
    with pytest.raises(
        UsageError, match=r"a/seed-0 was begun .*: .*config\.json says train\.steps = 6, not 7\..*--out"
    ):
        run_study(changed, copied, say=said.append)
    assert not said


def test_a_run_that_was_searched_since_is_still_the_same(copied: Path) -> None:
    kept = copied / "a/seed-0/config.json"
    config = json.loads(kept.read_text())
    config["search"]["budget"] += 1
    kept.write_text(json.dumps(config))
    assert run_study(study({"a": {}}), copied).n == 12


def test_two_studies_never_write_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PATIENCE_SECONDS", 0.3)
    process = Holder(tmp_path / "a/seed-0")
    with process, pytest.raises(UsageError, match=rf"a/seed-0 is in use by process {process.pid} on "):
        make(tmp_path, study({"a": {}}), "a")
    assert not (tmp_path / "a").exists()


def test_two_studies_never_work_in_one_directory(tmp_path: Path) -> None:
    process = Holder(tmp_path)
    with process, pytest.raises(UsageError, match=rf"is in use by process {process.pid} on "):
        run_study(study({"a": {}}), tmp_path)
    assert not (tmp_path / "study.json").exists()


def test_a_file_that_is_no_study_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text('{"subject": "sleep"}')
    with pytest.raises(UsageError, match="unknown setting 'subject'"):
        run_study(study({"a": {}}), tmp_path)
    assert (tmp_path / "study.json").read_text() == '{"subject": "sleep"}'


def test_architectures_trained_alone_once_are_the_truth_of_all(tmp_path: Path) -> None:
    found = study({"a": {}, "b": {"method": {"options": {"weights.lr": 0.01}}}}, judge={"retrain": 5})
    write_json(tmp_path / "study.json", found.to_json())
    work(tmp_path, "truth", 0, workers=1)
    for cell in ("a", "b"):
        make(tmp_path, found, cell)
    table = run_study(found, tmp_path)
    assert table.n == 5
    assert "each trained alone" in table.truth
    assert len((tmp_path / "truth/retrained.jsonl").read_text().splitlines()) == 1 + 5
    rankings = [(tmp_path / cell / "seed-0/ranking.csv").read_text().splitlines() for cell in ("a", "b")]
    assert [line.split(",")[:2] for line in rankings[0]] == [line.split(",")[:2] for line in rankings[1]]


def test_without_a_truth_supernets_are_searched(tmp_path: Path) -> None:
    found = study({"a": {}}, judge=None)
    run = make(tmp_path, found, "a")
    best = max(point["values"]["accuracy"] for point in json.loads((run / "front.json").read_text())["points"])
    table = run_study(found, tmp_path)
    assert table["a"].figures["found_accuracy"].trainings == (best,)
    assert len((run / "search.jsonl").read_text().splitlines()) == 4


def test_wrong_requests(tmp_path: Path) -> None:
    found = study({"a": {}})
    with pytest.raises(UsageError, match="workers is 0"):
        run_study(found, tmp_path, workers=0)
    with pytest.raises(UsageError, match="no cell 'x'; there are a"):
        run_study(found, tmp_path, only=["x"])
    with pytest.raises(UsageError, match="different whole numbers"):
        run_study(found, tmp_path, seeds=[1, 1])
    assert not list(tmp_path.iterdir())


def test_peak_memory_is_that_of_this_process() -> None:
    before = peak_memory_bytes() or 0
    block = b"\1" * (64 * 2**20 + before)  # larger than everything so far
    assert (peak_memory_bytes() or 0) >= len(block)


def test_what_a_cell_derives_is_trained_as_the_truth_was(tmp_path: Path) -> None:
    data = {"data": {"name": "digits", "options": {"validation": 0.5}}}
    base = BASE | data | {"space": {"name": "small_nets:operations_net"}}
    cells = {"spos": {}, "darts": {"method": {"name": "darts"}}}
    found = study(cells, judge={"retrain": 4, "retrain_steps": 2}, base=base)
    make(tmp_path, found, "truth")
    runs = {cell: make(tmp_path, found, cell) for cell in cells}
    run, truth = Run.open(runs["darts"]), tmp_path / "truth/retrained.jsonl"
    kept = read_truth_file(truth, run.net.space)
    told = json.loads((runs["darts"] / "judge.json").read_text())["derived"]
    assert told["arch"] == run.derived.options()
    ours = told["true"]
    if run.derived not in kept:
        alone = read_truth_file(runs["darts"] / "derived.jsonl", run.net.space)
        assert alone.archs == [run.derived]
        assert alone.source == kept.source
        kept = kept.merge(alone)
    assert kept.lookup([run.derived]) == [ours]
    assert told["n"] == len(kept)
    assert len(read_truth_file(truth, run.net.space)) == 4
    table = compare_runs(list(runs.values()))
    assert table["darts"].figures["derived_true"].value == ours
    assert "derived_true" not in table["spos"].figures
