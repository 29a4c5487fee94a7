"""Files that grow by one JSON object per line: logs, and the records that stopped work goes on from.

A line counts once it has its end. One that was being written when the process died has none; readers leave it out, and
a writer cuts it off before it adds to the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

import msgspec

from supernet.errors import RunError
from supernet.io.files import decode, write_atomically

T = TypeVar("T")


@dataclass(frozen=True)
class Lines(Generic[T]):
    """What a file of lines holds.

    Attributes:
        rows: The value of each line.
        torn: Whether there was a further last line without its end, which was left out.
    """

    rows: Sequence[T]
    torn: bool


def read_lines(path: Path, kind: type[T]) -> Lines[T]:
    """Read a file of lines, each as a value of a type such as a msgspec Struct; nothing where there is no such file.

    Raises:
        RunError: the file cannot be read, or a line is damaged; names the file and the line.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Lines((), torn=False)
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}.") from error
    *whole, last = data.split(b"\n")
    rows = [decode(line, kind, path, f"line {number}") for number, line in enumerate(whole, start=1) if line.strip()]
    return Lines(rows, torn=bool(last.strip()))


def keep_lines(path: Path, kind: type[T], keep: Callable[[T], bool] = lambda row: True) -> None:
    """Rewrite a file of lines without those that `keep` refuses and without a torn one; nothing where there is none.

    Raises:
        RunError: as `read_lines`, or the file cannot be written.
    """
    if path.is_file():
        lines = [line for line in path.read_bytes().split(b"\n")[:-1] if line.strip()]
        rows = read_lines(path, kind).rows
        write_atomically(path, b"".join(line + b"\n" for line, row in zip(lines, rows, strict=True) if keep(row)))


class LinesFile:
    """A file of lines to add to: a context manager that opens it with the first line, and closes it.

    Args:
        path: The file; its folder is made with the first line. None keeps nothing.
        goes_on: How the user goes on once there is room again, as the end of an error's sentence.
        durable: Whether each line is on the disk itself when `append` returns, or only with the system, which a
            failure of power may lose. For lines that cost more than the milliseconds this takes.
    """

    def __init__(self, path: Path | None, *, goes_on: str = "make room and start again", durable: bool = True) -> None:
        self.path, self.goes_on, self.durable = path, goes_on, durable
        self._file: BinaryIO | None = None

    def append(self, row: Any) -> None:
        """Add a line: anything that JSON knows, a msgspec Struct or a dataclass.

        Raises:
            RunError: a number is not finite, or the file cannot be written; the lines before are safe.
        """
        if self.path is None:
            return
        try:
            line = json.dumps(row, ensure_ascii=False, allow_nan=False, default=msgspec.to_builtins)
        except ValueError as error:
            raise RunError(f"{self.path} was to get a number that is not finite ({row}). {_SAFE}.") from error
        try:
            if self._file is None:
                self._file = self._opened(self.path)
            self._file.write(line.encode() + b"\n")
            if self.durable:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise RunError(
                f"{self.path} could not be written: {error.strerror or error}. {_SAFE}; {self.goes_on}."
            ) from error

    @staticmethod
    def _opened(path: Path) -> BinaryIO:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b", buffering=0)
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.truncate(path.read_bytes().rfind(b"\n") + 1)
        return file

    def close(self) -> None:
        """Close the file; a further line would open it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> LinesFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_SAFE = "The lines before are safe"
