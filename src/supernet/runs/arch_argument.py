"""An architecture as a user writes it."""

from __future__ import annotations

import contextlib
from pathlib import Path

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch


def read_arch(net: Supernet, text: str) -> Arch:
    """An architecture from the command line: a text that `Space.parse` reads, or a file that holds one.

    Raises:
        UsageError: it is neither, or not in the space.
    """
    with contextlib.suppress(OSError):  # a text may be too long for a path
        if Path(text).is_file():
            text = _read(Path(text))
        elif _names_a_file(text):
            told = "is a directory" if Path(text).is_dir() else "is not there"
            raise UsageError(f"The file {text} of an architecture {told}; give one that holds choice=option,… or JSON.")
    return net.space.parse(text)


def _names_a_file(text: str) -> bool:
    return "=" not in text and not text.lstrip().startswith(("{", "[")) and (Path(text).suffix != "" or "/" in text)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except ValueError as error:
        raise UsageError(f"The file {path} holds no architecture: it is not text in UTF-8 ({error}).") from error
