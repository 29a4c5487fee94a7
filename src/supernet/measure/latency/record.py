"""Measurements that cost time, kept on disk while they are made."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from msgspec import Meta, Struct, to_builtins
from msgspec.json import encode

from supernet.errors import RunError, UsageError
from supernet.io.files import decode, read_json, write_json
from supernet.space import Codes

Progress = Callable[[int, int], None]
"""Called with the number of measurements done and their total."""

A = TypeVar("A")
T = TypeVar("T")

CodeText = Annotated[str, Meta(pattern=r"^\d+(,\d+)*$")]
"""Name of an architecture in a record: its code."""

_SAVED_EVERY_SECONDS = 1.0
_FAMILY = "supernet latency"


class Kept(Struct, frozen=True, kw_only=True):
    """What the file of a record holds.

    Attributes:
        format: What the file becomes, or has become.
        about: Settings that the figures depend on.
        result: What was made of the figures; None while they are measured.
        figures: Milliseconds by the name of a measurement.
    """

    format: str = ""
    about: dict[str, Any] = {}
    result: dict[str, Any] | None = None
    figures: dict[str, float] = {}


class Record:
    """A JSON file of measurements: what they are about, the figures so far, and at the end what was made of them.

    Killed, it loses the measurements of the last second.

    Args:
        path: The file; None keeps everything in memory.
        kind: The format of the file when it is finished.
        about: Settings that the figures depend on, as JSON.
        resume: Whether to go on with the figures in the file. Otherwise it is replaced: a finished one not before the
            new one is finished too.

    Raises:
        UsageError: the file was made with other settings, or is something else.
        RunError: the file is damaged.
    """

    def __init__(self, path: Path | str | None, kind: str, about: Mapping[str, Any], *, resume: bool) -> None:
        self.path, self.kind = None if path is None else Path(path), kind
        self.about: dict[str, Any] = json.loads(json.dumps(about))
        self._figures: dict[str, float] = {}
        self._saved = time.monotonic()
        self._replaces = False
        if self.path is not None and not resume and self.path.exists():
            self._replaces = _replaceable(self.path).result is not None
        if self.path is not None and resume and self.path.is_file():
            kept = read_record(self.path, kind)
            for name in self.about:
                if kept.about.get(name) != self.about[name]:
                    raise UsageError(
                        f"{self.path} holds figures made with {name}={kept.about.get(name)!r}, not "
                        f"{self.about[name]!r}. Choose another file, or pass resume=False to replace it."
                    )
            self._figures = kept.figures

    def measure(
        self, rounds: int, measures: Mapping[str, Callable[[], float]], seed: int, progress: Progress | None
    ) -> dict[str, float]:
        """Every measure once per round, in another order each time; the median of its rounds.

        Raises:
            RunError: a device told something that is no duration.
        """
        names = list(measures)
        rng = np.random.default_rng(seed)
        order = [f"{names[place]}/{number}" for number in range(rounds) for place in rng.permutation(len(names))]
        for done, key in enumerate(order, start=1):
            if key not in self._figures:
                value = float(measures[key.rpartition("/")[0]]())
                if not (math.isfinite(value) and value >= 0):
                    raise RunError(
                        f"The device told a latency of {value} ms, which is no duration. Look at its client."
                    )
                self._figures[key] = value
                if time.monotonic() - self._saved > _SAVED_EVERY_SECONDS:
                    self.save(None)
            if progress is not None:
                progress(done, len(order))
        return {name: float(np.median([self._figures[f"{name}/{r}"] for r in range(rounds)])) for name in names}

    def save(self, result: Struct | None) -> None:
        """Write the file; `result` is what the measurements became, None while they go on."""
        self._saved = time.monotonic()
        if self.path is not None and not (self._replaces and result is None):
            told = None if result is None else to_builtins(result)
            write_json(self.path, Kept(format=self.kind, about=self.about, result=told, figures=self._figures))

    def __enter__(self) -> Record:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self.save(None)


def _replaceable(path: Path) -> Kept:
    """The content of a file that may be replaced, because it is a record.

    Raises:
        UsageError: it is not.
    """
    try:
        kept = read_json(path, Kept)
    except RunError:
        kept = None
    if kept is None or not kept.format.startswith(_FAMILY):
        raise UsageError(
            f"{path} is no file of latencies that supernet wrote, so it was not replaced. Choose another file, or move "
            "this one away."
        )
    return kept


def read_record(path: Path | str, *formats: str) -> Kept:
    """The content of a record's file.

    Raises:
        UsageError: there is no such file, or it holds something else.
        RunError: it is damaged.
    """
    if Path(path).suffix.lower() in (".csv", ".tsv", ".txt"):
        raise UsageError(
            f"{path} is to be a file of latencies that supernet wrote, in JSON; `supernet latency fit --measurements "
            f"{path}` makes one of a file of measurements."
        )
    kept = read_json(Path(path), Kept)
    if kept is None:
        raise UsageError(f"There is no file {path}; make one with `supernet latency build`.")
    if kept.format not in formats:
        raise UsageError(f"{path} is no {' or '.join(formats)}; give a file that was written as one.")
    return kept


def read_result(path: Path | str, form: str, about: type[A], result: type[T]) -> tuple[A, T]:
    """What the measurements in a record's file are about, and what they became.

    Raises:
        UsageError: as in `read_record`, or they are not complete.
        RunError: it is damaged; names the place.
    """
    kept = read_record(path, form)
    if kept.result is None:
        raise UsageError(f"{path} is unfinished; run the same build again to complete it.")
    return decode(encode(kept.about), about, Path(path), "about"), decode(
        encode(kept.result), result, Path(path), "result"
    )


def code_text(code: Iterable[int]) -> str:
    """Name of an architecture in a record."""
    return ",".join(map(str, code))


def code_texts(codes: Codes) -> list[str]:
    """Names of a population (N, D)."""
    return [code_text(code) for code in codes.tolist()]


def codes_of(texts: Sequence[str], columns: int) -> Codes:
    """The population (N, D) behind such names."""
    return np.asarray([text.split(",") for text in texts], dtype=np.int16).reshape(len(texts), columns)
