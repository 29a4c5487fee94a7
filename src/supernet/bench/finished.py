"""A run of a study or of one's own, read from its directory: what it was asked, what it spent, how it ranks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from supernet.bench.ranking import Ranking
from supernet.bench.spent import Spent
from supernet.errors import UsageError
from supernet.io import schema
from supernet.io.config import Config, Judging, Named
from supernet.io.run_directory import RunDirectory
from supernet.judge.report_rows import MASS
from supernet.quantity import ACCURACY, TRUE_SCORE, Quantity
from supernet.search import FrontFile

_RANKS_THE_SAME = ("monitor_every", "checkpoint_every", "conflict_every", "accelerator")
"""Settings of the training that do not decide how a run ranks."""
_SCORING = ("calibration", "calibration_images", "validation_images")
"""Settings of the search that judging uses too."""
_JUDGED = ("table", "dataset", "metric", "surrogate", "archs", "batch_size")
"""Settings that decide what a judgement by a table says."""


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


def _found(run: Path, score: Quantity) -> float | None:
    """The best score on the front of a search; None where there is none."""
    front = FrontFile.read(run)
    values = [] if front is None else [point.values[score.name] for point in front.points if score.name in point.values]
    return min(values, key=score.loss, default=None)
