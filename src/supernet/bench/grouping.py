"""Which runs are trainings of the same thing, and what the things differ in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from supernet.bench.finished import FinishedRun
from supernet.errors import UsageError
from supernet.runs.config import Config, Named

_RANKS_THE_SAME = ("monitor_every", "accelerator")
"""Settings of the training that do not decide how a run ranks."""
_SCORING = ("calibration", "calibration_images", "validation_images")
"""Settings of the search that judging uses too."""


def settings(config: Config) -> dict[str, Any]:
    """What decides how a run ranks, besides its seed: `"method"`, `"method.learning_rate"`, `"train.steps"` …"""
    found: dict[str, Any] = {}
    for part in ("space", "method", "data"):
        named: Named = getattr(config, part)
        found[part] = named.name
        found |= {f"{part}.{option}": value for option, value in named.options.items()}
    found |= {f"train.{name}": value for name, value in asdict(config.train).items() if name not in _RANKS_THE_SAME}
    return found | {f"search.{name}": getattr(config.search, name) for name in _SCORING}


def differences(config: Config, other: Config) -> dict[str, Any]:
    """The settings of `config` that `other` has not, or has otherwise; `(default)` where only `other` gives one."""
    ours, theirs = settings(config), settings(other)
    missing = object()
    names = dict.fromkeys([*ours, *theirs])
    return {name: ours.get(name, "(default)") for name in names if ours.get(name, missing) != theirs.get(name, missing)}


def in_words(changes: Mapping[str, Any]) -> str:
    """Settings as `method=fairnas, train.steps=2000`."""
    if not changes:
        return "–"
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in changes.items()}
    return ", ".join(f"{name}={text}" for name, text in texts.items())


def find_runs(paths: Iterable[Path]) -> list[Path]:
    """Run directories: each path itself, or all trained runs below it.

    Raises:
        UsageError: a path holds no run, or one is given twice.
    """
    found: list[Path] = []
    for path in paths:
        if (path / "config.json").is_file():
            inside = [path]
        else:
            below = (config.parent for config in path.rglob("config.json"))
            inside = sorted(run for run in below if _is_trained(run) and not run.name.startswith("."))
        if not inside:
            raise UsageError(f"{path} holds no run; give directories that `supernet train`, `run` or `bench` has made.")
        found += inside
    places = [path.resolve() for path in found]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise UsageError(f"The run {found[number]} is given twice.")
    return found


def grouped(runs: Sequence[FinishedRun]) -> dict[str, list[FinishedRun]]:
    """Runs that differ in nothing but their seed, by name and in order of seed.

    Raises:
        UsageError: two runs of the same settings and seed.
    """
    groups: dict[str, list[FinishedRun]] = {}
    for run in runs:
        groups.setdefault(json.dumps(settings(run.config), sort_keys=True), []).append(run)
    named: dict[str, list[FinishedRun]] = {}
    for group in groups.values():
        group.sort(key=lambda run: run.seed)
        for one, other in pairwise(group):
            if one.seed == other.seed:
                raise UsageError(
                    f"{one.path} and {other.path} are runs of the same settings and the same seed {one.seed}. "
                    "They are not two samples of anything; leave one out."
                )
        name = _name(group)
        number = 2
        while (unique := name if name not in named else f"{name} ({number})") in named:
            number += 1
        named[unique] = group
    return named


def _name(group: Sequence[FinishedRun]) -> str:
    """What the directories call it, without the seed; the method where they do not agree."""
    names = {_stem(run.path.resolve(), run.seed) for run in group}
    return names.pop() if len(names) == 1 else group[0].config.method.name


def _stem(path: Path, seed: int) -> str:
    if re.fullmatch(r"(seed)?[-_ ]?\d+", path.name):
        return path.parent.name
    return re.sub(rf"[-_ ]?(seed)?[-_ ]?{seed}$", "", path.name) or path.name


def _is_trained(path: Path) -> bool:
    return (path / "train.jsonl").is_file()
