"""Truth on the disk that grows by a line per training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np

from supernet.errors import RunError, UsageError
from supernet.io.files import damaged, decode
from supernet.io.lines import LinesFile, read_lines
from supernet.judge.truth.spelling import read_arch
from supernet.judge.truth.truth import Truth
from supernet.quantity import ACCURACY, Quantity
from supernet.space import Arch, Space

FORMAT = "supernet truth 1"

Trainings: TypeAlias = dict[tuple[int, ...], dict[int, float]]
"""Values by code of the architecture and seed."""


class _Head(msgspec.Struct, tag_field="format", tag=FORMAT):
    """The first line: what the trainings are, and how they were made."""

    space: str
    metric: Quantity
    source: str
    settings: dict[str, Any]


class TruthFile:
    """A `.jsonl` file of single trainings: a first line that says what they are, then one line each.

    A line is on the disk when `append` returns.

    Args:
        path: The file; made with the first line. None keeps everything in memory only.
        space: The space of the architectures.
        metric: The quantity that the values are of.
        source: Where the values come from, for reports.
        settings: How the values were made, as JSON. A file made by other settings is refused.

    Raises:
        UsageError: the file holds another metric, another space's architectures, or was made by other settings.
        RunError: a line cannot be read; names file and line.
    """

    def __init__(
        self,
        path: Path | str | None,
        space: Space,
        *,
        metric: Quantity = ACCURACY,
        source: str = "",
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = None if path is None else Path(path)
        self.space, self.metric, self.source = space, metric, source
        self._values: Trainings = {}
        self._file = LinesFile(self.path)
        made = json.loads(json.dumps(dict(settings or {})))
        self._head = _Head(space.fingerprint, metric, source, made)
        found = None if self.path is None else _read(self.path)
        self._headed = found is not None
        if self.path is not None and found is not None:
            head, lines = found
            _check_space(self.path, head, space)
            _check_same(self.path, head, self._head)
            self._values = _trainings(self.path, space, metric.name, lines)

    def __contains__(self, training: tuple[Arch, int]) -> bool:
        arch, seed = training
        return arch in self.space and seed in self._values.get(arch.code, {})

    def __len__(self) -> int:
        """Number of trainings."""
        return sum(map(len, self._values.values()))

    def append(self, arch: Arch, seed: int, value: float, **facts: float) -> None:
        """Add one training, all the way to the disk.

        Args:
            arch: The architecture that was trained.
            seed: The seed of its training.
            value: The value of the metric.
            facts: Other figures to note on the line; they are not read back.

        Raises:
            UsageError: another space, a value that is not finite, or one that is there already.
            RunError: the file cannot be written.
        """
        (code,) = map(tuple, self.space.codes([arch]).tolist())
        if not np.isfinite(value):
            raise UsageError(f"The {self.metric.name} of {arch!r} with seed {seed} is {value}; it must be finite.")
        if (arch, seed) in self:
            raise UsageError(f"{arch!r} with seed {seed} is in it already.")
        if not self._headed:
            self._file.append(self._head)
            self._headed = True
        self._file.append({"arch": str(arch), "seed": seed, self.metric.name: value} | facts)
        self._values.setdefault(code, {})[seed] = value

    def truth(self, *, seeds: Sequence[int] | None = None) -> Truth:
        """What is known by now; its rows are in the order of their codes, whatever the order of the lines.

        Args:
            seeds: Only these trainings; default: all there are.

        Raises:
            UsageError: there is none yet.
        """
        return _truth(self.space, self._values, self.metric, self.source, seeds)

    def __enter__(self) -> TruthFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read_truth_file(path: Path | str, space: Space, *, metric: Quantity | None = None) -> Truth:
    """What a `TruthFile` holds so far; the file is left as it is.

    Raises:
        UsageError: another space or metric, or there is no training in it yet.
        RunError: a line cannot be read; names file and line.
    """
    path = Path(path)
    found = _read(path)
    if found is None:
        raise UsageError(f"{path} holds no training yet; let the first training end.")
    head, lines = found
    if metric is not None and metric != head.metric:
        raise UsageError(f"{path} holds {head.metric}, but {metric} was asked for. Ask for what it holds.")
    _check_space(path, head, space)
    return _truth(space, _trainings(path, space, head.metric.name, lines), head.metric, head.source, None)


def read_source(path: Path) -> str:
    """Where the values of a `TruthFile` come from; empty for a file without a whole line.

    Raises:
        RunError: the first line cannot be read.
    """
    found = _read(path)
    return "" if found is None else found[0].source


def _truth(
    space: Space,
    values: Trainings,
    metric: Quantity,
    source: str,
    seeds: Sequence[int] | None,
) -> Truth:
    columns = sorted({seed for row in values.values() for seed in row}) if seeds is None else list(seeds)
    codes = sorted(code for code, row in values.items() if any(seed in row for seed in columns))
    if not codes:
        raise UsageError("There is no training yet; append one first.")
    return Truth(
        space=space,
        codes=np.asarray(codes, dtype=np.int16),
        values=np.asarray([[values[code].get(seed, np.nan) for seed in columns] for code in codes]),
        metric=metric,
        source=source,
        seeds=tuple(map(str, columns)),
    )


def _read(path: Path) -> tuple[_Head, Sequence[dict[str, Any]]] | None:
    """The first line and the others; None where there is none."""
    rows = read_lines(path, msgspec.Raw).rows
    if not rows:
        return None
    others = [decode(row, dict[str, Any], path, f"line {number}") for number, row in enumerate(rows[1:], start=2)]
    return decode(rows[0], _Head, path, "line 1"), others


def _check_space(path: Path, found: _Head, space: Space) -> None:
    if found.space != space.fingerprint:
        raise UsageError(
            f"{path} is about the space {found.space}, but this space is {space.fingerprint}. Read it with the space "
            "it was made in, or choose another file."
        )


def _check_same(path: Path, found: _Head, wanted: _Head) -> None:
    facts, now = ({"metric": head.metric.to_json()} | head.settings for head in (found, wanted))
    for name in facts | now:
        if facts.get(name) != now.get(name):
            raise UsageError(
                f"{path} was made with {name} = {facts.get(name)}, now it is {now.get(name)}; figures made differently "
                "do not belong in one table. Choose another file, or the same settings."
            )


def _trainings(path: Path, space: Space, metric: str, lines: Sequence[Mapping[str, Any]]) -> Trainings:
    values: Trainings = {}
    for number, line in enumerate(lines, start=2):
        try:
            arch, seed, value = read_arch(space, line["arch"]), int(line["seed"]), float(line[metric])
        except UsageError as error:
            raise damaged(path, f"line {number}: {error}") from error
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise damaged(path, f"line {number} must be a training with 'arch', 'seed' and {metric!r}") from error
        row = values.setdefault(arch.code, {})
        if row.setdefault(seed, value) != value:
            raise RunError(
                f"{path}, line {number} gives {arch!r} with seed {seed} the {metric} {value}, but an earlier line says "
                f"{row[seed]}. Two processes may have written to it; delete one of the lines."
            )
    return values
