"""Latencies that were measured elsewhere, in a file that spreadsheets and people can write."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from supernet.errors import SupernetError, UsageError
from supernet.space import Arch, Codes, Space

_FEWEST = 3
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
        lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), strict=True))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}. {_FORM}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} is no CSV file ({error}). {_FORM}.") from error
    rows = [(number, cells) for number, cells in enumerate(lines, start=1) if any(cell.strip() for cell in cells)]
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
                f"{path} tells two latencies of {arch}: {known:g} ms in line {before}, {value:g} ms in line {number}. "
                "Give each architecture once, with the median of its measurements."
            )
    if len(found) < _FEWEST:
        raise UsageError(f"{path} holds {len(found)} architectures; give {_FEWEST} or more, better 20. {_FORM}.")
    measured = np.asarray([value for _, value in found.values()])
    return Measurements(space.codes(list(found)), measured, path.name)


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    if sorted(header) == ["arch", "ms"]:
        return {name: place for place, name in enumerate(header)}
    told = f"has the columns {', '.join(map(repr, header))}" if header else "is empty"
    unit = next((name for name in header if name.lower() in ("s", "sec", "seconds", "us", "µs", "latency_s")), None)
    advice = f" Convert {unit!r} to milliseconds and call the column `ms`." if unit else ""
    raise UsageError(f"{path} {told}, and `arch` and `ms` are needed, no others. {_FORM}.{advice}")


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
            f"{path}, line {number}: {text.strip()!r} is no duration. Give milliseconds, a number above 0; leave an "
            "architecture out that could not be measured."
        )
    return value
