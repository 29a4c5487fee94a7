"""Truth on the disk that grows by a line per training."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import msgspec
import numpy as np

from supernet.errors import RunError, SupernetError, UsageError
from supernet.judge.truth.spelling import read_arch
from supernet.judge.truth.truth import Truth
from supernet.measure.quantity import ACCURACY, Quantity
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

    A line is on the disk when `append` returns. One that was being written when the process died has no end and is
    cut off when the file is opened again.

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
        self._file: BinaryIO | None = None
        made = json.loads(json.dumps(dict(settings or {})))
        self._head = _Head(space.fingerprint, metric, source, made)
        if self.path is not None and self.path.is_file():
            lines = _whole_lines(self.path, cut=True)
            if lines:
                found = _read_head(self.path, lines[0])
                _check_space(self.path, found, space)
                _check_same(self.path, found, self._head)
                self._values = _read_lines(self.path, space, metric.name, lines[1:])

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
        self._write({"arch": str(arch), "seed": seed, self.metric.name: value} | facts)
        self._values.setdefault(code, {})[seed] = value

    def truth(self, *, seeds: Sequence[int] | None = None) -> Truth:
        """What is known by now; its rows are in the order of their codes, whatever the order of the lines.

        Args:
            seeds: Only these trainings; default: all there are.

        Raises:
            UsageError: there is none yet.
        """
        return _truth(self.space, self._values, self.metric, self.source, seeds)

    def _write(self, line: Mapping[str, Any]) -> None:
        if self.path is None:
            return
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("ab")
                if self._file.tell() == 0:
                    self._file.write(msgspec.json.encode(self._head) + b"\n")
            self._file.write(_line(line))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise RunError(
                f"{self.path} could not be written: {error.strerror or error}. What it holds is kept; make room "
                "and start again to go on."
            ) from error

    def __enter__(self) -> TruthFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def read_truth_file(path: Path | str, space: Space, *, metric: Quantity | None = None) -> Truth:
    """What a `TruthFile` holds so far; the file is left as it is.

    Raises:
        UsageError: another space or metric, or there is no training in it yet.
        RunError: a line cannot be read; names file and line.
    """
    path = Path(path)
    lines = _whole_lines(path, cut=False)
    if not lines:
        raise UsageError(f"{path} holds no training yet; let the first training end.")
    head = _read_head(path, lines[0])
    if metric is not None and metric != head.metric:
        raise UsageError(f"{path} holds {head.metric}, but {metric} was asked for. Ask for what it holds.")
    _check_space(path, head, space)
    return _truth(space, _read_lines(path, space, head.metric.name, lines[1:]), head.metric, head.source, None)


def read_source(path: Path) -> str:
    """Where the values of a `TruthFile` come from; empty for a file without a whole line.

    Raises:
        RunError: the first line cannot be read.
    """
    lines = _whole_lines(path, cut=False)
    return _read_head(path, lines[0]).source if lines else ""


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


def _line(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _whole_lines(path: Path, *, cut: bool) -> list[bytes]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}. Check the path and its rights.") from error
    whole = data.rfind(b"\n") + 1
    if cut and whole < len(data):
        os.truncate(path, whole)
    return data[:whole].split(b"\n")[:-1]


def _read_head(path: Path, line: bytes) -> _Head:
    try:
        return msgspec.json.decode(line, type=_Head)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise RunError(
            f"{path}, line 1 is not the beginning of a table ({error}). Restore the file, or choose another one."
        ) from error


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


def _read_lines(path: Path, space: Space, metric: str, lines: Sequence[bytes]) -> Trainings:
    values: Trainings = {}
    for number, line in enumerate(lines, start=2):
        try:
            data = msgspec.json.decode(line, type=dict[str, Any])
            arch, seed, value = read_arch(space, data["arch"]), int(data["seed"]), float(data[metric])
            if not np.isfinite(value):
                raise ValueError(f"{metric} is {value}")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            reason = str(error) if isinstance(error, SupernetError) else "it is not a training"
            raise RunError(f"{path}, line {number} cannot be read: {reason} Restore the file, or delete it.") from error
        row = values.setdefault(arch.code, {})
        if row.setdefault(seed, value) != value:
            raise RunError(
                f"{path}, line {number} gives {arch!r} with seed {seed} the {metric} {value}, but an earlier line says "
                f"{row[seed]}. Two processes may have written to it; delete one of the lines."
            )
    return values
