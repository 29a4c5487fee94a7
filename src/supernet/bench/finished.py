"""A run of a study or of one's own, read from its directory: what it was asked, what it spent, how it ranks."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from supernet.errors import RunError, UsageError
from supernet.io import schema
from supernet.io.config import Config, Judging, Named
from supernet.io.files import read_text
from supernet.io.lines import read_lines
from supernet.io.run_directory import RunDirectory
from supernet.judge.report import MASS
from supernet.quantity import ACCURACY, TRUE_SCORE, Quantity
from supernet.rank.checks import Floats
from supernet.search import FrontFile

_SCORES = "supernet "
_RANKS_THE_SAME = ("monitor_every", "checkpoint_every", "conflict_every", "accelerator")
"""Settings of the training that do not decide how a run ranks."""
_SCORING = ("calibration", "calibration_images", "validation_images")
"""Settings of the search that judging uses too."""
_JUDGED = ("table", "dataset", "metric", "surrogate", "archs", "batch_size")
"""Settings that decide what a judgement by a table says."""


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a run has spent; None where it is not known.

    Attributes:
        steps: Number of training steps that were done.
        asked_steps: Number of training steps that were asked for; more than `steps` where the training was stopped.
        forwards: Number of forwards, each of one path over one batch, ratings included.
        backwards: Number of backwards, each of one path over one batch: what budgets are compared by.
        images: Number of images that went backward through the supernet, backwards × batch size.
        images_forward: Number of images that went forward through it.
        training_seconds: Seconds of training steps, from the log; evaluations on the way are not in it.
        judging_seconds: Seconds of judging or searching.
        training_memory_bytes: Largest resident memory of the process by the end of training.
        memory_bytes: Larger of that and the memory of the whole process.
        accelerator_memory_bytes: Largest memory that torch allocated on the accelerator.
        threads: Number of CPU threads of torch.
        workers: Number of runs that were made at the same time.
        machine: Processor and accelerator, in words.
    """

    steps: int
    asked_steps: int
    forwards: float | None
    backwards: float | None
    images: int | None
    images_forward: int | None
    training_seconds: float
    judging_seconds: float | None
    training_memory_bytes: int | None
    memory_bytes: int | None
    accelerator_memory_bytes: int | None
    threads: int | None
    workers: int | None
    machine: str | None

    @property
    def seconds(self) -> float:
        """Of the whole run."""
        return self.training_seconds + (self.judging_seconds or 0.0)

    @classmethod
    def read(cls, run: Path) -> Spent:
        """What the run directory says.

        Raises:
            UsageError: it holds no training.
            RunError: a file is damaged.
        """
        directory = RunDirectory(run)
        asked = directory.read("training.json", schema.Training)
        machine = directory.read("environment.json", schema.Environment)
        took = read_resources(run)
        log = read_lines(directory.log, schema.Logged).rows
        if not log:
            raise RunError(
                f"{directory.log} is empty, so it is not the log of a training. Finish the training, or leave the run "
                "out."
            )
        last, batch = log[-1], asked.batch_size
        rows = [schema.Logged(step=0, seconds=0.0), *log]
        seconds = sum(_seconds(row, (row.step - before.step) * batch) for before, row in pairwise(rows))
        stopped = not (run / "counts.json").is_file()  # written by a training that ends, if before its last step
        memory = [took.training_memory_bytes, took.memory_bytes]
        return cls(
            steps=last.step,
            asked_steps=asked.steps if stopped else last.step,
            forwards=last.forwards,
            backwards=last.backwards,
            images=None if last.backwards is None else round(last.backwards * batch),
            images_forward=None if last.forwards is None else round(last.forwards * batch),
            training_seconds=round(seconds, 1),
            judging_seconds=took.judging_seconds,
            training_memory_bytes=took.training_memory_bytes,
            memory_bytes=max((count for count in memory if count), default=None),
            accelerator_memory_bytes=took.accelerator_memory_bytes,
            threads=took.threads or machine.threads,
            workers=took.workers,
            machine=", ".join(filter(None, (machine.cpu, machine.accelerator))) or None,
        )


@dataclass(frozen=True, eq=False)
class Ranking:
    """Scores of N architectures, as `ranking.csv` holds them.

    Attributes:
        archs: The architectures as text (N,).
        true: Their true scores (N,), the higher the better.
        predicted: The supernet's scores (N,), the higher the better.
        baselines: Scores (N,) that cost nothing, by name, such as `"parameter count"`.
    """

    archs: tuple[str, ...]
    true: Floats
    predicted: Floats
    baselines: Mapping[str, Floats]

    def take(self, archs: tuple[str, ...]) -> Ranking:
        """Only these architectures, in this order."""
        place = {arch: row for row, arch in enumerate(self.archs)}
        rows = [place[arch] for arch in archs]
        baselines = {name: values[rows] for name, values in self.baselines.items()}
        return Ranking(archs, self.true[rows], self.predicted[rows], baselines)

    @classmethod
    def read(cls, path: Path, *, metric: Quantity = TRUE_SCORE, score: Quantity = ACCURACY) -> Ranking:
        """Read the scores of one training.

        Args:
            path: The file.
            metric: What its true scores are.
            score: What the supernet's scores are.

        Raises:
            RunError: the file is damaged, or holds no such scores.
        """
        try:
            head, *body = list(csv.reader(io.StringIO(read_text(path) or "", newline=""))) or [[]]
            columns = dict(zip(head, zip(*body, strict=True), strict=True))
        except (csv.Error, ValueError) as error:
            raise RunError(f"{path} is damaged ({error}). Judge the run again.") from error
        scored = [name for name in columns if name.startswith(_SCORES)]
        if not {"arch", "true"} <= columns.keys() or len(scored) != 1:
            raise RunError(
                f"{path} does not hold the ranking of one training (its columns are {', '.join(columns) or 'missing'})."
                " Judge the run again."
            )
        archs, values = columns.pop("arch"), dict[str, Floats]()
        for name, column in columns.items():
            try:
                values[name] = np.asarray(column, dtype=np.float64)
            except ValueError as error:
                raise RunError(f"{path} is damaged in the column {name!r} ({error}). Judge the run again.") from error
            if not np.isfinite(values[name]).all():
                raise RunError(f"{path} is damaged in the column {name!r} (not all finite). Judge the run again.")
        return cls(archs, metric.sign * values.pop("true"), score.sign * values.pop(scored[0]), values)


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run with its results.

    Attributes:
        path: Directory of the run.
        config: Configuration of the run.
        space: Fingerprint of the run's space.
        spent: Steps, forwards and backwards, time and memory that the run spent.
        ranking: Scores, if it was judged.
        score: What its task compares networks by.
        found: The best value of `score` that its search found with inherited weights, if it was searched for it.
        truth: What it was judged against, in words.
        derived: Where the architecture stands that its method has derived, if it has and this was judged.
        mass: Sampling mass of the truly best 5 %, and that of drawing uniformly, if there are architecture weights.
        metric: What the truth is about. Where less of it is better, the scores of `ranking` have the sign turned.
    """

    path: Path
    config: Config
    space: str
    spent: Spent
    ranking: Ranking | None
    score: Quantity
    found: float | None
    truth: str
    derived: schema.Standing | None = None
    mass: tuple[float, float] | None = None
    metric: Quantity = TRUE_SCORE

    @property
    def seed(self) -> int:
        """Its seed."""
        return self.config.seed

    @classmethod
    def read(cls, path: Path) -> FinishedRun:
        """Read a run directory.

        Raises:
            UsageError: it is no run, or has been neither judged nor searched.
            RunError: a file is damaged.
        """
        directory, ranked = RunDirectory(path), path / "ranking.csv"
        if not ranked.is_file() and not (path / "front.json").is_file():
            raise UsageError(
                f"{path} has no ranking.csv, so it has not been judged (or by an older version). Judge it first: "
                f"supernet judge {path} --table FILE."
            )
        judged = directory.read("judge.json", schema.Judged) if (path / "judge.json").is_file() else schema.Judged()
        known = directory.read("data.json", schema.Data) if (path / "data.json").is_file() else None
        score = known.scores[0] if known else ACCURACY
        return cls(
            path=path,
            config=Config.read(path / "config.json"),
            space=directory.read("space.json", schema.Space).fingerprint,
            spent=Spent.read(path),
            ranking=Ranking.read(ranked, metric=judged.metric, score=judged.score) if ranked.is_file() else None,
            score=score,
            found=_found(path, score),
            truth=judged.truth,
            derived=judged.derived,
            mass=_mass(judged),
            metric=judged.metric,
        )


def _seconds(row: schema.Logged, images: int) -> float:
    """How long the steps before a line of the log took; older logs tell the images per second alone."""
    if row.seconds is not None:
        return row.seconds
    return images / row.per_second if row.per_second else 0.0


def _mass(judged: schema.Judged) -> tuple[float, float] | None:
    found = {row.ranking: row.value for row in judged.figures if row.measure == MASS and row.value is not None}
    return (found["supernet"], found["random order"]) if len(found) == 2 else None


def is_finished(run: Path, judge: Judging | None) -> bool:
    """Whether a run of a study is complete: searched, or judged as the study says.

    One whose judgement does not say how it was made, as of an earlier version, is taken as it is.

    Raises:
        RunError: a file is damaged.
    """
    if judge is None:
        return (run / "front.json").is_file()
    if not (run / "judge.json").is_file() or not (run / "ranking.csv").is_file():
        return False
    if not (run / "judging.json").is_file():
        return True
    kept = RunDirectory(run).read("judging.json", schema.Judgement).judge
    return all(getattr(kept, name) == getattr(judge, name) for name in _JUDGED)


def read_resources(run: Path) -> schema.Resources:
    """What a run of a study took; nothing is known of one that was made by hand."""
    known = (run / "resources.json").is_file()
    return RunDirectory(run).read("resources.json", schema.Resources) if known else schema.Resources()


def settings(config: Config) -> dict[str, Any]:
    """What decides how a run ranks, besides its seed: `"method"`, `"method.weights.lr"`, `"train.steps"` …"""
    found: dict[str, Any] = {}
    for part in ("space", "method", "data"):
        named: Named = getattr(config, part)
        found[part] = named.name
        found |= {f"{part}.{option}": value for option, value in named.options.items()}
    found |= {f"train.{name}": value for name, value in asdict(config.train).items() if name not in _RANKS_THE_SAME}
    return found | {f"search.{name}": getattr(config.search, name) for name in _SCORING}


def differences(config: Config, other: Config) -> dict[str, Any]:
    """The settings of `config` that `other` has not, or has otherwise; `(default)` where only `other` gives one."""
    ours, theirs = settings(config), settings(other)
    missing = object()
    names = dict.fromkeys([*ours, *theirs])
    return {name: ours.get(name, "(default)") for name in names if ours.get(name, missing) != theirs.get(name, missing)}


def find_runs(paths: Iterable[Path]) -> list[Path]:
    """Run directories: each path itself, or all trained runs below it.

    Raises:
        UsageError: a path holds no run, or one is given twice.
    """
    found: list[Path] = []
    for path in paths:
        inside = [path]
        if not (path / "config.json").is_file():
            below = (config.parent for config in path.rglob("config.json"))
            inside = sorted(run for run in below if (run / "train.jsonl").is_file() and not run.name.startswith("."))
        if not inside:
            raise UsageError(f"{path} holds no run; give directories that `supernet train`, `run` or `bench` has made.")
        found += inside
    places = [path.resolve() for path in found]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise UsageError(f"The run {found[number]} is given twice.")
    return found


def grouped(runs: Sequence[FinishedRun]) -> dict[str, list[FinishedRun]]:
    """Runs that differ in nothing but their seed, by name and in order of seed.

    Raises:
        UsageError: two runs of the same settings and seed.
    """
    groups: dict[str, list[FinishedRun]] = {}
    for run in runs:
        groups.setdefault(json.dumps(settings(run.config), sort_keys=True), []).append(run)
    named: dict[str, list[FinishedRun]] = {}
    for group in groups.values():
        group.sort(key=lambda run: run.seed)
        for one, other in pairwise(group):
            if one.seed == other.seed:
                raise UsageError(
                    f"{one.path} and {other.path} are runs of the same settings and the same seed {one.seed}. "
                    "They are not two samples of anything; leave one out."
                )
        name, number = _name(group), 2
        while (unique := name if name not in named else f"{name} ({number})") in named:
            number += 1
        named[unique] = group
    return named


def _name(group: Sequence[FinishedRun]) -> str:
    """What the directories call it, without the seed; the method where they do not agree."""
    names = {_stem(run.path.resolve(), run.seed) for run in group}
    return names.pop() if len(names) == 1 else group[0].config.method.name


def _stem(path: Path, seed: int) -> str:
    if re.fullmatch(r"(seed)?[-_ ]?\d+", path.name):
        return path.parent.name
    return re.sub(rf"[-_ ]?(seed)?[-_ ]?{seed}$", "", path.name) or path.name


def _found(run: Path, score: Quantity) -> float | None:
    """The best score on the front of a search; None where there is none."""
    front = FrontFile.read(run)
    values = [] if front is None else [point.values[score.name] for point in front.points if score.name in point.values]
    return min(values, key=score.loss, default=None)
