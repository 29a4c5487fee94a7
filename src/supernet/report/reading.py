"""Read a run directory; a damaged file costs its part of the page alone."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from msgspec.json import encode

from supernet.errors import RunError, UsageError
from supernet.io import schema
from supernet.io.files import damaged, decode, read_json, read_text
from supernet.io.lines import read_lines
from supernet.io.run_directory import SEARCHED
from supernet.nn.diagram import Diagram
from supernet.report.run_files import Derived, Network, Record, RunFiles, Scored, by_split, measured
from supernet.search.evaluation import Point
from supernet.search.front import FrontFile

_T = TypeVar("_T")


def read_run(directory: Path) -> RunFiles:
    """Read a run directory. A damaged file costs its part alone, and is named in `damaged`.

    Raises:
        UsageError: the directory does not exist or holds no file of a run.
    """
    if not directory.is_dir():
        raise UsageError(f"{directory} is not a directory. Give the directory that a run was written to.")
    reader = _Reader(directory)
    config, environment = reader.json("config.json", dict[str, Any]), reader.environment("")
    folders = sorted(f"{path.parent.name}/" for path in directory.glob("*/retrained.json"))
    retrainings = {folder: reader.json(f"{folder}retrained.json", schema.Retrained) for folder in folders}
    run = RunFiles(
        directory=directory,
        config=config or {},
        environment=environment,
        train=reader.log("train.jsonl", schema.Step, lambda row: row.step),
        strengths=reader.lines("choices.jsonl", schema.Strengths),
        space=reader.json("space.json", schema.Space),
        search=reader.lines(SEARCHED, Point),
        shifted=reader.log("shifted/shifting.jsonl", schema.Generation, lambda row: row.generation),
        front=reader.part(lambda: FrontFile.read(directory)),
        exports=reader.part(lambda: _networks(directory / "exports.json")) or [],
        samples=reader.json("samples.json", list[schema.Sample]) or [],
        retrainings={folder[:-1]: found for folder, found in retrainings.items() if found is not None},
        commands={folder[:-1]: told for folder in folders if (told := reader.environment(folder).command)},
        searching=reader.json("searching.json", schema.Search),
        judging=reader.json("judging.json", schema.Judgement),
        judgement=reader.json("judge.json", schema.Judged),
        scores=reader.part(lambda: _scores(directory / "ranking.csv")) or [],
        counts=reader.json("counts.json", list[schema.Count]) or [],
        data=reader.json("data.json", schema.Data),
        training=reader.json("training.json", schema.Training),
        derived=reader.derived(),
        derived_by_task=reader.derived_by_task(),
        torn=reader.torn,
        damaged=reader.damaged,
    )
    known = environment != schema.Environment()
    if not any((config, known, run.train, run.space, run.search, run.front, run.exports, run.damaged)):
        raise UsageError(
            f"{directory} holds no files of a run (config.json, train.jsonl, front.json, …). "
            "Give the directory that a run was written to."
        )
    return run


class _Reader:
    """Reads the files of one directory and keeps what was wrong with them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.torn: list[str] = []
        self.damaged: list[str] = []

    def part(self, read: Callable[[], _T | None]) -> _T | None:
        """What a function reads; None where that is damaged."""
        try:
            return read()
        except RunError as error:
            self.damaged.append(str(error))
            return None

    def json(self, name: str, kind: type[_T]) -> _T | None:
        """A JSON file; None where it is missing or damaged."""
        return self.part(lambda: read_json(self.directory / name, kind))

    def environment(self, folder: str) -> schema.Environment:
        """The environment of a folder, as far as it is known."""
        return self.json(f"{folder}environment.json", schema.Environment) or schema.Environment()

    def derived(self) -> Derived | None:
        """The architecture that the method has derived."""
        found = self.json("derived.json", schema.Derived)
        return None if found is None else self._drawn("derived.json", found)

    def derived_by_task(self) -> dict[str, Derived]:
        """The architectures that the method has derived for each task, by its name."""
        name = "derived_by_task.json"
        found = self.json(name, dict[str, schema.Derived]) or {}
        return {task: self._drawn(name, one, f"{task!r}.") for task, one in found.items()}

    def _drawn(self, name: str, found: schema.Derived, place: str = "") -> Derived:
        """With its drawing, unless that is damaged."""
        path, told = self.directory / name, found.diagram
        drawn = self.part(lambda: None if told is None else decode(encode(told), Diagram, path, f"{place}diagram"))
        return Derived(found.decisions, drawn)

    def lines(self, name: str, kind: type[_T]) -> Sequence[_T]:
        """A file of lines; none where it is damaged. A last one without its end is left out and noted."""
        found = self.part(lambda: read_lines(self.directory / name, kind))
        if found is None:
            return []
        self.torn += [Path(name).name] if found.torn else []
        return found.rows

    def log(self, name: str, kind: type[_T], place: Callable[[_T], int]) -> Sequence[Record]:
        """A log: the scalars of each line, and where it belongs."""
        path = self.directory / name
        places = self.lines(name, kind)
        rows = self.part(lambda: read_lines(path, schema.Row).rows) if places else ()
        return [_record(place(at), row) for at, row in zip(places, rows or (), strict=False)]  # it may have grown


def _record(step: int, row: schema.Row) -> Record:
    """The scalars of a line; null counts as not a number."""
    scalars = {name: math.nan if item is None else item for name, item in row.items()}
    numbers = {name: item for name, item in scalars.items() if isinstance(item, float)}
    return Record(step, {name: item for name, item in numbers.items() if name not in ("step", "generation")})


def _networks(path: Path) -> list[Network]:
    rows = read_json(path, list[schema.Export]) or []
    found = []
    for number, row in enumerate(rows):
        drawn = row.diagram
        diagram = None if drawn is None else decode(encode(drawn), Diagram, path, f"[{number}].diagram")
        verified: dict[str, float] = {}
        if (told := row.verified) is not None:
            figures = {"max_difference": told.max_difference, "images": told.images, "images_test": told.images_test}
            verified = measured(by_split(told.validation, told.test) | figures | {"threads": told.threads})
        compared = {kind: one.validation for kind, one in row.compared.items()}
        found.append(Network(row.name, row.arch, measured(row.values), verified, row.files, diagram, compared))
    return found


def _scores(path: Path) -> list[Scored]:
    """The table of scores."""
    text = read_text(path)
    if text is None:
        return []
    rows = csv.reader(io.StringIO(text, newline=""))
    head = next(rows, [])
    try:
        if "true" not in head or not any(column.startswith("supernet") for column in head):
            raise ValueError("line 1 lacks the columns 'true' and 'supernet …'")
        return [_scored(number, head, row) for number, row in enumerate(rows, start=2)]
    except (ValueError, csv.Error) as error:
        raise damaged(path, str(error)) from error


def _scored(number: int, head: Sequence[str], row: Sequence[str]) -> Scored:
    if len(row) != len(head):
        raise ValueError(f"line {number} has {len(row)} columns, expected {len(head)} columns")
    cells = dict(zip(head, row, strict=True))
    try:
        scores = {name: float(cell) for name, cell in cells.items() if name != "arch"}
    except ValueError:
        raise ValueError(f"line {number} is {row}, expected numbers behind the architecture") from None
    if not all(map(math.isfinite, scores.values())):
        raise ValueError(f"line {number} is {row}, expected finite numbers behind the architecture")
    return Scored(_decisions(cells.get("arch", "")), scores.pop("true"), scores)


def _decisions(text: str) -> schema.Arch:
    """What an architecture decides, as far as its text tells without its space."""
    if text.startswith("{"):
        try:
            return dict(json.loads(text))
        except (ValueError, TypeError, RecursionError):
            return {"architecture": text}
    parts = [part.partition("=") for part in re.split(r"[;,]\s*(?=[^;,=]+=)", text)]
    if all(equals for _, equals, _ in parts):
        return {unquote(name): unquote(option) for name, _, option in parts}
    return {"architecture": text} if text else {}
