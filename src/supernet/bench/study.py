"""A study: methods (or settings) × seeds, at the budgets it states, judged against one truth."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from supernet.bench.judging import Judging
from supernet.errors import UsageError
from supernet.judge.truth.read import NAMES
from supernet.runs.config import Config

_KEYS = ("seeds", "baseline", "judge", "base", "cells")
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")
TRUTH = "truth"
"""Directory of the architectures that a study trains alone; no cell may have this name."""

Settings: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Study:
    """What `supernet bench` runs.

    Attributes:
        seeds: Seeds of every cell.
        cells: Configuration of each cell, by name; its seed is replaced.
        baseline: Cell that the others are compared with.
        judging: The truth; None: the supernets are searched instead.

    Raises:
        UsageError: no cell or seed, a name that cannot be a directory, an unknown baseline, or two equal cells.
    """

    seeds: tuple[int, ...]
    cells: Mapping[str, Config]
    baseline: str
    judging: Judging | None = None

    def __post_init__(self) -> None:
        check_seeds(self.seeds)
        if not self.cells:
            raise UsageError("The study has no cells; add one as [cells.NAME], with what differs from [base].")
        for name in self.cells:
            if not _NAME.fullmatch(name) or name == TRUTH:
                raise UsageError(
                    f"A cell cannot be named {name!r}: its runs are put into a directory of that name. Use letters, "
                    f"digits and . _ + -, and not {TRUTH!r}."
                )
        if self.baseline not in self.cells:
            raise UsageError(f"The baseline {self.baseline!r} is no cell; there are {', '.join(self.cells)}.")
        names = list(self.cells)
        for place, name in enumerate(names):
            for other in names[:place]:
                if self.cells[name] == self.cells[other]:
                    raise UsageError(f"The cells {other!r} and {name!r} have the same settings; keep one of them.")

    @classmethod
    def read(cls, path: Path, *, data: str | None = None, truth: Settings | None = None) -> Study:
        """Read a study from a .toml or .json file.

        Args:
            path: The file.
            data: Data set or file instead of that of the base; its options stay.
            truth: Settings instead of those of `judge`, such as `{"table": "nasbench201.npz"}`.

        Raises:
            UsageError: the file is missing, unreadable, or not a study.
        """
        if not path.is_file():
            raise UsageError(f"There is no study {path}; give a .toml or .json file.")
        try:
            text = path.read_text()
            value = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
        except (ValueError, OSError) as error:
            kind = "TOML" if path.suffix == ".toml" else "JSON"
            raise UsageError(f"{path} cannot be read as {kind}: {error}.") from error
        return cls.of(value, path.parent, data=data, truth=truth)

    @classmethod
    def of(cls, value: Any, folder: Path, *, data: str | None = None, truth: Settings | None = None) -> Study:
        """A study from the content of its file; see `read`."""
        if not isinstance(value, dict) or (unknown := [key for key in value if key not in _KEYS]):
            found = f"an unknown setting {unknown[0]!r}" if isinstance(value, dict) else "no settings"
            raise UsageError(f"The study has {found}; it consists of {', '.join(_KEYS)}.")
        base, cells = value.get("base", {}), value.get("cells", {})
        for name, part in {"base": base, "cells": cells, **(cells if isinstance(cells, dict) else {})}.items():
            if not isinstance(part, dict):
                raise UsageError(f"The study's {name} must be a table of settings; got {part!r}.")
        if data is not None:
            base = merged(base, {"data": {"name": data}})
        return cls(
            seeds=_seeds(value.get("seeds", [0, 1, 2])),
            cells={name: _config(name, merged(base, change)) for name, change in cells.items()},
            baseline=value.get("baseline", next(iter(cells), "")),
            judging=_judging(value.get("judge"), folder, truth or {}),
        )

    def to_json(self) -> dict[str, Any]:
        """The study with every cell written out; `of` reads it."""
        cells = {name: config.to_json() for name, config in self.cells.items()}
        for cell in cells.values():
            del cell["seed"]
        judge = {} if self.judging is None else {"judge": self.judging.to_json()}
        return {"seeds": list(self.seeds), "baseline": self.baseline, **judge, "cells": cells}

    def config(self, cell: str, seed: int) -> Config:
        """The configuration of one run."""
        return replace(self.cells[cell], seed=seed)

    def check(self) -> None:
        """Find out what can be found out before the first run starts.

        Raises:
            UsageError: an unknown method or option, a table that is not there.
            RunError: a package is missing.
        """
        from supernet.runs.naming import build_method

        for name, config in self.cells.items():
            try:
                build_method(config.method.name, config.method.options)
            except UsageError as error:
                raise UsageError(f"The cell {name!r} cannot be run: {error}") from error
        if self.judging is not None:
            self.judging.check()


def merged(base: Settings, change: Settings) -> dict[str, Any]:
    """`base` with the settings of `change`, table by table.

    >>> merged({"train": {"steps": 9, "batch_size": 4}}, {"train": {"steps": 1}})
    {'train': {'steps': 1, 'batch_size': 4}}
    """
    both = dict(base)
    for key, value in change.items():
        before = both.get(key)
        both[key] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return both


def check_seeds(seeds: Sequence[int]) -> None:
    """Raises `UsageError` unless the seeds are different whole numbers from 0 up."""
    wrong = [seed for seed in seeds if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0]
    if wrong or not seeds or len(set(seeds)) < len(seeds):
        raise UsageError(f"The seeds are {list(seeds)!r}; give different whole numbers from 0 up, at least one.")


def _seeds(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise UsageError(f"The study's seeds are {value!r}; give a list such as [0, 1, 2].")
    return tuple(value)


def _config(name: str, settings: dict[str, Any]) -> Config:
    if "seed" in settings:
        raise UsageError("A study gives its seeds once, as seeds = [0, 1, 2]; leave `seed` out of base and cells.")
    try:
        return Config.from_json(settings)
    except (UsageError, TypeError) as error:
        raise UsageError(f"The cell {name!r} is not a configuration: {error}") from error


def _judging(value: Any, folder: Path, truth: Settings) -> Judging | None:
    if value is None and not truth:
        return None
    kept = Judging.of(value, folder).to_json() if value is not None else {}
    table = truth.get("table")
    if table is not None:
        kept = {name: setting for name, setting in kept.items() if name not in ("retrain", "table")}
        found = Judging(table=table if table in NAMES else str(Path(table).expanduser().resolve()))
        if not found.has_choice:
            kept = {name: setting for name, setting in kept.items() if name not in ("dataset", "metric")}
        truth = {**truth, "table": found.table}
    return Judging(**{**kept, **truth})
