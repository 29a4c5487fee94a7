"""What every command has in common: fast help, errors that are sentences, a process that may be started oddly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import pytest

from command_line import supernet
from quick_runs import SMALL
from signals import as_in_a_terminal
from supernet.errors import RunError
from supernet.runs.run import Run

TRAIN = ("train", "--out", "new", *SMALL, "--steps", 2, "--monitor-every", 0)
BUSY = {**os.environ, "OMP_NUM_THREADS": "1"}


def raising(error: BaseException) -> object:
    def stop(*_: object, **__: object) -> NoReturn:
        raise error

    return stop


@pytest.mark.slow
def test_help_and_lists_need_neither_torch_nor_numpy() -> None:
    script = (
        "import sys\n"
        "from supernet.cli.app import main\n"
        "for words in ('--help', 'run --help', 'latency build --help', 'list methods', 'list --json'):\n"
        "    sys.argv = ['supernet', *words.split()]\n"
        "    try:\n"
        "        main()\n"
        "    except SystemExit as stop:\n"
        "        assert not stop.code, words\n"
        "    loaded = {'torch', 'numpy', 'scipy', 'pymoo'} & set(sys.modules)\n"
        "    assert not loaded, (words, loaded)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: supernet COMMAND" in done.stdout
    assert '"methods": ' in done.stdout


@pytest.mark.slow
def test_importing_the_command_line_imports_nothing_that_takes_long() -> None:
    script = "import supernet.cli.app, sys; assert not {'cyclopts', 'msgspec', 'rich'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", [("judge", "."), ("latency", "build", ".")])
def test_ctrl_c_is_told_how_to_go_on(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    told = "error: interrupted; the same command goes on (run, train, search, retrain and transfer with --resume)\n"
    monkeypatch.setattr(Run, "open", raising(KeyboardInterrupt()))
    assert supernet(*command) == (1, "", told)
    hidden = ImportError("initialisation failed")  # what some packages make of it while they are imported
    hidden.__cause__ = KeyboardInterrupt()
    monkeypatch.setattr(Run, "open", raising(hidden))
    assert supernet(*command) == (1, "", told)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.6, 1.6])
def test_ctrl_c_while_packages_are_imported(seconds: float, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "supernet", "train", "--out", str(tmp_path / "r"), "--steps", "100000"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=BUSY, preexec_fn=as_in_a_terminal
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err, err
    if process.returncode == -signal.SIGINT:  # before Python was there, or while a library was in its own C++ code
        return
    assert process.returncode == 1, (process.returncode, out, err)
    last = err.splitlines()[-1]  # a fast machine may train by then
    assert last.startswith(("error: interrupted", "error: Training was interrupted")), err


def test_what_was_not_foreseen_is_a_sentence_and_its_place_is_shown_on_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Run, "open", raising(IndexError("row 7\nof 3")))
    done = supernet("judge", ".")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "error: IndexError: row 7 of 3. This was not foreseen; SUPERNET_TRACEBACK=1 in the environment shows where it "
        "arose.\n"
    )
    monkeypatch.setenv("SUPERNET_TRACEBACK", "1")
    assert "line " in supernet("judge", ".").err
    monkeypatch.setattr(Run, "open", raising(RunError("The disk is full.")))
    assert "Traceback" in supernet("judge", ".").err


def test_an_error_of_the_system_names_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "open", raising(OSError(28, "No space left on device", "runs/a/x")))
    assert supernet("judge", ".") == (1, "", "error: runs/a/x: No space left on device\n")


@pytest.mark.parametrize("columns", ["0", "1", "5", "x", "-3"])
def test_any_width_of_a_terminal(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for words in ((), ("run",)):
        done = supernet(*words, "--help")
        assert done.code == 0
        assert "Usage: supernet" in done.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "code"),
    [("supernet list methods | head -c 5 >/dev/null; echo ${PIPESTATUS[0]}", "1"), ("supernet list >&-; echo $?", "0")],
)
def test_an_output_that_nobody_reads(command: str, code: str) -> None:
    script = command.replace("supernet", f"{sys.executable} -c 'from supernet.cli.app import main; main()'")
    script = script.replace("| head -c 5", "| true")
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() in (code, "0")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "--space", "resnet"), ("resnet", "did you mean ofa_resnet50d", "supernet list spaces")),
        (("train", "--space", ":"), ("':'", "module:name")),
        (("train", "--space", "builtins:print"), ("builtins:print",)),
        (("train", "--method", "spo"), ("spo", "spos", "supernet list methods")),
        (("train", "--method", "nowhere:f"), ("nowhere",)),
        (("train", "--method", "darts"), ("sizes", "nasbench201")),
        (("train", "--data", "imagenet"), ("imagenet", "digits")),
        (("train", "--data", "~nosuchuser/x"), ("~nosuchuser",)),
        (("train", "-S", "depth=3"), ("mbconv", "depth", "num_classes")),
        (("train", "-S", "depth"), ("name=value",)),
        ((*TRAIN, "-S", "channels=99999999999999"), ("channels=99999999999999",)),
        ((*TRAIN, "-M", "weights.lr=NaN"), ("lr is nan",)),
        ((*TRAIN, "-M", "weights.lr=-1"), ("lr is -1",)),
        ((*TRAIN, "-M", "weights.lr=abc"), ("lr is 'abc'", "a number")),
        ((*TRAIN, "-M", "weights.momentum=-1"), ("momentum is -1",)),
        ((*TRAIN, "-M", "weights.clip_norm=NaN"), ("clip_norm is nan",)),
        ((*TRAIN, "-M", "weights.schedule=3"), ("schedule is 3", "Cosine")),
        ((*TRAIN, "--seed", "0.5"), ("--seed is '0.5'", "whole number")),
        ((*TRAIN, "--seed", "18446744073709551616"), ("--seed is '18446744073709551616'", "at most")),
        ((*TRAIN, "--seed", "-1"), ("--seed",)),
        ((*TRAIN, "--average", "nan"), ("--average is 'nan'", "above 0")),
        ((*TRAIN, "--accelerator", "tpu"), ("--accelerator is 'tpu'", "cuda")),
        ((*TRAIN, "--precision", "float64"), ("--precision is 'float64'", "bf16-mixed")),
        ((*TRAIN, "--devices", "100000"), ("100000",)),
        ((*TRAIN[:-2], "--monitor-every", "1e400"), ("--monitor-every is '1e400'",)),
        (("train", "--batch-size", "0"), ("--batch-size is '0'", "at least 1")),
        (("train", "--batch-size", "5000"), ("5000", "1150")),
        (("train", "--config", "none.toml"), ("none.toml",)),
        (("train", "--config", "deep.json"), ("deep.json", "JSON")),
        (("train", "--config", "deep.toml"), ("deep.toml", "TOML")),
        (("train", "--config", "bytes.json"), ("bytes.json",)),
        (("train", "--table", "none.csv"), ("none.csv", "retraining")),
        (("train", "--steps", "many"), ("--steps is 'many'",)),
        (("train", "--out", "caf\udce9"), (r"b'caf\xe9'", "UTF-8")),
        (("train", "stray"), ("stray", "supernet train --help")),
        (("train", "--stpes", "3"), ("--stpes", "supernet train --help")),
        (("trian",), ("trian", "train")),
        (("run", "--exports", "0"), ("--exports is '0'", "at least 1")),
        (("run", "--table", "t.csv", "--retrain", "5"), ("--table", "--retrain", "one of them")),
        (("run", "--retrain", "2"), ("retrain is 2", "at least 3")),
        (("run", "--retrain", "5", "--workers", "0"), ("--workers is '0'",)),
        (("run", "--config", "."), (". cannot be read",)),
        (("search", "nowhere"), ("nowhere", "not there")),
        (("search", "RUN", "--budget", "1.5"), ("--budget is '1.5'", "whole number")),
        (("search", "RUN", "--workers", "two"), ("--workers is 'two'", "ray:8")),
        (("search", "RUN", "--max", "macs"), ("name=value", "macs")),
        (("search", "RUN", "--max", "macs=abc"), ("macs", "abc")),
        (("search", "RUN", "--objectives", ","), ("--objectives",)),
        (("search", "RUN", "-R", "population=0"), ("population", "at least 1")),
        (("search", "RUN", "-R", "size=9"), ("size", "population")),
        (("search", "RUN", "--calibration", "ofa", "--calibration-images", 9), ("ofa", "examples of its own")),
        (("search", "RUN", "--space", "mbconv"), ("says itself",)),
        (("search", "RUN", "-S", "channels=4"), ("--space-option", "--space")),
        (("export", "RUN", "--format", "tflite"), ("tflite", "onnx")),
        (("export", "RUN", "--arch", "bytes.json"), ("bytes.json", "UTF-8")),
        (("export", "RUN", "--arch", "x" * 5000), ("is not an architecture",)),
        (("retrain", "RUN", "--best", "--steps", "3", "--batch-size", "0"), ("--batch-size is '0'", "at least 1")),
        (("retrain", "RUN", "--best", "--steps", "3", "--lr", "nan"), ("--lr is 'nan'",)),
        (("retrain", "RUN", "--best", "--steps", "3", "--lr=-1"), ("--lr is '-1'",)),
        (("latency", "build", "RUN", "--check=-1"), ("--check is '-1'", "at least 0")),
        (("latency", "build", "RUN", "--threads", "3000"), ("threads=3000", "cores")),
        (("latency", "build", "RUN", "--seconds", "nan"), ("--seconds is 'nan'",)),
        (("latency", "build", "RUN", "--learn", "3"), ("--learn is 3", "at least 20")),
        (("transfer", "RUN", "--data", "digits", "--out", "new", "--images", "0"), ("--images is '0'",)),
        (("transfer", "RUN", "--data", "digits"), ("--out",)),
        (("bench", "study.toml", "--workers", "0"), ("--workers is '0'",)),
        (("bench", "study.toml", "--seeds", "0,x"), ("--seeds is 'x'",)),
        (("list", "models"), ("models", "methods")),
        (("cite", "nothing"), ("nothing", "supernet list methods")),
        (("report", "nowhere"), ("nowhere",)),
    ],
    ids=lambda value: " ".join(map(str, value))[:80].encode("ascii", "replace").decode(),
)
def test_wrong_requests_are_explained(
    arguments: tuple[str, ...],
    words: tuple[str, ...],
    trained_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "deep.toml").write_text("a = " + "[" * 100_000)
    (tmp_path / "bytes.json").write_bytes(b"\xff{}")
    before = sorted(path.name for path in tmp_path.iterdir())
    done = supernet(*(trained_run if word == "RUN" else word for word in arguments))
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert done.err.startswith("error: ")
    assert "not foreseen" not in done.err
    for word in words:
        assert word in done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before
