"""The record of a search: one evaluated architecture per line, written as soon as it is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from supernet.errors import RunError, UsageError
from supernet.io.files import damaged, read_json
from supernet.io.lines import LinesFile, read_lines
from supernet.search.evaluation import Evaluation, Point
from supernet.search.front import FILE_NAME as FRONT
from supernet.search.front import FrontFile
from supernet.search.request import FILE_NAME as SETTINGS
from supernet.search.request import Begun
from supernet.space import Space

FILE_NAME = "search.jsonl"


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
        self.path = None if folder is None else folder / FILE_NAME
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
