"""A study: methods (or settings) × seeds, at the budgets it states, judged against one truth."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from supernet.catalog import load
from supernet.errors import UsageError
from supernet.io.config import Config, Judging
from supernet.io.section import read_settings, section
from supernet.judge.truth.read import check_truth, has_choice, is_named
from supernet.runs.naming import build_method
from supernet.settings import inner_methods

_KEYS = ("seeds", "baseline", "judge", "base", "cells")
_JUDGE = ("table", "dataset", "metric", "retrain", "retrain_steps", "surrogate", "archs", "batch_size")
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
        judge: The truth: a table, or architectures trained alone once for all runs, by the baseline's configuration;
            None: the supernets are searched instead.

    Raises:
        UsageError: no cell or seed, a name that cannot be a directory, an unknown baseline, two equal cells, or a truth
            that is none.
    """

    seeds: tuple[int, ...]
    cells: Mapping[str, Config]
    baseline: str
    judge: Judging | None = None

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
        if self.judge is not None:
            _check_judge(self.judge)

    @classmethod
    def read(cls, path: Path, *, data: str | None = None, truth: Settings | None = None) -> Study:
        """Read a study from a .toml or .json file.

        Args:
            path: The .toml or .json file of the study.
            data: Data set or file instead of that of the base; its options stay.
            truth: Settings instead of those of `judge`, such as `{"table": "nasbench201.npz"}`.

        Raises:
            UsageError: the file is missing, unreadable, or not a study.
        """
        return cls.of(read_settings(path, "study"), path.parent, data=data, truth=truth)

    @classmethod
    def of(cls, value: Any, folder: Path, *, data: str | None = None, truth: Settings | None = None) -> Study:
        """A study from the content of its file, which stands in `folder`; see `read`."""
        if not isinstance(value, dict) or (unknown := [key for key in value if key not in _KEYS]):
            found = f"an unknown setting {unknown[0]!r}" if isinstance(value, dict) else "no settings"
            raise UsageError(f"The study has {found}; it consists of {', '.join(_KEYS)}.")
        base, cells = value.get("base", {}), value.get("cells", {})
        for name, part in {"base": base, "cells": cells, **(cells if isinstance(cells, dict) else {})}.items():
            if not isinstance(part, dict):
                raise UsageError(f"The study's {name} must be a table of settings; got {part!r}.")
        if data is not None:
            base = merged(base, {"data": {"name": data}})
        seeds = value.get("seeds", [0, 1, 2])
        if not isinstance(seeds, list):
            raise UsageError(f"The study's seeds are {seeds!r}; give a list such as [0, 1, 2].")
        return cls(
            seeds=tuple(seeds),
            cells={name: _config(name, _cell(base, change)) for name, change in cells.items()},
            baseline=value.get("baseline", next(iter(cells), "")),
            judge=_judging(value.get("judge"), folder, truth or {}),
        )

    def to_json(self) -> dict[str, Any]:
        """The study with every cell written out; `of` reads it."""
        cells = {name: config.to_json() for name, config in self.cells.items()}
        for cell in cells.values():
            del cell["seed"]
        judge = {} if self.judge is None else {"judge": {name: getattr(self.judge, name) for name in _JUDGE}}
        return {"seeds": list(self.seeds), "baseline": self.baseline, **judge, "cells": cells}

    def config(self, cell: str, seed: int) -> Config:
        """The configuration of one run."""
        return replace(self.cells[cell], seed=seed)

    def truth(self, out: Path) -> Judging | None:
        """What the runs in a directory are judged against; architectures trained alone are a table by then."""
        if self.judge is None or not self.judge.retrain:
            return self.judge
        return replace(self.judge, table=str((out / TRUTH / "retrained.jsonl").resolve()), retrain=0)

    def check(self) -> None:
        """Find out what can be found out before the first run starts.

        Raises:
            UsageError: an unknown method or option, a table that is not there.
            RunError: a package is missing.
        """
        for name, config in self.cells.items():
            try:
                build_method(config.method.name, config.method.options)
            except UsageError as error:
                raise UsageError(f"The cell {name!r} cannot be run: {error}") from error
        if self.judge is not None and self.judge.table:
            check_truth(self.judge.table, dataset=self.judge.dataset or None, metric=self.judge.metric or None)


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


def _cell(base: Settings, change: Settings) -> dict[str, Any]:
    """The settings of a cell: the base with its changes.

    A method that goes around another, such as few_shot, goes around that of the base.
    """
    inner, method = base.get("method"), change.get("method")
    if not isinstance(inner, dict) or not isinstance(method, dict) or not _goes_around(method.get("name")):
        return merged(base, change)
    recipe = {"method": inner["name"]} if "name" in inner else {}
    options = dict(method.get("options", {}))
    if isinstance(options.get("recipe"), str):
        options["recipe"] = {"method": options["recipe"]}
    around = merged({"recipe": recipe | inner.get("options", {})}, options)
    return merged(base, change) | {"method": {**method, "options": around}}


def _goes_around(method: object) -> bool:
    try:
        return isinstance(method, str) and bool(inner_methods(load("methods", method), {"recipe": "any"}))
    except UsageError:
        return False  # there is no such method, as the check of the study says


def _config(name: str, settings: dict[str, Any]) -> Config:
    if "seed" in settings:
        raise UsageError("A study gives its seeds once, as seeds = [0, 1, 2]; leave `seed` out of base and cells.")
    try:
        return Config.from_json(settings)
    except UsageError as error:
        raise UsageError(f"The cell {name!r} is not a configuration: {error}") from error


def _judging(value: Any, folder: Path, truth: Settings) -> Judging | None:
    """The truth of a study, a file sought beside it; with what `truth` says instead, a file sought where we are."""
    if value is None and not truth:
        return None
    kept = {} if value is None else value
    if not isinstance(kept, dict) or (unknown := [name for name in kept if name not in _JUDGE]):
        found = f"an unknown setting {unknown[0]!r}" if isinstance(kept, dict) else repr(value)
        raise UsageError(f"The study's judge has {found}; it is a table of {', '.join(_JUDGE)}.")
    kept = {**kept, **_found(kept.get("table"), folder)}
    if table := _found(truth.get("table"), Path()):
        free = ("retrain", "retrain_steps", "table", *(() if has_choice(table["table"]) else ("dataset", "metric")))
        kept = {name: setting for name, setting in kept.items() if name not in free}
    return section(Judging, {**kept, **truth, **table}, "judge.")


def _found(table: Any, folder: Path) -> dict[str, str]:
    """A table as it is kept: a name, `module:name`, or a whole path."""
    if not isinstance(table, str) or not table:
        return {}
    return {"table": table if is_named(table) else str((folder / Path(table).expanduser()).resolve())}


def _check_judge(judge: Judging) -> None:
    if not judge.wanted:
        raise UsageError(
            'The study\'s judge names a truth: table = "FILE" or retrain = N architectures, one of them. '
            "Leave out judge altogether to search the supernets instead."
        )
    if (judge.dataset or judge.metric) and not (judge.table and has_choice(judge.table)):
        raise UsageError(
            "The study's judge.dataset and judge.metric choose from a benchmark's table with several; "
            f"{judge.table or 'retrain'} has nothing to choose. Leave them out."
        )
