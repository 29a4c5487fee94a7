"""Truth as a CSV file that spreadsheets and people can read."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from supernet.errors import RunError, SupernetError, UsageError
from supernet.io.files import write_atomically
from supernet.io.separated import number_advice, separated
from supernet.judge.truth.spelling import read_arch
from supernet.judge.truth.truth import Truth
from supernet.quantity import Quantity
from supernet.space import Arch, Space
from supernet.space.text import readable

_MARK = "# supernet table: "
_SEED = "seed "


class _Facts(msgspec.Struct, forbid_unknown_fields=True):
    """What the comment line above the columns says."""

    metric: Quantity
    source: str
    architectures: int


def write_csv(truth: Truth, path: Path | str) -> None:
    """Write the truth atomically; `read_csv` reads it back, bit for bit.

    The file holds `arch,<metric>,seed <name>,…` below a comment line in JSON that says what is measured.

    Raises:
        RunError: the file cannot be written.
    """
    facts = {"metric": truth.metric.to_json(), "source": truth.source, "architectures": len(truth)}
    text = io.StringIO(newline="")
    text.write(_MARK + json.dumps(facts, ensure_ascii=False) + "\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["arch", truth.metric.name, *(_SEED + seed for seed in truth.seeds)])
    for arch, mean, row in zip(truth.archs, truth.mean.tolist(), truth.values.tolist(), strict=True):
        writer.writerow([str(arch), repr(mean), *("" if math.isnan(value) else repr(value) for value in row)])
    write_atomically(Path(path), text.getvalue().encode())


def read_csv(path: Path | str, space: Space, *, metric: Quantity | None = None) -> Truth:
    """Read what `write_csv` wrote, or any file with the columns `arch`, the metric, and perhaps `seed …`.

    Args:
        path: The file to read.
        space: The space of its architectures.
        metric: The metric; None: what the file says of itself, or its column's name, more being better.

    Raises:
        UsageError: the columns are not these, or the file is about another metric or other architectures.
        RunError: a line cannot be read, or lines are missing.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}; give a table as CSV.") from error
    except UnicodeDecodeError as error:
        raise RunError(f"{path} is not a text file ({error.reason}); give a table as CSV.") from error
    facts, text = _facts(path, text)
    lines = list(_lines(path, text, first=1 if not facts else 2))
    if not lines:
        raise UsageError(f"{path} is empty; a table begins with a line of columns: arch, the metric, perhaps seeds.")
    header = [column.strip() for column in lines[0][1]]
    if header[0].lower() == "arch":
        header[0] = "arch"
    metric = _metric(path, header, facts, metric)
    seeds = [column.removeprefix(_SEED) for column in header[2:]]
    rows = [_row(path, number, cells, header, space) for number, cells in lines[1:]]
    if facts and len(rows) != facts.architectures:
        raise RunError(
            f"{path} holds {len(rows)} of {facts.architectures} architectures: it is cut short or was edited. "
            "Restore it, or delete its first line if it is meant to be so."
        )
    if not rows:
        raise UsageError(f"{path} has columns but no architecture below them.")
    values = np.asarray([found[1:] if seeds else found[:1] for _, found in rows])
    source = facts.source if facts else path.name
    _refuse_contradictions(path, [number for number, _ in lines[1:]], rows)
    try:
        return Truth.of([arch for arch, _ in rows], values, metric=metric, source=source, seeds=seeds)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _facts(path: Path, text: str) -> tuple[_Facts | None, str]:
    if not text.startswith(_MARK):
        return None, text
    line, _, rest = text.partition("\n")
    try:
        facts = msgspec.json.decode(line.removeprefix(_MARK), type=_Facts)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RunError(f"{path}, line 1 is damaged ({error}). Restore the file, or delete this line.") from error
    return facts, rest


def _lines(path: Path, text: str, *, first: int) -> Iterator[tuple[int, list[str]]]:
    number = 0
    try:
        for number, cells in separated(text):
            yield first + number - 1, cells
    except csv.Error as error:
        raise RunError(f"{path} is not CSV below line {first + number - 1}: {error}.") from error


def _metric(path: Path, header: Sequence[str], facts: _Facts | None, asked: Quantity | None) -> Quantity:
    if any("=" in column for column in header):
        raise UsageError(
            f"{path} has no line that names its columns; write one above the first, such as arch,accuracy."
        )
    if len(header) < 2 or header[0] != "arch":
        raise UsageError(
            f"The columns of {path} are {', '.join(header)}; the first is `arch`, the second the metric, and further "
            "ones, if any, are `seed …`."
        )
    for column in header[2:]:
        if not column.startswith(_SEED):
            raise UsageError(
                f"The column {column!r} of {path} is not known; after `arch` and the metric, columns are `seed …`, one "
                "for each training. Delete it."
            )
    found = facts.metric if facts else asked or Quantity(header[1], goal="max")
    if header[1] != found.name or asked not in (None, found):
        raise UsageError(f"{path} is a table of {header[1]!r} ({found}), but {asked or found} was asked for.")
    return found


def _row(
    path: Path, number: int, cells: Sequence[str], header: Sequence[str], space: Space
) -> tuple[Arch, list[float]]:
    if len(cells) != len(header):
        raise RunError(
            f"{path}, line {number} has {len(cells)} cells, but there are {len(header)} columns: it is cut short or "
            "lacks quotes."
        )
    try:
        arch = read_arch(space, cells[0])
    except SupernetError as error:
        raise UsageError(f"{path}, line {number}: {error}") from error
    values = [_number(path, number, name, cell) for name, cell in zip(header[1:], cells[1:], strict=True)]
    given = [value for value in values[1:] if not math.isnan(value)]
    if math.isnan(values[0]) or (len(header) > 2 and not given):
        raise UsageError(f"{path}, line {number} has no value for {readable(arch)}; delete the line or give one.")
    if given and not math.isclose(values[0], sum(given) / len(given), rel_tol=1e-4):
        raise UsageError(
            f"{path}, line {number}: the {header[1]} of {readable(arch)} is {values[0]}, but the mean of its seeds is "
            f"{sum(given) / len(given):.6g}. Correct one of them."
        )
    return arch, values


def _refuse_contradictions(path: Path, numbers: Sequence[int], rows: Sequence[tuple[Arch, list[float]]]) -> None:
    found: dict[Arch, tuple[int, list[float]]] = {}
    for number, (arch, values) in zip(numbers, rows, strict=True):
        before, known = found.setdefault(arch, (number, values))
        if not np.array_equal(known, values, equal_nan=True):
            raise UsageError(
                f"{path} has two values for {readable(arch)}: {known[0]:g} in line {before}, {values[0]:g} in line "
                f"{number}. Keep one, or give them as two seeds of one line."
            )


def _number(path: Path, number: int, name: str, cell: str) -> float:
    """A finite number; an empty cell is NaN."""
    try:
        value = float(cell) if cell.strip() else math.nan
    except ValueError:
        value = math.inf
    if math.isinf(value) or (cell.strip() and math.isnan(value)):
        instead = ", or leave the cell empty" if name.startswith(_SEED) else ", or delete the line"
        raise UsageError(
            f"{path}, line {number}: {name} is {cell!r}; give a finite number{instead}.{number_advice(cell)}"
        )
    return value
