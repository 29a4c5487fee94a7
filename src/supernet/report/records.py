"""What a run directory holds: one record per file, checked while it is read."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar
from urllib.parse import unquote

from msgspec import Meta, MsgspecError, Struct, convert

from supernet.errors import UsageError
from supernet.nn.diagram import Diagram
from supernet.train.health import DEFAULT_IMAGES, warnings_of

Limits: TypeAlias = tuple[float | None, float | None]
_T = TypeVar("_T")


class Arch(dict[str, Any]):
    """The decisions of an architecture by choice; in a file also its text, such as `depth=2,kernel=3`."""


class Values(dict[str, float]):
    """Measured quantities; in a file some may be null, NaN or infinite, and are left out."""


class Point(Struct, frozen=True):
    """An architecture with the quantities measured for it: a line of `search.jsonl`, a point of `front.json`."""

    arch: Arch
    values: Values
    generation: int | None = None


class Objective(Struct, frozen=True):
    """A quantity the search made large or small."""

    name: str
    goal: Literal["max", "min"]
    unit: str = ""


class Front(Struct, frozen=True):
    """The result of a search: `front.json`."""

    objectives: Annotated[tuple[Objective, ...], Meta(min_length=1)]
    points: tuple[Point, ...]
    constraints: dict[str, Limits] = {}
    searcher: str = ""
    evaluations: int | None = None
    range: dict[str, tuple[float, float]] = {}
    feasible_share: float | None = None
    stopped: str = ""

    def __post_init__(self) -> None:
        for number, point in enumerate(self.points):
            for objective in self.objectives:
                if objective.name not in point.values:
                    raise ValueError(f"points[{number}].values lacks the objective {objective.name!r}")


class Choice(Struct, frozen=True):
    """One choice of the search space."""

    name: str
    options: tuple[Any, ...]
    when: str | None = None


class Space(Struct, frozen=True):
    """The search space: `space.json`; `size` is text because it may exceed every integer type."""

    size: str
    choices: tuple[Choice, ...]
    fingerprint: str = ""

    def __post_init__(self) -> None:
        if not (self.size.isascii() and self.size.isdigit()):
            raise ValueError(f"the size is {self.size!r}, expected a whole number written as text")


class Network(Struct, frozen=True):
    """A network taken out of the supernet: a row of `exports.json`.

    `values` was measured in the supernet, with the costs; `verified` was measured of the files.
    """

    name: str
    arch: Arch
    values: Values
    verified: Values = Values()
    files: dict[str, str] = {}
    diagram: Diagram | None = None


class Retraining(Struct, frozen=True):
    """One architecture that was trained for use: `retrained.json`."""

    arch: Arch
    steps: int
    accuracy_validation: float
    accuracy_test: float | None = None
    start: str = "scratch"
    seed: int = 0
    macs: float | None = None
    params: float | None = None
    files: tuple[str, ...] = ()


class Trained(Struct, frozen=True):
    """How many paths have trained each option of a choice: a row of `counts.json`."""

    choice: str
    options: tuple[Any, ...]
    paths: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.paths) != len(self.options):
            raise ValueError(f"found {len(self.paths)} paths, expected {len(self.options)} numbers, one per option")


class Images(Struct, frozen=True):
    """How many images the data have, by split."""

    validation: Annotated[int, Meta(ge=1)]
    test: int | None = None


class Data(Struct, frozen=True):
    """The data: `data.json`."""

    num_classes: Annotated[int, Meta(ge=2)]
    images: Images


class Figure(Struct, frozen=True):
    """One measure of one ranking, with its interval."""

    measure: str
    ranking: str
    value: float | None = None
    low: float | None = None
    high: float | None = None


class Measure(Struct, frozen=True):
    """A measure with its name in words."""

    measure: str
    label: str


class Line(Struct, frozen=True):
    """One ranking along a curve, with the range of its trainings."""

    name: str
    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


class Curves(Struct, frozen=True):
    """Rankings over the top share k / n, beside a random order."""

    quantity: str
    n: Annotated[int, Meta(ge=1)]
    k: tuple[float, ...]
    random: tuple[float, ...]
    lines: tuple[Line, ...]

    def __post_init__(self) -> None:
        for values in (self.random, *(part for line in self.lines for part in (line.values, line.low, line.high))):
            if len(values) != len(self.k):
                raise ValueError(f"found {len(values)} values, expected a list of {len(self.k)} numbers, one per k")

    @property
    def share(self) -> list[float]:
        """The top shares."""
        return [k / self.n for k in self.k]


class Family(Struct, frozen=True):
    """A cluster of similar architectures, by its means."""

    size: int
    true: float
    predicted: float
    common: Arch


class Families(Struct, frozen=True):
    """All clusters, and how many equal decisions two members share at least."""

    shared: float
    clusters: tuple[Family, ...]


class Judgement(Struct, frozen=True):
    """How far the supernet's ranking can be trusted: `judge.json`."""

    truth: str
    sentences: tuple[str, ...]
    rows: tuple[Figure, ...]
    measures: tuple[Measure, ...] = ()
    top_id: Curves | None = None
    mass: Curves | None = None
    clusters: Families | None = None

    @property
    def figures(self) -> list[Figure]:
        """The figures that are known."""
        return [row for row in self.rows if row.value is not None]


class _Step(Struct):
    step: int


class _Generation(Struct):
    generation: int


@dataclass(frozen=True)
class Record:
    """One line of a log: of the training by step, of a shifting by generation."""

    step: int
    scalars: Mapping[str, float]


@dataclass(frozen=True)
class Scored:
    """A row of `ranking.csv`: one architecture with its true score and what each ranking gives it."""

    arch: Arch
    true: float
    scores: Mapping[str, float]


@dataclass(frozen=True)
class RunFiles:
    """Everything found in a run directory; what is missing is None or empty.

    Attributes:
        torn: Names of logs whose last line was being written when the process ended.
        damaged: One sentence for each file that could not be read; what it held is missing.
    """

    directory: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    train: Sequence[Record] = ()
    space: Space | None = None
    search: Sequence[Point] = ()
    shifted: Sequence[Record] = ()
    front: Front | None = None
    exports: Sequence[Network] = ()
    retrainings: Mapping[str, Retraining] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    judgement: Judgement | None = None
    scores: Sequence[Scored] = ()
    counts: Sequence[Trained] = ()
    data: Data | None = None
    torn: Sequence[str] = ()
    damaged: Sequence[str] = ()

    @cached_property
    def warnings(self) -> list[str]:
        """What is wrong with the training, by its log."""
        rows = [record.scalars for record in self.train]
        known = self.data
        images = known.images.validation if known else DEFAULT_IMAGES
        return warnings_of(rows, known.num_classes if known else None, images=images)

    @cached_property
    def networks(self) -> list[Network]:
        """The exported networks, then the retrained ones, which are drawn as an export of the same architecture is."""
        drawn = {key(export.arch): export.diagram for export in self.exports}
        images = self.data.images.test if self.data else None
        retrained = []
        for folder, found in self.retrainings.items():
            files = {Path(file).suffix: f"{folder}/{Path(file).name}" for file in found.files}
            costs = _values({"macs": found.macs, "params": found.params})
            verified = {"accuracy_validation": found.accuracy_validation, "accuracy_test": found.accuracy_test}
            verified["images_test"] = images
            diagram = drawn.get(key(found.arch))
            retrained.append(Network(folder, found.arch, costs, _values(verified), files, diagram))
        return [*self.exports, *retrained]

    @cached_property
    def units(self) -> Mapping[str, str]:
        """Units of the quantities, as far as the search declared them."""
        return {o.name: o.unit for o in self.front.objectives} if self.front else {}

    @cached_property
    def primary(self) -> Objective:
        """The quantity networks are ranked by: the first one to be maximised, else the first."""
        objectives = self.front.objectives if self.front else ()
        ranked = [o for o in objectives if o.goal == "max"] or list(objectives)
        return ranked[0] if ranked else Objective("accuracy", "max")

    @cached_property
    def cost(self) -> Objective:
        """The quantity traded against the primary one: the first other objective, else MACs."""
        others = [o for o in (self.front.objectives if self.front else ()) if o.name != self.primary.name]
        return others[0] if others else Objective("macs", "min", "MAC")

    def feasible(self, values: Mapping[str, float]) -> bool:
        """Whether an architecture keeps the constraints of the search, as far as they were measured."""
        limits = self.front.constraints if self.front else {}
        for name, (low, high) in limits.items():
            value = values.get(name)
            if value is None or (low is not None and value < low) or (high is not None and value > high):
                return False
        return True


def key(arch: Mapping[str, Any]) -> str:
    """A text that two architectures share where they decide the same."""
    return json.dumps(dict(arch), sort_keys=True)


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

    def lines(self, name: str, convert_line: Any) -> list[Any]:
        """A file with one JSON object per line; a last one without its end is left out and noted."""
        lines = (self._text(name) or "").split("\n")
        found: list[Any] = []
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
        return _values(convert(value, dict[str, float | None]))
    except MsgspecError as error:
        raise ValueError(str(error).partition(" - at `")[0]) from error


def _values(values: Mapping[str, float | None]) -> Values:
    return Values({name: value for name, value in values.items() if value is not None and math.isfinite(value)})


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
