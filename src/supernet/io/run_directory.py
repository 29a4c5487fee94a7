"""The files of a run: what each is called, and the facts every run records about itself."""

from __future__ import annotations

import contextlib
import datetime
import os
import platform
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from supernet._version import __version__
from supernet.errors import RunError, UsageError
from supernet.io import schema
from supernet.io.files import read_json, write_json
from supernet.io.lines import LinesFile, keep_lines
from supernet.io.locking import LOCK, command_line, locked

T = TypeVar("T")

_LEFT = re.compile(r"\..+\.\d+\.tmp")
"""Names of what a killed `write_atomically` leaves: before its first file stands, a run may consist of that alone."""

MARKER = "supernet.json"
"""The file that says that a directory is a run of this package."""

_FORMAT = 1  # of a run directory; a later one is left alone


@dataclass(frozen=True)
class Part:
    """Files of a run that are replaced together.

    Attributes:
        name: What it is called on disk while it is replaced.
        files: By folder, a regular expression for the names of the files that this package writes there.
        stands: Pattern of the first file with which a successor can be resumed: from then on it stands.
    """

    name: str
    files: Mapping[str, str]
    stands: str


_STEP = r"step-\d+\.safetensors"
_NETWORK = r"(best|small|medium|large|derived(-\w+)?|client-\d+|front-\d+|arch-\d+)\.(onnx|(int8\.)?pt2|xml|bin|pte)"
_SHIFTED = {"shifted": r"shifting\.jsonl", "shifted/generations": _STEP, "shifted/checkpoints": _STEP}
_TRAINED = (
    r"supernet\.json|environment\.json|space\.json|training\.json|(train|choices)\.jsonl|counts\.json|restriction\.json"
)
_RETRAINED = rf"{_TRAINED}|retraining\.json|retrained\.json|net\.(onnx|(int8\.)?pt2|xml|bin|pte)"

RUN = Part(
    name="run",
    files={
        "": rf"{_RETRAINED}|config\.json|data\.json|derived(_by_task)?\.json|resources\.json|samples\.json|"
        r"searching\.json|search\.jsonl?|reference\.jsonl|front\.json|"
        r"exports\.json|scores\.jsonl|judging\.json|judge\.(json|csv)|ranking\.csv|(retrained|derived)\.jsonl|"
        r"latency(-learned)?\.json|report\.html",
        "checkpoints": _STEP,
        **_SHIFTED,
        "export": _NETWORK,
        "retrained": _RETRAINED,
        "retrained/checkpoints": _STEP,
    },
    stands="checkpoints/step-*.safetensors",
)
"""Everything. Files by any other name are not ours: they are never moved, removed or written over."""

SEARCHED = "search.jsonl"
"""The record of a search."""

SEARCH = Part(
    name="search",
    files={"": r"searching\.json|search\.jsonl?|front\.json|(exports|samples)\.json", **_SHIFTED},
    stands=SEARCHED,
)
"""What a search leaves, and the list of what was exported of it."""


class RunDirectory:
    """A directory that holds one run.

    `docs/runs.md` says what each file is.

    **Replacing.** Nothing is written or moved until a request has been found sound (`begin`). Then the files of the old
    run are moved into a hidden folder beside the new ones, and they stay there until the new run stands, that is, has
    something to resume from: a checkpoint, or for a search its first line. When the verb ends (or, if it was killed,
    when the next one begins), `settle` removes the old files if the new run stands and puts them back if it does not.
    So at every moment either the old run or the new one can be had.

    Args:
        path: The directory; it need not exist.
        first: JSON files to write before all others, by name.
        replaces: Whether the run begins by moving an older one away.
    """

    def __init__(self, path: Path | str, *, first: Mapping[str, Any] | None = None, replaces: bool = False) -> None:
        if path == "":
            raise UsageError("The directory of a run has no name; give one, or '.' for the one you are in.")
        self.path = Path(path)
        self.checkpoints = self.path / "checkpoints"
        self.log = self.path / "train.jsonl"
        self.strengths = self.path / "choices.jsonl"
        self.first, self.replaces = dict(first or {}), replaces

    @property
    def is_run(self) -> bool:
        """Whether this package made the directory, by its marker or, before there were markers, by its files.

        Raises:
            UsageError: the marker is not one, or one of a later format.
        """
        path = self.path / MARKER
        if not path.is_file():
            return _is_environment(self.path / "environment.json") or _is_config(self.path / "config.json")
        facts = _object(path)
        if not isinstance(facts.get("format"), int) or not isinstance(facts.get("supernet"), str):
            raise UsageError(
                f"{path} is not what supernet writes there, so {self.path} is not taken for a run. Choose another "
                "directory, or move the file away."
            )
        if facts["format"] > _FORMAT:
            raise UsageError(
                f"{self.path} was made by supernet {facts['supernet']} in format {facts['format']}; this version knows "
                f"format {_FORMAT}. Use that version, or choose another directory."
            )
        return True

    def check_free(self) -> None:
        """Check that a run can begin here without writing over what is not ours.

        Raises:
            UsageError: the directory is no run, but has files by the names of one.
        """
        if not self.is_run and (taken := [file for file in self._files(RUN) if not _LEFT.fullmatch(file.name)]):
            names = ", ".join(str(file.relative_to(self.path)) for file in taken[:3])
            raise UsageError(
                f"{self.path} is not a run that supernet made, but it holds {names}, where a run would write. Choose "
                "another directory, or move the file away."
            )

    def check_replaceable(self) -> None:
        """Check that what is here may be replaced.

        Raises:
            UsageError: there is something that is no run.
        """
        ours = re.compile(rf"{re.escape(LOCK)}|{_LEFT.pattern}")
        if not self.is_run and self.path.is_dir() and not all(ours.fullmatch(p.name) for p in self.path.iterdir()):
            raise UsageError(
                f"{self.path} is not a run directory (it has no {MARKER} of supernet's), so nothing there was "
                "overwritten. Choose another directory with --out."
            )

    def begin(self) -> None:
        """Make this the directory of a run: the last thing before its first file, when all has been checked.

        Moves away what is replaced; writes those of the `first` files that are missing, and the marker.

        Raises:
            UsageError: see `check_free`.
            RunError: the directory cannot be written.
        """
        if self.replaces:
            self.replace(RUN)
            self.replaces = False
        self.check_free()
        for name, value in self.first.items():
            if not (self.path / name).is_file():
                self.write(name, value)
        if not (self.path / MARKER).is_file():
            self.write(MARKER, {"supernet": __version__, "format": _FORMAT})

    @contextlib.contextmanager
    def alone(self, say: Callable[[str], None] = lambda text: None) -> Iterator[None]:
        """Hold the directory against other processes, and leave nothing half replaced in it.

        Args:
            say: Told if an older run was put back.

        Raises:
            UsageError: somebody else holds it.
            RunError: it cannot be written.
        """
        with locked(self.path) as in_charge:
            if not in_charge:
                yield
                return
            self.settle(say)
            try:
                yield
            finally:
                self.settle(say)

    def replace(self, part: Part) -> None:
        """Move the files of a part away, until `settle` removes them or puts them back.

        Raises:
            RunError: a file cannot be moved; all are where they were.
        """
        files = self._files(part)
        if not files:
            return
        moving, aside = self._places(part)
        try:
            _move(files, self.path, moving)
            moving.rename(aside)
        except OSError as error:
            self.settle()
            raise RunError(
                f"{self.path} could not be overwritten: {error.filename or 'a file'} could not be moved "
                f"({error.strerror or error}). It is as it was; choose another directory."
            ) from error

    def settle(self, say: Callable[[str], None] = lambda text: None) -> None:
        """End every replacement: remove the old files if their successors stand, else put them back."""
        for part in (RUN, SEARCH):
            moving, aside = self._places(part)
            if aside.is_dir() and any(file.stat().st_size for file in self.path.glob(part.stands)):
                shutil.rmtree(aside)
            elif aside.is_dir():
                for file in self._files(part):
                    file.unlink()
                aside.rename(moving)
            if moving.is_dir():  # also of a process that was killed while it moved: all that is in it goes back
                _move([file for file in moving.rglob("*") if file.is_file()], moving, self.path)
                shutil.rmtree(moving)
                say(f"The {part.name} that was to be replaced in {self.path} is back: its successor had not begun.")

    def _places(self, part: Part) -> tuple[Path, Path]:
        """Where the files of a part are while they are moved, and once all of them are."""
        return self.path / f".supernet-moving-{part.name}", self.path / f".supernet-replaced-{part.name}"

    def _files(self, part: Part) -> list[Path]:
        """Those files of a part that are there, and what killed writers left of them."""
        found = []
        for folder, names in part.files.items():
            known = re.compile(rf"({names})|\.({names})\.\d+\.tmp")
            place = self.path / folder
            if place.is_dir():
                found += [file for file in sorted(place.iterdir()) if file.is_file() and known.fullmatch(file.name)]
        return found

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def write(self, name: str, value: Any) -> None:
        """Write a JSON file atomically."""
        write_json(self.path / name, value)

    def read(self, name: str, kind: type[T]) -> T:
        """Read a JSON file as a value of a type, such as a Struct of `supernet.io.schema`.

        Raises:
            UsageError: the directory has no such file.
            RunError: the file is damaged; names the place.
        """
        path = self.path / name
        found = read_json(path, kind)
        if found is None:
            held = {one.name for one in self.path.iterdir()} if self.path.is_dir() else set()
            what = f"holds no {name}" if held - {LOCK} else "is not there, or empty"  # a verb that holds it has made it
            raise UsageError(f"{self.path} {what}; give a directory that `supernet train` or `run` has made.")
        return found

    def append(self, row: Mapping[str, float]) -> None:
        """Add a line to the training log."""
        with LinesFile(self.log, durable=False) as file:
            file.append(row)

    def cut_log(self, step: int) -> None:
        """Drop lines of the logs after `step` (they belong to steps that will run again) and a torn last line."""
        for log in (self.log, self.strengths):
            keep_lines(log, schema.Step, lambda row: row.step <= step)

    def write_environment(self) -> None:
        """Record machine, versions and command."""
        self.write("environment.json", environment())


def _move(files: Iterable[Path], source: Path, target: Path) -> None:
    """Move files from below one directory to below another, and remove the folders that this leaves empty."""
    for file in files:
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)
        for folder in file.parents:
            if folder == source:
                break
            with contextlib.suppress(OSError):
                folder.rmdir()


def _object(path: Path) -> Mapping[str, Any]:
    """The JSON object in a file; empty if there is none."""
    try:
        return read_json(path, dict[str, Any]) or {}
    except RunError:
        return {}


def _is_environment(path: Path) -> bool:
    return _object(path).keys() >= {"supernet", "torch", "command", "date"}


def _is_config(path: Path) -> bool:
    value = _object(path)
    sections = {"space": "name", "method": "name", "data": "name", "train": "steps", "search": "budget"}
    return value.keys() >= {*sections, "export", "judge", "seed"} and all(
        isinstance(value[section], dict) and key in value[section] for section, key in sections.items()
    )


def environment() -> dict[str, Any]:
    """What a figure depends on besides the code: machine, versions, threads, command."""
    import torch  # not above: the command line looks into directories before it needs PyTorch

    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "supernet": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "platform": platform.platform(),
        "command": command_line(),
    }


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
