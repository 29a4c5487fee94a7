"""What a run has brought, as plain data for an analysis of one's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supernet.errors import RunError, require
from supernet.io import schema
from supernet.report.reading import read_run
from supernet.report.run_files import RunFiles
from supernet.search.evaluation import Point

__all__ = ["Records", "Results", "load"]


class Records(list[dict[str, Any]]):
    """Rows of values by name, whose columns are alike or missing; `pandas.DataFrame(records)` takes them as they are.

    >>> rows = Records([{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0, "lr": 0.1}])
    >>> rows.columns, rows.column("lr")
    (('step', 'loss', 'lr'), [None, 0.1])
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all values, in the order in which they first occur."""
        return tuple(dict.fromkeys(name for row in self for name in row))

    def column(self, name: str) -> list[Any]:
        """The values of one name; None where a row has none."""
        return [row.get(name) for row in self]

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` of the rows.

        Raises:
            RunError: pandas is not installed.
        """
        require("pandas", "analysis", "Making a table of pandas")
        import pandas

        return pandas.DataFrame(list(self), columns=list(self.columns))


@dataclass(frozen=True)
class Results:
    """The files of a run as data; what a run has not made yet is empty or None.

    Attributes:
        path: The run directory.
        config: Its configuration, as `config.json` has it.
        history: The log of the training: a row per line.
        archive: All architectures that the search has evaluated: their values, then the options, as `arch.NAME`.
        front: Those on the front, in its order.
        ranking: The judged architectures: their true value as `true`, what each ranking gives them, and the options.
        exports: The networks that were taken out: name, values, scores of the file, and the options.
        derived: The architecture that the method derived.
        judgement: The figures of the judgement: measure, ranking, value and interval.
        damaged: A sentence for each file that could not be read.
    """

    path: Path
    config: Mapping[str, Any]
    history: Records
    archive: Records
    front: Records
    ranking: Records
    exports: Records
    derived: Mapping[str, Any] | None
    judgement: Records
    damaged: tuple[str, ...]


def load(path: Path | str, *, strict: bool = True) -> Results:
    """The results of a run directory as plain data.

    Args:
        path: The run directory, or that of a search.
        strict: Whether a damaged file is an error; otherwise it is named in `Results.damaged`, and what it held is
            missing.

    Raises:
        UsageError: the directory does not exist or holds no file of a run.
        RunError: a file is damaged.
    """
    run = read_run(Path(path))
    if strict and run.damaged:
        raise RunError(run.damaged[0])
    return Results(
        path=run.directory,
        config=run.config,
        history=Records({"step": record.step, **record.scalars} for record in run.train),
        archive=_points(run.search),
        front=_points(run.front.points if run.front else ()),
        ranking=Records({"true": row.true, **row.scores, **_options(row.arch)} for row in run.scores),
        exports=Records(
            {"name": network.name, **network.values, **network.verified, **_options(network.arch)}
            for network in run.networks
        ),
        derived=None if run.derived is None else run.derived.arch,
        judgement=_figures(run),
        damaged=tuple(run.damaged),
    )


def _points(points: Iterable[Point]) -> Records:
    rows = Records()
    for point in points:
        generation = {} if point.generation is None else {"generation": point.generation}
        rows.append({**generation, **point.values, **_options(point.arch)})
    return rows


def _options(arch: schema.Arch) -> dict[str, Any]:
    return {f"arch.{name}": option for name, option in arch.items()}


def _figures(run: RunFiles) -> Records:
    if run.judgement is None:
        return Records()
    figures = run.judgement.figures
    return Records({name: getattr(figure, name) for name in figure.__struct_fields__} for figure in figures)
