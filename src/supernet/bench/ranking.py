"""The scores of N architectures that a judgement has written."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from supernet.errors import RunError
from supernet.io.files import read_text
from supernet.quantity import ACCURACY, TRUE_SCORE, Quantity
from supernet.rank.checks import Floats

_SCORES = "supernet "


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
