"""A run that is over, read from its directory."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from supernet.bench.budget import Budget
from supernet.errors import RunError, UsageError
from supernet.io.run_directory import RunDirectory
from supernet.rank.checks import Floats
from supernet.runs.config import Config
from supernet.search import FrontFile

_SCORES = "supernet "


@dataclass(frozen=True, eq=False)
class Ranking:
    """Scores of N architectures, as `ranking.csv` holds them.

    Attributes:
        archs: The architectures as text (N,).
        true: Their true scores (N,); higher is better.
        predicted: The supernet's scores (N,).
        baselines: Scores (N,) that cost nothing, by name, such as `"parameter count"`.
    """

    archs: tuple[str, ...]
    true: Floats
    predicted: Floats
    baselines: Mapping[str, Floats]

    def take(self, archs: tuple[str, ...]) -> Ranking:
        """Only these architectures, in this order."""
        if archs == self.archs:
            return self
        place = {arch: row for row, arch in enumerate(self.archs)}
        rows = [place[arch] for arch in archs]
        baselines = {name: values[rows] for name, values in self.baselines.items()}
        return Ranking(archs, self.true[rows], self.predicted[rows], baselines)


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run with its results.

    Attributes:
        path: Its directory.
        config: Its configuration.
        space: Fingerprint of its space.
        budget: What it spent.
        ranking: Scores, if it was judged.
        found_accuracy: Best validation accuracy that its search found with inherited weights, if it was searched.
        truth: What it was judged against, in words.
    """

    path: Path
    config: Config
    space: str
    budget: Budget
    ranking: Ranking | None
    found_accuracy: float | None
    truth: str

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
        directory = RunDirectory(path)
        config = Config.from_json(directory.read("config.json"))
        ranked = path / "ranking.csv"
        if not ranked.is_file() and not (path / "front.json").is_file():
            raise UsageError(
                f"{path} has no ranking.csv, so it has not been judged (or by an older version). Judge it first: "
                f"supernet judge {path} --table FILE."
            )
        return cls(
            path=path,
            config=config,
            space=directory.read("space.json")["fingerprint"],
            budget=Budget.read(path),
            ranking=_read_ranking(ranked) if ranked.is_file() else None,
            found_accuracy=_found(path / "front.json"),
            truth=directory.read("judge.json").get("truth", "") if (path / "judge.json").is_file() else "",
        )


def _read_ranking(path: Path) -> Ranking:
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    head, body = rows[0] if rows else [], rows[1:]
    scored = [name for name in head if name.startswith(_SCORES)]
    if not {"arch", "true"} <= set(head) or len(scored) != 1:
        raise RunError(
            f"{path} does not hold the ranking of one training (its columns are {', '.join(head) or 'missing'}). "
            "Judge the run again."
        )
    columns: dict[str, Any] = {}
    for place, name in enumerate(head):
        try:
            column = [row[place] for row in body]
            columns[name] = column if name == "arch" else np.asarray([float(text) for text in column])
        except (IndexError, ValueError) as error:
            raise RunError(f"{path} is damaged in the column {name!r} ({error}). Judge the run again.") from error
    archs = tuple(columns.pop("arch"))
    true, predicted = columns.pop("true"), columns.pop(scored[0])
    return Ranking(archs, true, predicted, columns)


def _found(path: Path) -> float | None:
    front = FrontFile.read(path.parent)
    points = () if front is None else front.points
    return max((point.values["accuracy"] for point in points if "accuracy" in point.values), default=None)
