"""The record of a search: one evaluated architecture per line, written as soon as it is known."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from supernet.errors import RunError, SupernetError, UsageError
from supernet.space import Arch, Space

FILE_NAME = "search.jsonl"


@dataclass(frozen=True)
class Evaluation:
    """An evaluated architecture: its values by name, and the round of `ask` in which it was evaluated."""

    arch: Arch
    values: Mapping[str, float]
    generation: int

    def to_json(self) -> dict[str, Any]:
        return {"arch": self.arch.options(), "values": dict(self.values), "generation": self.generation}


class Archive:
    """`search.jsonl` in a folder: what it already holds, and a way to append.

    Nothing else of a search is stored. A search is resumed by running its deterministic searcher again; the values
    of the architectures it asks for are first taken from here, in order. A line that was being written
    when the process died has no end and is cut off.

    Args:
        folder: Where `search.jsonl` is or will be; made with the first line. None keeps nothing.
        space: The space the architectures belong to.
        names: The quantities every line holds.
        resume: Whether to continue an archive that exists.

    Raises:
        UsageError: there is an archive but `resume` is false, or there is no folder to resume from.
        RunError: a line cannot be read; names file and line.
    """

    def __init__(self, folder: Path | None, space: Space, names: Sequence[str], *, resume: bool) -> None:
        if folder is None and resume:
            raise UsageError("resume=True needs the folder of the search to resume: give out=…")
        self.path = None if folder is None else Path(folder) / FILE_NAME
        self.recorded: list[Evaluation] = []
        self._file: BinaryIO | None = None
        if self.path is None or not self.path.exists():
            return
        if not resume:
            raise UsageError(
                f"{self.path} holds a search already. Continue it (resume=True, --resume), replace it (--overwrite), "
                "or use another folder."
            )
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(self.path, whole)
        for number, line in enumerate(data[:whole].split(b"\n")[:-1], start=1):
            self.recorded.append(self._read(line, number, space, names))

    def _read(self, line: bytes, number: int, space: Space, names: Sequence[str]) -> Evaluation:
        try:
            data = json.loads(line)
            values = {name: float(value) for name, value in data["values"].items()}
            evaluation = Evaluation(space.arch(data["arch"]), values, int(data["generation"]))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = str(error) if isinstance(error, SupernetError) else "it is not a line of a search"
            raise RunError(
                f"{self.path}, line {number} cannot be read: {reason} Resume with the space the search was begun "
                "in, or search anew in another folder."
            ) from error
        if set(values) != set(names):
            raise RunError(
                f"{self.path}, line {number} records {', '.join(values)}, but this search needs {', '.join(names)}. "
                "Resume with the objectives and constraints it was begun with, or search anew in another folder."
            )
        return evaluation

    def append(self, evaluation: Evaluation) -> None:
        """Write one line, all the way to the disk.

        Raises:
            RunError: the disk is full or the place cannot be written; the lines before are safe.
        """
        if self.path is None:
            return
        line = json.dumps(evaluation.to_json(), ensure_ascii=False, allow_nan=False) + "\n"
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("ab", buffering=0)
            self._file.write(line.encode())
            os.fsync(self._file.fileno())
        except OSError as error:
            raise RunError(
                f"{self.path} could not be written: {error.strerror or error}. The evaluations before are safe; "
                "make room, then resume the search."
            ) from error

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
