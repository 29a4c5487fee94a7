"""Files that are written whole or not at all, and read with errors that name the file and the place in it."""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from supernet.errors import RunError

T = TypeVar("T")

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table of names and values",
    "null": "nothing",
}


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
    """Write JSON for people and programs, atomically; of Structs and dataclasses the fields."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=msgspec.to_builtins)
    write_atomically(path, (text + "\n").encode())


def read_json(path: Path, kind: type[T]) -> T | None:
    """Read a JSON file as a value of a type, such as a msgspec Struct; None where there is no such file.

    Raises:
        RunError: it cannot be read, or is damaged; names the file and the place.
    """
    text = read_text(path)
    return None if text is None else decode(text, kind, path)


def read_text(path: Path) -> str | None:
    """Read a text; None where there is no such file.

    Raises:
        RunError: it cannot be read, or is no UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path} cannot be read: {error}.") from error


def decode(text: str | bytes, kind: type[T], path: Path, place: str = "") -> T:
    """Read JSON as a value of a type.

    Args:
        text: The text, which should be JSON.
        kind: The type: a msgspec Struct, or any other that msgspec knows. What a Struct does not name is left out.
        path: The file that it stands in, for errors.
        place: Where in the file it stands, such as `"line 3"`, for errors.

    Raises:
        RunError: it is no JSON, or not of this type; names the file and the place.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        where, wanted = needed(error)
        where = " ".join(part for part in (place, where.removeprefix(".")) if part)
        reason = f"{where} must be {wanted}" if where else f"it must hold {wanted}"
        if wanted.endswith("."):  # the sentence of a value that checks itself
            reason = f"{where}: {wanted}" if where else wanted
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        reason = f"{place}: {error}" if place else str(error)
    raise damaged(path, reason)


def damaged(path: Path, reason: str) -> RunError:
    """The error for a file that cannot be what its writer wrote."""
    return RunError(
        f"{path} is damaged: {reason.rstrip('.')}. Repeat the step that writes this file, or move it away to go on "
        "without it."
    )


def needed(error: msgspec.ValidationError) -> tuple[str, str]:
    """What msgspec says is wrong, as the place (`".train.steps"`, empty for the whole) and what must stand there."""
    said, _, path = str(error).partition(" - at `$")
    missing = re.fullmatch(r"Object missing required field `(.+)`", said)
    if missing:
        return path.rstrip("`"), f"a table with {missing[1]!r}"
    said = said.partition(", got ")[0].removeprefix("Expected ")
    named = re.fullmatch(r"`([\w |]+)`(.*)", said)
    if named is None:
        said = "a number in range" if said.endswith("out of range") else said
        return path.rstrip("`"), "an allowed value" if said.startswith("Invalid") else said
    kinds = " or ".join(_KINDS.get(kind, kind) for kind in named[1].split(" | "))
    limit = (
        named[2].replace(">=", "of at least").replace("<=", "of at most").replace(">", "above").replace("<", "below")
    )
    return path.rstrip("`"), kinds + limit
