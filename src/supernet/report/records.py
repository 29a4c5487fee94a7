"""What the files of a run hold, one record per file: what is required, what may be missing, what is passed over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

from supernet.nn.diagram import Diagram

Limits: TypeAlias = tuple[float | None, float | None]


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
