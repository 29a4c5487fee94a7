"""JSON of the files of a search, into the structs beside their writers."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from supernet.errors import RunError

T = TypeVar("T")


def decoded(path: Path, content: bytes, kind: type[T]) -> T:
    """The content of a file as a struct.

    Raises:
        RunError: it is damaged; names the file and the place in it.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise damaged(path, str(error)) from error


def damaged(path: Path, reason: str) -> RunError:
    """The error for a file that cannot be what its writer wrote."""
    return RunError(
        f"{path} is damaged: {reason.rstrip('.')}. Repeat the step that writes this file, or move it away to go on "
        "without it."
    )
