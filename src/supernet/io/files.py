"""Writing files that are whole or not there at all."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from supernet.errors import RunError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Raises:
        RunError: the disk is full or the place cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise RunError(
            f"{path} could not be written: {error.strerror or error}. What was there before is untouched. "
            "Free some space or choose another directory, then resume."
        ) from error


def write_json(path: Path, value: Any) -> None:
    """Write JSON for people and programs, atomically."""
    write_atomically(path, (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())
