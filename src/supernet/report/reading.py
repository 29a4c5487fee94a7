"""Read a run directory; a damaged file costs its part of the page alone."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from msgspec import MsgspecError, Struct, convert

from supernet.errors import UsageError
from supernet.report.records import (
    Arch,
    Data,
    Front,
    Judgement,
    Network,
    Point,
    Record,
    Retraining,
    Scored,
    Space,
    Trained,
)
from supernet.report.run_files import RunFiles, measured

_T = TypeVar("_T")


class _Step(Struct):
    step: int


class _Generation(Struct):
    generation: int


def read_run(directory: Path) -> RunFiles:
    """Read a run directory. A damaged file costs its part alone, and is named in `damaged`.

    Raises:
        UsageError: the directory does not exist or holds no file of a run.
    """
    if not directory.is_dir():
        raise UsageError(f"{directory} is not a directory. Give the directory that a run was written to.")
    reader = _Reader(directory)
    config, environment = (reader.read(name, dict[str, Any]) for name in ("config.json", "environment.json"))
    folders = sorted(path.parent.name for path in directory.glob("*/retrained.json"))
    retrainings = {folder: reader.read(f"{folder}/retrained.json", Retraining) for folder in folders}
    environments = {folder: reader.read(f"{folder}/environment.json", dict[str, Any]) or {} for folder in folders}
    run = RunFiles(
        directory=directory,
        config=config or {},
        environment=environment or {},
        train=reader.lines("train.jsonl", lambda value: _record(value, convert(value, _Step).step)),
        space=reader.read("space.json", Space),
        search=reader.lines("search.jsonl", lambda value: _converted(value, Point)),
        shifted=reader.lines(
            "shifted/shifting.jsonl", lambda value: _record(value, convert(value, _Generation).generation)
        ),
        front=reader.read("front.json", Front),
        exports=reader.read("exports.json", tuple[Network, ...]) or (),
        retrainings={folder: found for folder, found in retrainings.items() if found is not None},
        commands={folder: str(found["command"]) for folder, found in environments.items() if "command" in found},
        judgement=reader.read("judge.json", Judgement),
        scores=reader.scores("ranking.csv"),
        counts=reader.read("counts.json", tuple[Trained, ...]) or (),
        data=reader.read("data.json", Data),
        torn=reader.torn,
        damaged=reader.damaged,
    )
    if not any((config, environment, run.train, run.space, run.search, run.front, run.exports, run.damaged)):
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

    def read(self, name: str, kind: type[_T]) -> _T | None:
        """A JSON file; None where it is missing or damaged."""
        text = self._text(name)
        try:
            return None if text is None else _converted(json.loads(text), kind)
        except (ValueError, RecursionError, MsgspecError) as error:
            self._wrong(name, error)
            return None

    def lines(self, name: str, convert_line: Callable[[Any], _T]) -> list[_T]:
        """A file with one JSON object per line; a last one without its end is left out and noted."""
        lines = (self._text(name) or "").split("\n")
        found: list[_T] = []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                if found and number == len(lines):
                    self.torn.append(Path(name).name)
                    return found
                self._wrong(name, error, f" in line {number}")
                return []
            try:
                found.append(convert_line(value))
            except (MsgspecError, OverflowError) as error:
                self._wrong(name, error, f" in line {number}")
                return []
        return found

    def scores(self, name: str) -> list[Scored]:
        """The table of scores."""
        text = self._text(name)
        if text is None:
            return []
        rows = csv.reader(io.StringIO(text, newline=""))
        head = next(rows, [])
        try:
            if "true" not in head or not any(column.startswith("supernet") for column in head):
                raise ValueError("line 1 lacks the columns 'true' and 'supernet …'")
            return [_scored(number, head, row) for number, row in enumerate(rows, start=2)]
        except (ValueError, csv.Error) as error:
            self._wrong(name, error)
            return []

    def _text(self, name: str) -> str | None:
        try:
            return (self.directory / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            self.damaged.append(f"{self.directory / name} cannot be read: {error}. {_CURE}")
            return None

    def _wrong(self, name: str, error: Exception, where: str = "") -> None:
        self.damaged.append(f"{self.directory / name} is damaged{where}{_found(error)}. {_CURE}")


_CURE = "Repeat the step that writes this file, or move it away to leave its part out of the report."
_KINDS = {"object": "an object", "array": "a list", "str": "a text", "int": "a whole number", "float": "a number"}
_KINDS |= {"bool": "true or false", "null": "null"}


def _found(error: Exception) -> str:
    """What is wrong and where, in words: " at points[0].values: expected a number, got a text"."""
    if isinstance(error, RecursionError):
        return ": it is nested too deeply"
    if not isinstance(error, MsgspecError):
        return f": {error}"
    text, _, place = str(error).partition(" - at `$")
    place = place.rstrip("`").removeprefix(".").replace("[...]", "")
    text = re.sub(r"`([a-z]+)( \| null)?`", lambda kind: _KINDS.get(kind[1], f"'{kind[1]}'"), text).replace("`", "'")
    return f"{f' at {place}' if place else ''}: {text[:1].lower()}{text[1:]}"


def _converted(value: Any, kind: type[_T]) -> _T:
    return convert(value, kind, dec_hook=_special)


def _special(kind: type, value: Any) -> Any:
    """Build an `Arch` or `Values`; a ValueError becomes an error that names the place."""
    if kind is Arch and isinstance(value, str):
        return _decisions(value)
    try:
        if kind is Arch:
            return Arch(convert(value, dict[str, Any]))
        return measured(convert(value, dict[str, float | None]))
    except MsgspecError as error:
        raise ValueError(str(error).partition(" - at `")[0]) from error


def _record(value: Mapping[str, Any], step: int) -> Record:
    """The scalars of a line; null counts as not a number."""
    scalars = {name: math.nan if item is None else item for name, item in value.items()}
    numbers = {name: item for name, item in scalars.items() if type(item) in (int, float)}
    return Record(step, {name: float(item) for name, item in numbers.items() if name not in ("step", "generation")})


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


def _decisions(text: str) -> Arch:
    """What an architecture decides, as far as its text tells without its space."""
    if text.startswith("{"):
        try:
            return Arch(json.loads(text))
        except (ValueError, TypeError, RecursionError):
            return Arch(architecture=text)
    parts = [part.partition("=") for part in re.split(r"[;,]\s*(?=[^;,=]+=)", text)]
    if all(equals for _, equals, _ in parts):
        return Arch({unquote(name): unquote(option) for name, _, option in parts})
    return Arch(architecture=text) if text else Arch()
