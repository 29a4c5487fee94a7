"""From the options that were given to a configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from supernet import catalog
from supernet.cli.fields import NOTHING, Given
from supernet.errors import UsageError
from supernet.io.config import (
    THAT_OF_THE_DATA,
    Config,
    Exporting,
    Judging,
    Named,
    Searching,
)


def asked(
    base: Config,
    *,
    built: Given = NOTHING,
    seed: Given = NOTHING,
    train: Given = NOTHING,
    search: Given = NOTHING,
    export: Given = NOTHING,
    judge: Given = NOTHING,
) -> Config:
    """A configuration with the options that were given; all others keep their value.

    Settings of what is built by name are added to those that there are, unless another name is given.

    Raises:
        UsageError: options that exclude each other.
    """
    return replace(
        base,
        space=_named(base.space, built, "space", smaller=catalog.tiny if built.get("tiny") else None),
        method=_named(base.method, built, "method"),
        data=_named(base.data, built, "data"),
        task=_task(base.task, built),
        train=replace(base.train, **train),
        search=_search(base.search, search),
        export=replace(base.export, **_settled(base.export, export, "formats", "format_options")),
        judge=_judge(base.judge, judge),
        **seed,
    )


def named(given: Given, part: str) -> Named | None:
    """What is built by name, where its name is given.

    Raises:
        UsageError: settings are given without it.
    """
    tiny = part == "space" and given.get("tiny")
    if part in given:
        return _named(Named(given[part]), given, part, smaller=catalog.tiny if tiny else None)
    if f"{part}_options" in given:
        raise UsageError(f"--{part}-option is a setting of what --{part} names, and that was not given; give both.")
    if tiny:
        raise UsageError("--tiny makes the space that --space names small, and that was not given; give both.")
    return None


def _named(before: Named, given: Given, part: str, *, smaller: Callable[[str], dict[str, Any]] | None = None) -> Named:
    name = given.get(part, before.name)
    kept = before.options if name == before.name else {}
    small = smaller(name) if smaller else {}
    return Named(name, {**kept, **small, **given.get(f"{part}_options", {})})


def _task(before: Named | None, given: Given) -> Named | None:
    """What was asked for; settings without a name are those of the task that the data bring."""
    if not given.keys() & {"task", "task_options"}:
        return before
    return _named(before or Named(THAT_OF_THE_DATA), given, "task")


def _search(before: Searching, given: Given) -> Searching:
    changes = dict(given)
    shift, shifting = changes.pop("shift", None), changes.pop("shift_options", None)
    if shift is False and shifting is not None:
        raise UsageError("--shift-option is a setting of the shifting that --no-shift turns off; give one of them.")
    if shift is not None or shifting is not None:
        changes["shifting"] = None if shift is False else shifting or {}
    for name in ("searcher", "predictor"):
        changes = _settled(before, changes, name, f"{name}_options")
    return replace(before, **changes)


def _settled(before: Searching | Exporting, given: Given, name: str, settings: str) -> dict[str, Any]:
    """What was given; settings are added to those that there are, unless what they belong to is another."""
    same = given.get(name, getattr(before, name)) == getattr(before, name)
    kept = getattr(before, settings) if same else {}
    return {**given, settings: {**kept, **given.get(settings, {})}}


def _judge(before: Judging, given: Given) -> Judging:
    """A table takes the place of trainings alone and of another table with its choices, and they that of a table."""
    if given.get("table") and given.get("retrain"):
        raise UsageError(
            "A ranking is judged against a --table or against --retrain N architectures; give one of them."
        )
    gone: Given = {}
    if "table" in given:
        gone = {"retrain": 0, "dataset": "", "metric": ""}
    elif "retrain" in given:
        gone = {"table": ""}
    return replace(before, **{**gone, **given})
