"""What a run directory holds, read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from supernet.errors import UsageError
from supernet.io.decode import Cursor, Json, read_json, read_json_lines
from supernet.measure.quantity import ACCURACY, MACS, Quantity
from supernet.report.diagram import Diagram
from supernet.report.judgement import Judgement, read_judgement
from supernet.search import FrontFile, Point, choosing
from supernet.train.health import DEFAULT_IMAGES, warnings_of

Arch = Mapping[str, Json]
Values = Mapping[str, float]


@dataclass(frozen=True)
class ChoiceRow:
    """One choice of the search space."""

    name: str
    options: tuple[Json, ...]
    when: str | None


@dataclass(frozen=True)
class SpaceTable:
    """The search space; ``size`` is text because it may exceed every integer type."""

    fingerprint: str
    size: str
    choices: tuple[ChoiceRow, ...]


@dataclass(frozen=True)
class Export:
    """A network taken out of the supernet."""

    name: str
    arch: Arch
    values: Values
    verified: Values
    files: Mapping[str, str]
    diagram: Diagram | None


@dataclass(frozen=True)
class Trained:
    """How many paths have trained each option of a choice."""

    choice: str
    options: tuple[Json, ...]
    paths: tuple[int, ...]


@dataclass(frozen=True)
class Record:
    """One line of a log: of the training by step, of a shifting by generation."""

    step: int
    scalars: Values


@dataclass(frozen=True)
class RunFiles:
    """Everything found in a run directory; what is missing is None or empty."""

    directory: Path
    config: Mapping[str, Json]
    environment: Mapping[str, Json]
    train: tuple[Record, ...]
    space: SpaceTable | None
    search: tuple[Point, ...]
    shifted: tuple[Record, ...]
    front: FrontFile | None
    exports: tuple[Export, ...]
    judgement: Judgement | None
    counts: tuple[Trained, ...]
    classes: int | None
    validation_images: int | None
    torn: tuple[str, ...]  # names of logs whose last line was being written when the process ended

    @cached_property
    def warnings(self) -> list[str]:
        """What is wrong with the training, by its log."""
        rows = [record.scalars for record in self.train]
        return warnings_of(rows, self.classes, images=self.validation_images or DEFAULT_IMAGES)

    @cached_property
    def units(self) -> Mapping[str, str]:
        """Units of the quantities, as far as the search declared them."""
        return {o.name: o.unit for o in self.front.objectives} if self.front else {}

    @cached_property
    def primary(self) -> Quantity:
        """The quantity networks are ranked by: the first objective of the search, as in `Front.best`."""
        return self.front.objectives[0] if self.front else ACCURACY

    @cached_property
    def cost(self) -> Quantity:
        """The quantity traded against the primary one: the first other objective, else MACs."""
        others = self.front.objectives[1:] if self.front else ()
        return others[0] if others else MACS

    def best(self, candidates: Sequence[choosing.P]) -> choosing.P | None:
        """The best of some architectures in the primary quantity, as `Front.best` chooses; None where none has it."""
        known = [candidate for candidate in candidates if self.primary.name in candidate.values]
        others = self.front.objectives[1:] if self.front else ()
        told = [o for o in others if all(o.name in candidate.values for candidate in known)]
        return choosing.best(known, [self.primary, *told]) if known else None

    def feasible(self, values: Values) -> bool:
        """Whether an architecture keeps the constraints of the search, as far as they were measured."""
        limits = self.front.constraints if self.front else {}
        for name, (low, high) in limits.items():
            value = values.get(name)
            if value is None or (low is not None and value < low) or (high is not None and value > high):
                return False
        return True


def read_run(directory: Path) -> RunFiles:
    """Read a run directory.

    Raises:
        UsageError: the directory does not exist or holds no file of a run.
        RunError: a file is damaged; names the file and the place.
    """
    if not directory.is_dir():
        raise UsageError(f"{directory} is not a directory. Give the directory that a run was written to.")
    config, environment = read_json(directory / "config.json"), read_json(directory / "environment.json")
    space, front = read_json(directory / "space.json"), FrontFile.read(directory)
    exports, data = read_json(directory / "exports.json"), read_json(directory / "data.json")
    counts = read_json(directory / "counts.json")
    (train, torn_train), (search, torn_search) = (
        read_json_lines(directory / name) for name in ("train.jsonl", "search.jsonl")
    )
    shifted, torn_shifted = read_json_lines(directory / "shifted" / "shifting.jsonl")
    ends = {"train.jsonl": torn_train, "search.jsonl": torn_search, "shifting.jsonl": torn_shifted}
    run = RunFiles(
        directory=directory,
        config=_object(config),
        environment=_object(environment),
        train=tuple(_record(line) for line in train),
        space=None if space is None else _space(space),
        search=tuple(_point(line) for line in search),
        shifted=tuple(_record(line, "generation") for line in shifted),
        front=front,
        exports=() if exports is None else tuple(_export(item) for item in exports.items()),
        judgement=read_judgement(directory),
        counts=() if counts is None else tuple(_trained(item) for item in counts.items()),
        classes=None if data is None else _at_least(2, data.field("num_classes")),
        validation_images=None if data is None else _at_least(1, data.field("images").field("validation")),
        torn=tuple(name for name, torn in ends.items() if torn),
    )
    if not any((config, environment, run.train, space, run.search, front, exports)):
        raise UsageError(
            f"{directory} holds no files of a run (config.json, train.jsonl, front.json, …). "
            "Give the directory that a run was written to."
        )
    return run


def _point(line: Cursor) -> Point:
    generation = line.optional("generation")
    told = None if generation is None else generation.integer()
    return Point(dict(_object(line.field("arch"))), line.field("values").measured(), told)


def _object(cursor: Cursor | None) -> Mapping[str, Json]:
    return {} if cursor is None else {name: field.value for name, field in cursor.fields().items()}


def _record(line: Cursor, place: str = "step") -> Record:
    scalars = {
        name: field.number()
        for name, field in line.fields().items()
        if name != place and not isinstance(field.value, str | bool | list | dict)
    }
    return Record(line.field(place).integer(), scalars)


def _space(cursor: Cursor) -> SpaceTable:
    size = cursor.field("size")
    if not (isinstance(size.value, str) and size.value.isascii() and size.value.isdigit()):
        raise size.damaged("a whole number written as text")
    choices = []
    for choice in cursor.field("choices").items():
        when = choice.optional("when")
        options = tuple(option.value for option in choice.field("options").items())
        choices.append(ChoiceRow(choice.field("name").text(), options, None if when is None else when.text()))
    fingerprint = cursor.optional("fingerprint")
    return SpaceTable("" if fingerprint is None else fingerprint.text(), size.value, tuple(choices))


def _at_least(least: int, cursor: Cursor) -> int:
    number = cursor.integer()
    if number < least:
        raise cursor.damaged(f"a whole number of at least {least}")
    return number


def _trained(cursor: Cursor) -> Trained:
    options = tuple(option.value for option in cursor.field("options").items())
    paths = tuple(count.integer() for count in cursor.field("paths").items())
    if len(paths) != len(options):
        raise cursor.field("paths").damaged(f"{len(options)} numbers, one for each option")
    return Trained(cursor.field("choice").text(), options, paths)


def _export(cursor: Cursor) -> Export:
    verified, files = cursor.optional("verified"), cursor.optional("files")
    drawing = cursor.optional("diagram")
    diagram = None
    if drawing is not None:
        try:
            diagram = Diagram.from_json(drawing.value)
        except UsageError as error:
            raise drawing.damaged(f"a diagram ({error})") from error
    return Export(
        cursor.field("name").text(),
        _object(cursor.field("arch")),
        cursor.field("values").measured(),
        {} if verified is None else verified.measured(),
        {} if files is None else {kind: path.text() for kind, path in files.fields().items()},
        diagram,
    )
