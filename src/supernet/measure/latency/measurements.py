"""Latencies that were measured elsewhere, in a file that spreadsheets and people can write."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from supernet.errors import SupernetError, UsageError
from supernet.io.separated import number_advice, separated
from supernet.space import Arch, Codes, Space
from supernet.space.text import readable

_FEWEST = 3
_UNIT = re.compile(r"(?:^|[\W_])(?P<unit>ms|s|sec|secs|seconds?|us|µs|ns|min|minutes?)[\])]*$", re.IGNORECASE)
_FORM = "The file has a line `arch,ms` and below it an architecture, as every command prints it, and its milliseconds"


class Measurements(NamedTuple):
    """What some architectures take on a device.

    Attributes:
        codes: The architectures (N, D), all different.
        measured_ms: Their latencies (N,) in milliseconds, all above 0.
        source: Name of the file.
    """

    codes: Codes
    measured_ms: NDArray[np.float64]
    source: str


def read_measurements(path: Path | str, space: Space) -> Measurements:
    """Read a CSV file with the columns `arch` and `ms`.

    An architecture stands in quotes, as its text has commas. The same line twice counts once.

    Args:
        path: The file to read.
        space: The space of its architectures.

    Raises:
        UsageError: the file cannot be read, its columns are others, an architecture is of another space or has two
            latencies, a latency is no duration, or there are fewer than three.
    """
    path = Path(path)
    try:
        rows = list(separated(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}. {_FORM}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text in UTF-8 ({error.reason}); save it as CSV in UTF-8. {_FORM}.") from error
    except csv.Error as error:
        raise UsageError(f"{path} is no CSV file ({error}). {_FORM}.") from error
    places = _columns(path, [cell.strip() for cell in rows[0][1]] if rows else [])
    found: dict[Arch, tuple[int, float]] = {}
    for number, cells in rows[1:]:
        if len(cells) != 2:
            raise UsageError(
                f"{path}, line {number} has {len(cells)} cells instead of 2. Put the architecture in quotes, as in "
                '"width=8,kernel=3",1.25.'
            )
        arch = _arch(path, number, cells[places["arch"]], space)
        value = _duration(path, number, cells[places["ms"]])
        before, known = found.setdefault(arch, (number, value))
        if known != value:
            raise UsageError(
                f"{path} tells two latencies of {readable(arch)}: {known:g} ms in line {before}, {value:g} ms in line "
                f"{number}. Give each architecture once, with the median of its measurements."
            )
    if len(found) < _FEWEST:
        raise UsageError(f"{path} holds {len(found)} architectures; give {_FEWEST} or more, better 20. {_FORM}.")
    measured = np.asarray([value for _, value in found.values()])
    return Measurements(space.codes(list(found)), measured, path.name)


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    known = [name.lower() for name in header]
    if sorted(known) == ["arch", "ms"]:
        return {name: place for place, name in enumerate(known)}
    if any("=" in cell for cell in header):
        raise UsageError(f"{path} has no line that names its columns; write `arch,ms` above the first.")
    told = f"has the columns {_short(header)}" if header else "is empty"
    raise UsageError(f"{path} {told}, and `arch` and `ms` are needed, no others. {_FORM}.{_advice(header)}")


def _short(header: list[str]) -> str:
    text = ", ".join(map(repr, header))
    return text if len(text) <= 120 else f"{text[:119]}…"


def _advice(header: list[str]) -> str:
    for name in header:
        found = _UNIT.search(name)
        if found and found["unit"].lower() != "ms":
            return f" Convert {name!r} to milliseconds and call the column `ms`."
        if found:
            return f" Call {name!r} `ms`."
    return ""


def _arch(path: Path, number: int, text: str, space: Space) -> Arch:
    try:
        return space.parse(text)
    except SupernetError as error:
        raise UsageError(f"{path}, line {number} is no architecture of this space: {error}") from error


def _duration(path: Path, number: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise UsageError(
            f"{path}, line {number}: {text.strip()!r} is no duration.{number_advice(text)} Give milliseconds, a number "
            "above 0; leave an architecture out that could not be measured."
        )
    return value
