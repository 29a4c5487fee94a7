"""The runs of a comparison: their names, their colours, and what can be compared between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supernet.errors import UsageError
from supernet.report.charts import COLOURS
from supernet.report.reading import read_run
from supernet.report.run_files import RunFiles

_DASHES = ("solid", "dash", "dot", "dashdot")
_FILES = ("supernet.json", "config.json", "training.json", "train.jsonl", "front.json")


@dataclass(frozen=True)
class Member:
    """A run of a comparison.

    Attributes:
        name: What it is called on the page: as much of its path as tells it from the others.
        run: Its files.
        colour: The colour of its lines, the same in every chart.
        dash: The pattern of its lines, which tells it from others of its colour.
    """

    name: str
    run: RunFiles
    colour: str
    dash: str

    @property
    def style(self) -> Mapping[str, Any]:
        """How its lines are drawn."""
        return {"color": self.colour, "dash": self.dash, "width": 2}

    @property
    def data(self) -> str:
        """What it was trained on, in words that two runs share where that was the same."""
        known = self.run.data
        if known is None:
            return _built(self.run, "data") or "data that nothing is said of"
        images = known.images
        counts = f"{images.train:,} / {images.validation:,} / {images.test:,} examples"
        return f"{known.name}, {counts} to train, validate and test on, as {known.task}"

    @property
    def space(self) -> str:
        """What its space is recognised by; empty where nothing is known of it."""
        known = self.run.space
        return (known.fingerprint if known else "") or _built(self.run, "space")

    @property
    def machine(self) -> str:
        """What its latencies were measured on, in words."""
        found = self.run.environment
        threads = "an unknown number of threads" if found.threads is None else f"{found.threads} threads"
        return f"{found.cpu or 'an unknown processor'} with {threads}"


def read_members(paths: Sequence[Path]) -> list[Member]:
    """Read the runs of a comparison; a damaged file costs its part of its run alone.

    Raises:
        UsageError: fewer than two runs, one that is given twice, or a directory that holds none.
    """
    found = [run for path in paths for run in _runs(Path(path))]
    places = [path.resolve() for path in found]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise UsageError(f"The run {found[number]} is given twice; give each once.")
    if len(found) < 2:
        raise UsageError(
            f"There is nothing to compare {found[0] if found else 'it'} with; give two runs or more, or a directory "
            "that holds some."
        )
    names = _names(places)
    return [
        Member(name, read_run(path), COLOURS[n % len(COLOURS)], _DASHES[n // len(COLOURS) % len(_DASHES)])
        for n, (name, path) in enumerate(zip(names, found, strict=True))
    ]


def grouped(members: Iterable[Member], by: str) -> dict[str, list[Member]]:
    """Runs that share an attribute, by its value, in the order in which they are given."""
    groups: dict[str, list[Member]] = {}
    for member in members:
        groups.setdefault(getattr(member, by), []).append(member)
    return groups


def _built(run: RunFiles, part: str) -> str:
    """Name and settings of what the configuration builds by name."""
    found = run.config.get(part)
    if not isinstance(found, Mapping) or not isinstance(found.get("name"), str):
        return ""
    options = found.get("options")
    words = (f"{name}={value}" for name, value in options.items()) if isinstance(options, Mapping) else ()
    return " ".join([found["name"], *words])


def _runs(path: Path) -> list[Path]:
    """The directory itself, if it is a run, else the runs below it.

    Raises:
        UsageError: it is no directory, or holds no run.
    """
    if not path.is_dir():
        raise UsageError(f"{path} is not a directory. Give directories that runs were written to.")
    if any((path / name).is_file() for name in _FILES):
        return [path]
    below = sorted({file.parent for name in _FILES[:2] for file in path.rglob(name)})
    parts = {place: place.relative_to(path).parts for place in below}
    found = [place for place in below if not any(part.startswith(".") or part == "retrained" for part in parts[place])]
    if not found:
        raise UsageError(f"{path} holds no run; give directories that `supernet train`, `run` or `search` has made.")
    return found


def _names(places: Sequence[Path]) -> list[str]:
    """The ends of the paths, as long as they have to be to differ."""
    longest = max(len(place.parts) for place in places)
    for length in range(1, longest + 1):
        names = ["/".join(place.parts[-length:]) for place in places]
        if len(set(names)) == len(names):
            return names
    return [str(place) for place in places]
