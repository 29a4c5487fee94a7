"""Run directories: what is ours in them, how one run takes another's place, and that two never work in one."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from command_line import supernet
from lock_holder import Holder
from small_nets import images, operations_net
from supernet.errors import RunError, UsageError
from supernet.io.locking import LOCK, locked
from supernet.io.run_directory import MARKER, RUN, SEARCH, RunDirectory, environment
from supernet.methods import spos
from supernet.train import checkpoint, fit

pytestmark = pytest.mark.slow  # whole runs, and processes that hold them

SMALL = ("--space", "nasbench201", "-S", "channels=4", "-S", "cells=1", "--method", "spos", "--batch-size", 32)
QUICK = (*SMALL, "--steps", 6, "--monitor-every", 0, "--accelerator", "cpu")


def quick(*options: object) -> tuple[object, ...]:
    """The small training with some of its options replaced."""
    plain = list(zip(QUICK[::2], QUICK[1::2], strict=True))
    space = "--space" in options
    kept = [pair for pair in plain if not (pair[0] in options and pair[0] != "-S") and not (space and pair[0] == "-S")]
    return (*(text for pair in kept for text in pair), *options)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with everything that a run can hold, and files of somebody else's at every level."""
    out = tmp_path_factory.mktemp("run") / "r"
    done = supernet("run", "--out", out, *QUICK, "--budget", 6, "--exports", 1)
    assert done.code == 0, done.err
    for name in ("mydata.txt", "sub/notes.md", "checkpoints/mine.bin", "export/thesis.onnx"):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(f"mine: {name}")
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def content(directory: Path) -> dict[str, bytes]:
    """Every file below a directory."""
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def foreign(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: text for name, text in files.items() if text.startswith(b"mine: ")}


REFUSED = {
    "space": ("--space", "nope"),
    "method": ("--method", "nope"),
    "method for the space": ("--space", "mbconv", "--method", "darts"),
    "data": ("--data", "/does/not/exist.npz"),
    "option": ("-S", "chanels=4"),
    "batch size": ("--batch-size", 0),
    "steps": ("--steps", 0),
    "average": ("--average", 2),
    "precision": ("--precision", "float64"),
    "accelerator": ("--accelerator", "abacus"),
    "devices": ("--devices", 0),
    "seed": ("--seed", -1),
    "table": ("--table", "none.csv", "--monitor-every", 2),
}
REFUSED_SEARCH = {
    "searcher": ("--searcher", "nope"),
    "objective": ("--objectives", "accuracy,beauty"),
    "constraint": ("--max", "latency=1"),
    "nothing feasible": ("--max", "macs=1"),
    "budget": ("--budget", 0),
    "latency file": ("--latency", "none.json"),
    "shifting": ("--shift-option", "lrr=1"),
    "shifted images": ("--shift-option", "batch_size=5000", "--shift-option", "images=5000"),
}


@pytest.mark.parametrize("options", REFUSED.values(), ids=REFUSED)
def test_a_training_that_is_refused_leaves_no_trace(run: Path, tmp_path: Path, options: tuple[object, ...]) -> None:
    before = content(run)
    done = supernet("train", "--out", run, *quick(*options), "--overwrite")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "See supernet --help" not in done.err  # not the parser
    assert content(run) == before
    new = tmp_path / "deep" / "new"
    assert supernet("train", "--out", new, *quick(*options)).err == done.err
    assert not (tmp_path / "deep").exists()


@pytest.mark.parametrize("options", REFUSED_SEARCH.values(), ids=REFUSED_SEARCH)
def test_a_search_that_is_refused_leaves_no_trace(run: Path, tmp_path: Path, options: tuple[object, ...]) -> None:
    before = content(run)
    for command in (("search", run), ("run", "--out", run, *QUICK), ("transfer", run, "--data", "digits")):
        where = ("--out", _another(run, tmp_path)) if command[0] == "transfer" else ()
        done = supernet(*command, *where, *options, "--overwrite")
        if command[0] == "transfer" and "--shift-option" in options:
            continue  # a transfer has shifting of its own
        assert done.code == 2, (command, done.out, done.err)
        assert "See supernet --help" not in done.err
        assert content(run) == before
        if where:
            assert content(where[1]) == before
    new = tmp_path / "new"
    assert supernet("run", "--out", new, *QUICK, *options).code == 2
    assert not new.exists()


def _another(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "another"))


def test_overwriting_replaces_our_files_alone(run: Path) -> None:
    before = content(run)
    done = supernet("train", "--out", run, *QUICK, "--seed", 5, "--overwrite")
    assert done.code == 0, done.err
    after = content(run)
    assert foreign(after) == foreign(before)
    assert len(foreign(after)) == 4
    assert json.loads(after["config.json"])["seed"] == 5
    ours = {"supernet.json", "config.json", "data.json", "environment.json", "space.json", "training.json"}
    ours |= {"train.jsonl", "counts.json", "checkpoints/step-000000006.safetensors"}
    assert set(after) - set(foreign(after)) == ours


def test_every_file_of_a_run_is_known_to_be_ours(run: Path) -> None:
    best = ("--best", "--steps", 2)
    assert supernet("retrain", run, *best).code == 0
    assert supernet("judge", run, "--retrain", 4, "--retrain-steps", 2).code == 0
    ours = {str(file.relative_to(run)) for file in RunDirectory(run)._files(RUN)}
    assert ours == set(content(run)) - set(foreign(content(run)))


@pytest.mark.parametrize("text", ["{}", '{"name": "a web page"}', "no JSON", '{"space": {}, "seed": 1}'])
def test_a_file_named_config_json_makes_no_run(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(text)
    (tmp_path / "thesis.txt").write_text("years of work")
    before = content(tmp_path)
    monkeypatch.chdir(tmp_path)
    for options in ((), ("--overwrite",), ("--resume",)):
        done = supernet("train", *QUICK, "--out", ".", *options)
        assert done.code == 2
        assert content(tmp_path) == before


@pytest.mark.parametrize("options", [(), ("--overwrite",)])
def test_a_run_that_was_killed_in_its_first_file_begins_again(options: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / ".config.json.4711.tmp").write_text('{"space": {"na')
    done = supernet("train", "--out", tmp_path, *QUICK, *options)
    assert done.code == 0, done.err
    assert RunDirectory(tmp_path).is_run


def test_a_training_never_writes_over_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text("[1, 2]")
    done = supernet("train", "--out", tmp_path, *QUICK)
    assert done.code == 2
    assert "holds data.json, where a run would write" in done.err
    with pytest.raises(UsageError, match=r"holds data\.json, where a run would write"):
        fit(operations_net(), spos(), images(), steps=1, batch_size=8, out=tmp_path, accelerator="cpu")
    assert content(tmp_path) == {"data.json": b"[1, 2]"}


def test_a_training_beside_other_files_leaves_them(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/a.md").write_text("mine: a")
    for options in ((), ("--overwrite",)):
        assert supernet("train", "--out", tmp_path, *QUICK, *options).code == 0
        assert (tmp_path / "notes/a.md").read_text() == "mine: a"


def test_the_marker_says_who_made_it(run: Path) -> None:
    facts = json.loads((run / MARKER).read_text())
    from supernet import __version__

    assert facts == {"supernet": __version__, "format": 1}
    (run / MARKER).unlink()  # as runs were before there were markers
    assert RunDirectory(run).is_run
    assert supernet("train", "--out", run, *QUICK, "--overwrite").code == 0
    assert (run / MARKER).is_file()
    (run / MARKER).write_text(json.dumps({"supernet": "9.1", "format": 2}))
    done = supernet("train", "--out", run, *QUICK, "--overwrite")
    assert done.code == 2
    assert "made by supernet 9.1 in format 2" in done.err


def test_what_fails_before_it_stands_brings_the_old_run_back(run: Path) -> None:
    before = content(run)
    done = supernet("train", "--out", run, *QUICK, "-M", "weights.lr=1e30", "--overwrite")
    assert done.code == 1
    assert "is back" in done.out
    assert content(run) == before


def test_an_interrupted_replacement_ends_either_way(run: Path) -> None:
    before, directory = content(run), RunDirectory(run, replaces=True, first={"config.json": {}})
    directory.begin()  # and a kill
    assert content(run).keys() > {f".supernet-replaced-run/{name}" for name in ("config.json", "front.json")}
    assert not any(run.glob(RUN.stands))
    with RunDirectory(run).alone():
        assert content(run).keys() - {LOCK} == before.keys()
    assert content(run) == before

    directory = RunDirectory(run, replaces=True, first={"config.json": {}})
    directory.begin()
    (run / "checkpoints/step-000000001.safetensors").write_bytes(b"weights")
    with RunDirectory(run).alone():
        pass
    ours = {MARKER, "config.json", "checkpoints/step-000000001.safetensors"}
    assert content(run).keys() == ours | foreign(before).keys()


def test_a_replacement_that_cannot_move_a_file_moves_none(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, plain = content(run), Path.replace

    def fails_once(path: Path, target: Path) -> Path:
        if path.name == "front.json" and ".supernet-moving" in str(target):
            raise OSError(5, "Input/output error", str(path))
        return plain(path, target)

    monkeypatch.setattr(Path, "replace", fails_once)
    with pytest.raises(RunError, match=r"front\.json could not be moved \(Input/output error\). It is as it was"):
        RunDirectory(run).replace(RUN)
    assert content(run) == before


def test_overwriting_a_search_keeps_the_old_one_until_the_first_line(run: Path) -> None:
    before = content(run)
    RunDirectory(run).replace(SEARCH)  # and a kill
    done = supernet("search", run, "--budget", 4)
    assert done.code == 2  # there is a search: the old one is back
    assert content(run) == before
    assert supernet("search", run, "--budget", 4, "--overwrite").code == 0
    assert len((run / "search.jsonl").read_text().splitlines()) == 4
    assert not (run / "exports.json").exists()
    assert not list(run.glob(".supernet*"))


def test_the_second_of_two_processes_is_told_of_the_first(run: Path) -> None:
    before = content(run)
    commands = [
        ("train", "--out", run, *QUICK, "--overwrite"),
        ("run", "--out", run, "--resume"),
        ("search", run, "--resume"),
        ("export", run),
        ("judge", run, "--retrain", 4),
        ("report", run),
        ("latency", "build", run),
        ("transfer", run, "--data", "digits", "--out", run.parent / "t"),
        ("retrain", run, "--best", "--steps", 2, "--out", run.parent / "t"),
    ]
    with Holder(run) as first, Holder(run.parent / "t") as other:
        for command in commands:
            done = supernet(*command)
            assert done.code == 2, command
            pid = other.pid if command[0] in ("transfer", "retrain") else first.pid
            assert f"is in use by process {pid} on " in done.err
            assert " since 20" in done.err
        with pytest.raises(UsageError, match=f"is in use by process {first.pid} on "):
            fit(operations_net(), spos(), images(), steps=1, batch_size=8, out=run, resume=True, accelerator="cpu")
    assert content(run) == before


@pytest.mark.slow
def test_two_trainings_at_once_are_one(tmp_path: Path) -> None:
    out = tmp_path / "r"
    command = [sys.executable, "-m", "supernet", "train", "--out", str(out), *map(str, quick("--steps", 100000))]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(lambda: (out / "train.jsonl").is_file())
        second = supernet("train", "--out", out, *QUICK, "--seed", 7, "--overwrite")
        assert second.code == 2
        assert f"is in use by process {first.pid} on " in second.err
        assert f"train --out {out}" in second.err
        first.send_signal(signal.SIGKILL)  # a dead holder holds nothing
    finally:
        first.kill()
        first.wait()
    assert (out / LOCK).is_file()
    assert supernet("train", "--out", out, *QUICK, "--overwrite").code == 0
    assert not (out / LOCK).exists()


def _wait(until: object) -> None:
    deadline = time.monotonic() + 120
    while not until():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_lock_is_for_others(tmp_path: Path) -> None:
    place, told = tmp_path / "a/b", []
    with locked(place) as outer, locked(tmp_path / "a/../a/b") as inner:
        assert (outer, inner) == (True, False)
        assert json.loads((place / LOCK).read_text())["pid"] == os.getpid()

        def other_thread() -> None:
            try:
                with locked(place):
                    pass
            except UsageError as error:
                told.append(str(error))

        thread = threading.Thread(target=other_thread)
        thread.start()
        thread.join()
    assert len(told) == 1
    assert not (tmp_path / "a").exists()
    killed = Holder(place)
    killed.kill()
    with locked(place) as taken:
        assert taken
        assert json.loads((place / LOCK).read_text())["pid"] == os.getpid()


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert supernet("train", "--out", tmp_path / "file", *QUICK, "--overwrite").code == 2
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.slow
def test_two_processes_of_one_training_replace_a_run(run: Path) -> None:
    command = [sys.executable, "-m", "supernet", "train", "--out", str(run), *map(str, QUICK)]
    command += ["--seed", "3", "--devices", "2", "--overwrite"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((run / "training.json").read_text())["seed"] == 3
    assert json.loads((run / "config.json").read_text())["train"]["devices"] == 2
    assert not list(run.glob(".supernet*"))


def test_nothing_to_resume_is_an_error(finished: Path, tmp_path: Path) -> None:
    missing = tmp_path / "TYPO"
    trained = tmp_path / "trained"
    assert supernet("train", "--out", trained, *QUICK).code == 0
    for command in (
        ("train", "--out", missing),
        ("train", "--out", missing, *QUICK),
        ("run", "--out", missing),
        ("search", missing),
        ("search", trained),
        ("transfer", trained, "--data", "digits", "--out", missing),
        ("retrain", finished, "--best", "--steps", 2, "--out", missing),
    ):
        done = supernet(*command, "--resume")
        assert done.code == 2, command
        assert not missing.exists()
    assert "holds no run to resume" in supernet("train", "--out", missing, "--resume").err
    assert "one of them" in supernet("train", "--out", trained, "--resume", "--overwrite").err


def test_a_run_killed_before_its_first_checkpoint_resumes_from_its_settings(tmp_path: Path) -> None:
    out = tmp_path / "r"
    assert supernet("train", "--out", out, *QUICK, "--seed", 4).code == 0
    shutil.rmtree(out / "checkpoints")
    done = supernet("train", "--out", out, "--resume")
    assert done.code == 0, done.err
    newest = checkpoint.latest(out / "checkpoints")
    assert newest is not None
    assert checkpoint.load(newest)[1]["identity"]["seed"] == 4
    assert newest.name == "step-000000006.safetensors"


def test_a_latency_file_is_replaced_by_a_finished_one_alone(tmp_path: Path) -> None:
    from supernet.measure.latency.record import Record

    file = tmp_path / "important.json"
    file.write_text('{"mine": 1}')
    build = ("latency", "build", "--space", "nasbench201", "-S", "cells=1", "--out", file, "--overwrite")
    assert supernet(*build).code == 2
    assert file.read_text() == '{"mine": 1}'
    file.unlink()
    Record(file, "supernet latency table 1", {}, resume=True).save({"table": 1})
    with pytest.raises(KeyboardInterrupt), Record(file, "supernet latency table 1", {}, resume=False):
        raise KeyboardInterrupt
    assert json.loads(file.read_text())["result"] == {"table": 1}


def test_the_recorded_command_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["run", "--data", "my photographs", "--max", "macs=1e6"]
    monkeypatch.setattr("sys.argv", ["/lib/supernet/__main__.py", *words])
    assert shlex.split(environment()["command"]) == ["supernet", *words]


def test_a_directory_that_is_not_there_and_one_that_is_no_run_are_told_apart(tmp_path: Path) -> None:
    nowhere = RunDirectory(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="nowhere is not there, or empty; give a directory that"):
        nowhere.read("config.json", dict)
    with nowhere.alone(), pytest.raises(UsageError, match="nowhere is not there, or empty; give a directory that"):
        nowhere.read("config.json", dict)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match=f"{tmp_path} holds no config.json; give a directory that"):
        RunDirectory(tmp_path).read("config.json", dict)
