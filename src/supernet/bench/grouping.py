"""Which runs there are, and which of them differ in nothing but their seed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from supernet.bench.finished import FinishedRun, settings
from supernet.errors import UsageError


def find_runs(paths: Iterable[Path]) -> list[Path]:
    """Run directories: each path itself, or all trained runs below it.

    Raises:
        UsageError: a path holds no run, or one is given twice.
    """
    found: list[Path] = []
    for path in paths:
        inside = [path]
        if not (path / "config.json").is_file():
            below = (config.parent for config in path.rglob("config.json"))
            inside = sorted(run for run in below if (run / "train.jsonl").is_file() and not run.name.startswith("."))
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
        name, number = _name(group), 2
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
