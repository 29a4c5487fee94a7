"""Read JSON with errors that name the file and the place in it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from supernet.errors import RunError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True)
class Cursor:
    """A value inside a JSON file, with the way that led to it."""

    file: Path
    place: str
    value: Json

    def damaged(self, needed: str) -> RunError:
        """The error that says what stands here and what was needed instead."""
        found = json.dumps(self.value)
        found = found if len(found) <= 60 else found[:57] + "..."
        where = f" at {self.place}" if self.place else ""
        return RunError(
            f"{self.file} is damaged{where}: found {found}, needed {needed}. "
            "Repeat the step that writes this file, or move it away to go on without it."
        )

    def fields(self) -> dict[str, Cursor]:
        """The members of an object."""
        if not isinstance(self.value, dict):
            raise self.damaged("an object")
        prefix = f"{self.place}." if self.place else ""
        return {name: Cursor(self.file, prefix + name, value) for name, value in self.value.items()}

    def items(self) -> list[Cursor]:
        """The elements of a list."""
        if not isinstance(self.value, list):
            raise self.damaged("a list")
        return [Cursor(self.file, f"{self.place}[{i}]", value) for i, value in enumerate(self.value)]

    def field(self, name: str) -> Cursor:
        """A member that must be there."""
        found = self.fields().get(name)
        if found is None:
            raise self.damaged(f"an object with {name!r}")
        return found

    def optional(self, name: str) -> Cursor | None:
        """A member that may be missing or null."""
        found = self.fields().get(name)
        return None if found is None or found.value is None else found

    def text(self) -> str:
        """A string."""
        if not isinstance(self.value, str):
            raise self.damaged("a text")
        return self.value

    def number(self) -> float:
        """A number, possibly NaN; null counts as NaN."""
        if self.value is None:
            return math.nan
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise self.damaged("a number")
        try:
            return float(self.value)
        except OverflowError:
            raise self.damaged("a number within the range of a float") from None

    def integer(self) -> int:
        """A whole number."""
        number = self.number()
        if not number.is_integer():
            raise self.damaged("a whole number")
        return int(number)

    def measured(self) -> dict[str, float]:
        """An object of numbers, without those that are null, NaN or infinite."""
        numbers = {name: cursor.number() for name, cursor in self.fields().items()}
        return {name: number for name, number in numbers.items() if math.isfinite(number)}


def read_json(path: Path) -> Cursor | None:
    """Read one JSON file; None where there is no such file."""
    text = read_text(path)
    return None if text is None else Cursor(path, "", _parse(path, text, ""))


def read_json_lines(path: Path) -> tuple[list[Cursor], bool]:
    """Read a file with one JSON object per line; nothing where there is no such file.

    Returns:
        The lines, and whether a further last line, without its end, was left out: a process that is stopped
        while it writes leaves such a line.
    """
    lines = (read_text(path) or "").split("\n")
    cursors = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            cursors.append(Cursor(path, f"line {number}", _parse(path, line, f" in line {number}")))
        except RunError:
            if cursors and number == len(lines):
                return cursors, True
            raise
    return cursors, False


def read_text(path: Path) -> str | None:
    """Read a file; None where there is none.

    Raises:
        RunError: it cannot be read, or is no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path} cannot be read: {error}.") from error


def _parse(path: Path, text: str, where: str) -> Json:
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RunError(
            f"{path} is damaged{where}: {error}. "
            "Repeat the step that writes this file, or move it away to go on without it."
        ) from error
    return value
