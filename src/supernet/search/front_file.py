"""`front.json` as it stands in the file: readable without the network, its architectures as decisions by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from supernet.io.decode import Cursor, Json
from supernet.measure.quantity import Quantity

FILE_NAME = "front.json"


@dataclass(frozen=True)
class Point:
    """An architecture, as decisions by choice name, with the quantities measured for it."""

    arch: Mapping[str, Json]
    values: Mapping[str, float]
    generation: int | None = None


@dataclass(frozen=True)
class FrontFile:
    """The content of `front.json`; see `Front` for the fields. What the file does not say is None or empty."""

    objectives: tuple[Quantity, ...]
    constraints: Mapping[str, tuple[float | None, float | None]]
    searcher: str
    evaluations: int | None
    range: Mapping[str, tuple[float, float]]
    feasible_share: float | None
    stopped: str
    points: tuple[Point, ...]


def decode_front(cursor: Cursor) -> FrontFile:
    """Read the content of `front.json`.

    Raises:
        RunError: the file is damaged; names the file and the place.
    """
    objectives = tuple(_objective(item) for item in cursor.field("objectives").items())
    if not objectives:
        raise cursor.field("objectives").damaged("at least one objective")
    points = []
    for item in cursor.field("points").items():
        point = decode_point(item)
        for objective in objectives:
            if objective.name not in point.values:
                raise item.field("values").damaged(f"a value for the objective {objective.name!r}")
        points.append(point)
    constraints, reach = cursor.optional("constraints"), cursor.optional("range")
    share, stopped = cursor.optional("feasible_share"), cursor.optional("stopped")
    searcher, evaluations = cursor.optional("searcher"), cursor.optional("evaluations")
    return FrontFile(
        objectives,
        {} if constraints is None else {n: _interval(f) for n, f in constraints.fields().items()},
        "" if searcher is None else searcher.text(),
        None if evaluations is None else evaluations.integer(),
        {} if reach is None else {n: _closed(f) for n, f in reach.fields().items()},
        None if share is None else share.number(),
        "" if stopped is None else stopped.text(),
        tuple(points),
    )


def decode_point(cursor: Cursor) -> Point:
    """Read one architecture with its values, of `front.json` or `search.jsonl`; values without a number are left out.

    Raises:
        RunError: the file is damaged; names the file and the place.
    """
    generation = cursor.optional("generation")
    return Point(
        {name: field.value for name, field in cursor.field("arch").fields().items()},
        cursor.field("values").measured(),
        None if generation is None else generation.integer(),
    )


def _objective(cursor: Cursor) -> Quantity:
    goal, unit, name = cursor.field("goal"), cursor.optional("unit"), cursor.field("name").text()
    told = "" if unit is None else unit.text()
    if goal.value == "max":
        return Quantity(name, told, "max")
    if goal.value == "min":
        return Quantity(name, told, "min")
    raise goal.damaged('"max" or "min"')


def _interval(cursor: Cursor) -> tuple[float | None, float | None]:
    ends = cursor.items()
    if len(ends) != 2:
        raise cursor.damaged("a list [lowest, highest]")
    low, high = (None if end.value is None else end.number() for end in ends)
    return low, high


def _closed(cursor: Cursor) -> tuple[float, float]:
    low, high = _interval(cursor)
    if low is None or high is None:
        raise cursor.damaged("a list [lowest, highest] of two numbers")
    return low, high
