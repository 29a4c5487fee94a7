"""Verbs that are killed at random moments and go on: every result is that of one that ran through.

    python -m tests.hardening.kills [--kills 200] [--seed 0] [--only TRIAL …]

A trial runs through once; then it is killed (SIGKILL) at a random moment of as long a time, sometimes twice, goes on
by `--resume` until it ends, and its results are compared with those of the first: tensors of checkpoints, lines of
records, figures, bit for bit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from safetensors import safe_open

from quick_runs import SMALL_SPACE, study

ROOT = Path(__file__).parents[2]
MINUTES = 10
TIMES = ("seconds", "examples_per_s", "date", "created", "updated", "wall", "pid")
"""What two runs of the same work tell otherwise."""

TRAIN = ("--batch-size", 32, "--monitor-every", 0)
SPOS = (*SMALL_SPACE, "--method", "spos", *TRAIN)
ELASTIC = ("--space", "mbconv", *TRAIN)


@dataclass(frozen=True)
class Trial:
    """Work that can be killed.

    Attributes:
        work: The arguments of the verb; `{}` is the folder of the trial.
        before: Verbs that are done first, and not killed.
        resume: What is added to go on.
    """

    work: tuple[object, ...]
    before: tuple[tuple[object, ...], ...] = ()
    resume: tuple[str, ...] = ("--resume",)


def training(*options: object, steps: int = 60) -> Trial:
    """A training with a checkpoint at every fifth step."""
    return Trial(("train", "--out", "{}/run", "--steps", steps, "--checkpoint-every", 5, *options))


EVOLUTION = ("--searcher", "evolution", "--objectives", "accuracy")
SMALL_GENERATIONS = ("-R", "population=8", "-R", "parents=4")
AFTER = ("--budget", 8, "--exports", 1, "--format", "program")
TRAINED = (("train", "--out", "{}/run", "--steps", 12, *SPOS),)
TRIALS: dict[str, Trial] = {
    "train spos": training(*SPOS),
    "train fairnas": training(*SMALL_SPACE, "--method", "fairnas", *TRAIN),
    "train sandwich": training(*ELASTIC, "--method", "sandwich", steps=30),
    "train darts": training(*SMALL_SPACE, "--method", "darts", *TRAIN),
    "train gdas": training(*SMALL_SPACE, "--method", "gdas", *TRAIN),
    "train few_shot": training(*SMALL_SPACE, "--method", "few_shot", *TRAIN),
    "train dynas of fairnas": training(*SMALL_SPACE, "--method", "dynas", "-M", "recipe=fairnas", *TRAIN),
    "train greedynas": training(*SMALL_SPACE, "--method", "greedynas", *TRAIN, steps=30),
    "train mean_teacher": training(*SMALL_SPACE, "--method", "mean_teacher", *TRAIN),
    "train cream": training("--space", "cream", "--tiny", "--method", "cream", "--data", "digits", *TRAIN, steps=30),
    "train fedsup": training(*ELASTIC, "--method", "fedsup", "-M", "local_epochs=1", steps=24),
    "search evolution": Trial(("search", "{}/run", *EVOLUTION, "--budget", 60), TRAINED),
    "search nsga2": Trial(("search", "{}/run", "--budget", 60), TRAINED),
    "search shifting": Trial(
        ("search", "{}/run", *EVOLUTION, "--budget", 24, *SMALL_GENERATIONS, "--shift-option", "images=64"), TRAINED
    ),
    "retrain": Trial(
        ("retrain", "{}/run", "--arch", "{}/arch.json", "--steps", 260, "--batch-size", 32),
        TRAINED,
    ),
    "run": Trial(("run", "--out", "{}/run", "--steps", 20, "--checkpoint-every", 5, *SPOS, *AFTER)),
    "bench": Trial(("bench", "{}/study.toml", "--out", "{}/bench"), resume=()),
}

ARCH = {
    "1<-0": "nor_conv_3x3",
    "2<-0": "none",
    "2<-1": "skip_connect",
    "3<-0": "nor_conv_1x1",
    "3<-1": "none",
    "3<-2": "nor_conv_3x3",
}


def filled(arguments: Sequence[object], folder: Path) -> list[str]:
    return [str(one).replace("{}", str(folder)) for one in arguments]


def begun(arguments: Sequence[object], folder: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "supernet", *filled(arguments, folder)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def done(arguments: Sequence[object], folder: Path) -> tuple[int, str]:
    process = begun(arguments, folder)
    _, said = process.communicate(timeout=60 * MINUTES)
    return process.returncode, said[-600:]


def prepared(trial: Trial, folder: Path) -> Path:
    """A folder in which the work can begin."""
    folder.mkdir(parents=True)
    (folder / "study.toml").write_text(study(seeds=2, steps=10))
    (folder / "arch.json").write_text(json.dumps(ARCH))
    for arguments in trial.before:
        code, said = done(arguments, folder)
        assert code == 0, said
    return folder


def results(folder: Path) -> dict[str, str]:
    """A digest of every result, by file."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".safetensors" and path == sorted(path.parent.glob("*.safetensors"))[-1]:
            found[name] = _of_tensors(path)
        elif path.name in ("search.jsonl", "front.json", "derived.json", "space.json", "scores.jsonl", "table.jsonl"):
            lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
            told = json.dumps([_timeless(json.loads(line), folder) for line in lines], sort_keys=True)
            found[name] = hashlib.sha256(told.encode()).hexdigest()
        elif path.name == "train.jsonl":
            rows = {row["step"]: _timeless(row, folder) for row in map(json.loads, path.read_text().splitlines())}
            found[name] = hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()
    return found


def _of_tensors(path: Path) -> str:
    digest = hashlib.sha256()
    with safe_open(path, framework="numpy") as file:  # type: ignore[no-untyped-call]
        for name in sorted(file.keys()):
            tensor = file.get_tensor(name)
            digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode() + tensor.tobytes())
    return digest.hexdigest()


def _timeless(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(one, folder) for key, one in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [_timeless(one, folder) for one in value]
    return value.replace(str(folder), "") if isinstance(value, str) else value


def killed(trial: Trial, folder: Path, seconds: float, random: Random) -> tuple[list[float], str | None]:
    """Kill the work once or twice and go on until it ends; when it was killed, and what is wrong."""
    moments, arguments = [], trial.work
    for _ in range(random.choice((1, 1, 2))):
        moment = random.uniform(0, seconds)
        process = begun(arguments, folder)
        time.sleep(moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        moments.append(moment)
        arguments = (*trial.work[: _kept(trial)], *trial.resume) if _has_begun(trial, folder) else trial.work
    code, said = done(arguments, folder)
    return moments, None if code == 0 else f"it ended with {code}: {said}"


def _kept(trial: Trial) -> int:
    """How many arguments a verb takes to go on: a training and a whole run know the rest."""
    return {"train": 3, "run": 3}.get(str(trial.work[0]), len(trial.work))


def _has_begun(trial: Trial, folder: Path) -> bool:
    if trial.work[0] in ("train", "run"):
        return (folder / "run" / "config.json").is_file()
    if trial.work[0] == "search":
        return (folder / "run" / "search.json").is_file()
    return trial.work[0] == "bench" or any((folder / "run" / "retrained").glob("*"))


def tried(name: str, numbers: Sequence[int], seed: int, place: Path) -> list[str]:
    """Kill a trial so many times; what went wrong, a sentence each."""
    trial, faults = TRIALS[name], []
    original = prepared(trial, place / "original")
    through = Path(shutil.copytree(original, place / "through"))
    clock = time.perf_counter()
    code, said = done(trial.work, through)
    seconds = time.perf_counter() - clock
    if code:
        return [f"{name} does not run: {said}"]
    expected = results(through)
    if not expected:
        return [f"{name} leaves no result to compare"]
    for number in numbers:
        folder = Path(shutil.copytree(original, place / "killed"))
        moments, wrong = killed(trial, folder, seconds, Random(f"{seed}/{name}/{number}"))
        found = results(folder)
        differ = sorted(file for file in expected | found if expected.get(file) != found.get(file))
        at = ", ".join(f"{moment:.1f}" for moment in moments)
        if wrong is not None or differ:
            faults.append(f"{name}, kill {number} after {at} of {seconds:.1f} s: {wrong or f'{differ} differ'}")
        shutil.rmtree(folder)
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=list(TRIALS), choices=list(TRIALS))
    options = parser.parse_args()
    total, each = 0, -(-options.kills // len(options.only))
    for name in options.only:
        with tempfile.TemporaryDirectory() as place:
            faults = tried(name, range(each), options.seed, Path(place))
        total += len(faults)
        print(f"{name}: {each} kills, {len(faults)} faults", *faults, sep="\n  ", flush=True)
    raise SystemExit(bool(total))


if __name__ == "__main__":
    main()
