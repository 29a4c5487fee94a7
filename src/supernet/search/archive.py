"""The record of a search: how it was begun, then one evaluated architecture per line, as soon as it is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from supernet.errors import RunError, UsageError
from supernet.io.files import damaged, read_json, write_json
from supernet.io.lines import LinesFile, read_lines
from supernet.io.run_directory import SEARCHED
from supernet.search.evaluation import Evaluation, Point
from supernet.search.front import FILE_NAME as FRONT
from supernet.search.front import FrontFile
from supernet.space import Space
from supernet.train.recipe import describe

__all__ = ["Begun"]

SETTINGS = "search.json"


class Begun(Struct, frozen=True, kw_only=True):
    """How a search was begun, the content of `search.json`.

    Args:
        searcher: The searcher as `{"piece": "module:name", …}` with its settings.
        space: Fingerprint of the space that is searched.
        objectives: Names of the quantities that are optimised.
        constraints: Bounds [low, high] by the name of a quantity.
        budget: Largest number of evaluations, of the latest start.
        seed: Seed of everything random.
        initial: Architectures that the search begins with, as options by choice.
        evaluator: How values are measured, where the evaluator says so.
        wrap: Settings of what goes on beside the search.
    """

    searcher: dict[str, Any]
    space: str
    objectives: list[str]
    constraints: dict[str, tuple[float | None, float | None]]
    budget: int
    seed: int
    initial: list[dict[str, Any]] = []
    evaluator: dict[str, Any] | None = None
    wrap: dict[str, Any] | None = None

    @classmethod
    def read(cls, folder: Path | str) -> Begun | None:
        """How the search in a folder was begun; None where none was.

        Raises:
            RunError: `search.json` is damaged.
        """
        return read_json(Path(folder) / SETTINGS, cls)

    def write(self, folder: Path) -> None:
        """Write `search.json`."""
        write_json(folder / SETTINGS, self)

    def check_resumed_by(self, other: Begun, path: Path) -> None:
        """Refuse to go on with other settings; the budget may change.

        Raises:
            UsageError: settings differ; names each of them with both values.
        """
        mine, theirs = _flat(self), _flat(other)
        names = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
        for piece in ("searcher", "wrap"):  # the settings of two pieces are not comparable
            if piece in names:
                names = [name for name in names if not name.startswith(f"the {piece}'s ")]
        if names:
            told = "; ".join(f"{name} {_text(mine.get(name))}, not {_text(theirs.get(name))}" for name in names)
            raise UsageError(
                f"{path} was begun with {told}. Resume it with the former, or search anew in another folder."
            )


class Archive:
    """`search.jsonl` in a folder: what it already holds, and a way to append.

    Beside it `search.json` says how the search was begun; nothing else is stored. A search is resumed by running its
    deterministic searcher again; the values of the architectures it asks for are first taken from here, in order.

    Args:
        folder: The folder of the record, which is made if need be; None keeps nothing.
        begun: How the search is begun now.
        space: The space the architectures belong to.
        names: The quantities every line holds.
        resume: Whether to continue an archive that exists.

    Raises:
        UsageError: there is an archive but `resume` is false, there is no folder to resume from, the archive was
            begun otherwise, or a file that no search wrote stands where this one would write.
        RunError: a file cannot be read; names it and the line.
    """

    def __init__(self, folder: Path | None, begun: Begun, space: Space, names: Sequence[str], *, resume: bool) -> None:
        if folder is None and resume:
            raise UsageError("resume=True needs the folder of the search to resume: give out=…")
        self.begun = begun
        self.path = None if folder is None else folder / SEARCHED
        self.recorded: list[Evaluation] = []
        self._file = LinesFile(self.path, goes_on="make room, then resume the search")
        if folder is None or self.path is None:
            return
        there = self.path.exists()
        if there and not resume:
            raise UsageError(
                f"{self.path} holds a search already. Continue it (resume=True, --resume), replace it (--overwrite), "
                "or use another folder."
            )
        _check_ours(folder / FRONT, FrontFile)
        if not resume:
            _check_ours(folder / SETTINGS, Begun)
        elif (before := Begun.read(folder)) is not None:
            before.check_resumed_by(begun, folder / SETTINGS)
        elif there:
            raise UsageError(
                f"{self.path} cannot be resumed: {SETTINGS} beside it, which says how the search was begun, is "
                "missing. Restore it, or search anew in another folder."
            )
        if there:
            self._read(self.path, space, names)

    def _read(self, path: Path, space: Space, names: Sequence[str]) -> None:
        for number, point in enumerate(read_lines(path, Point).rows, start=1):
            if set(point.values) != set(names) or point.generation is None:
                raise damaged(
                    path,
                    f"line {number} holds {', '.join(point.values) or 'no value'}, but this search needs "
                    f"{', '.join(names)} and the generation",
                )
            try:
                self.recorded.append(point.evaluation(space))
            except UsageError as error:
                raise damaged(path, f"line {number}: {error}") from error
        if len(self.recorded) > self.begun.budget:
            raise UsageError(
                f"{path} holds {len(self.recorded)} evaluations, more than the budget of {self.begun.budget}; resume "
                "with at least that budget."
            )

    def append(self, evaluation: Evaluation) -> None:
        """Write one line, all the way to the disk."""
        self._file.append(evaluation.to_json())

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _check_ours(path: Path, kind: type[Struct]) -> None:
    """Refuse to write over a file that no search wrote."""
    try:
        read_json(path, kind)
    except RunError as error:
        raise UsageError(
            f"{path} is no file of a search that supernet wrote, so it was not replaced. Choose another folder, or "
            "move this file away."
        ) from error


def described(piece: object) -> dict[str, Any]:
    """A piece as JSON: `{"piece": "module:name", …}` with the settings of a dataclass."""
    settings = describe(piece)
    kind = type(piece)
    return {**(settings if isinstance(settings, dict) else {}), "piece": f"{kind.__module__}:{kind.__qualname__}"}


def _flat(begun: Begun) -> dict[str, Any]:
    """Every setting by the name that a user knows, as JSON reads it back."""
    told = json.loads(json.dumps(msgspec.to_builtins(begun), default=str))
    searcher, wrap = told["searcher"], told["wrap"] or {}
    flat = {name: told[name] for name in ("space", "objectives", "seed", "initial")}
    for name, piece in (("searcher", searcher), ("wrap", wrap)):
        flat |= {name: piece.pop("piece", None)} | {f"the {name}'s {setting}": piece[setting] for setting in piece}
    flat |= {f"the constraint on {name}": bounds for name, bounds in told["constraints"].items()}
    return flat | {f"the evaluator's {name}": value for name, value in (told["evaluator"] or {}).items()}


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if value not in (None, []) else "none"
    return text if len(text) <= 80 else f"{text[:77]}…"
