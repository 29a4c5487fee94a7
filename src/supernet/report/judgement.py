"""What a run directory says about the supernet's ranking: `judge.json` and `ranking.csv`."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from supernet.io.decode import Cursor, Json, read_json, read_text

_SUPERNET = "supernet"  # the columns of the supernet's trainings begin with this


@dataclass(frozen=True)
class Figure:
    """One measure of one ranking, with its interval."""

    measure: str
    ranking: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Line:
    """One ranking along a curve, with the range of its trainings."""

    name: str
    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Curves:
    """Rankings over the top share, beside a random order."""

    quantity: str
    share: tuple[float, ...]
    random: tuple[float, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Family:
    """A cluster of similar architectures, by its means."""

    size: int
    true: float
    predicted: float
    common: Mapping[str, Json]


@dataclass(frozen=True)
class Families:
    """All clusters, and how many equal decisions two members share at least."""

    shared: float
    clusters: tuple[Family, ...]


@dataclass(frozen=True)
class Scored:
    """One architecture with its true score and what each ranking gives it."""

    arch: Mapping[str, Json]
    true: float
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Judgement:
    """How far the supernet's ranking can be trusted; what the files lack is None or empty."""

    truth: str
    sentences: tuple[str, ...]
    figures: tuple[Figure, ...]
    labels: Mapping[str, str]
    top_id: Curves | None
    mass: Curves | None
    families: Families | None
    scores: tuple[Scored, ...]


def read_judgement(directory: Path) -> Judgement | None:
    """Read both files; None where there was no judgement.

    Raises:
        RunError: a file is damaged; names the file and the place.
    """
    cursor = read_json(directory / "judge.json")
    if cursor is None:
        return None
    measures = cursor.optional("measures")
    top_id, mass, clusters = (cursor.optional(name) for name in ("top_id", "mass", "clusters"))
    return Judgement(
        truth=cursor.field("truth").text(),
        sentences=tuple(sentence.text() for sentence in cursor.field("sentences").items()),
        figures=tuple(_figures(cursor.field("rows"))),
        labels={}
        if measures is None
        else {item.field("measure").text(): item.field("label").text() for item in measures.items()},
        top_id=None if top_id is None else _curves(top_id),
        mass=None if mass is None else _curves(mass),
        families=None if clusters is None else _families(clusters),
        scores=tuple(_scores(directory / "ranking.csv")),
    )


def _figures(rows: Cursor) -> list[Figure]:
    figures = []
    for row in rows.items():
        ends = [None if (end := row.optional(name)) is None else end.number() for name in ("low", "high")]
        if row.optional("value") is not None:
            names = row.field("measure").text(), row.field("ranking").text()
            figures.append(Figure(*names, row.field("value").number(), *ends))
    return figures


def _curves(cursor: Cursor) -> Curves:
    n = cursor.field("n").number()
    if not n >= 1:
        raise cursor.field("n").damaged("a number of architectures")
    share = tuple(k / n for k in _numbers(cursor.field("k"), None))
    lines = []
    for line in cursor.field("lines").items():
        values, low, high = (_numbers(line.field(name), len(share)) for name in ("values", "low", "high"))
        lines.append(Line(line.field("name").text(), values, low, high))
    return Curves(cursor.field("quantity").text(), share, _numbers(cursor.field("random"), len(share)), tuple(lines))


def _numbers(cursor: Cursor, count: int | None) -> tuple[float, ...]:
    numbers = tuple(item.number() for item in cursor.items())
    if count is not None and len(numbers) != count:
        raise cursor.damaged(f"a list of {count} numbers, one for each k")
    return numbers


def _families(cursor: Cursor) -> Families:
    clusters = []
    for item in cursor.field("clusters").items():
        means = item.field("true").number(), item.field("predicted").number()
        common = {name: field.value for name, field in item.field("common").fields().items()}
        clusters.append(Family(item.field("size").integer(), *means, common))
    return Families(cursor.field("shared").number(), tuple(clusters))


def _scores(path: Path) -> list[Scored]:
    text = read_text(path)
    if text is None:
        return []
    rows = csv.reader(io.StringIO(text, newline=""))
    head = next(rows, [])
    if "true" not in head or not any(name.startswith(_SUPERNET) for name in head):
        raise Cursor(path, "line 1", list(head)).damaged("the columns 'true' and 'supernet …'")
    return [_scored(path, number, head, row) for number, row in enumerate(rows, start=2)]


def _scored(path: Path, number: int, head: Sequence[str], row: Sequence[str]) -> Scored:
    here = Cursor(path, f"line {number}", list(row))
    if len(row) != len(head):
        raise here.damaged(f"{len(head)} columns")
    cells = dict(zip(head, row, strict=True))
    try:
        scores = {name: float(cell) for name, cell in cells.items() if name != "arch"}
    except ValueError:
        raise here.damaged("numbers behind the architecture") from None
    if not all(map(math.isfinite, scores.values())):
        raise here.damaged("finite numbers behind the architecture")
    return Scored(_decisions(cells.get("arch", "")), scores.pop("true"), scores)


def _decisions(text: str) -> dict[str, Json]:
    """What an architecture decides, as far as its text tells without its space."""
    if text.startswith("{"):
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if isinstance(value, dict):
            return value
    parts = [part.partition("=") for part in text.split(";")]
    if all(equals for _, equals, _ in parts):
        return {name: option for name, _, option in parts}
    return {"architecture": text} if text else {}
