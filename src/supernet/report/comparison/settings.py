"""In what the runs were asked for differently, and on what they ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import asdict

from supernet.report.comparison.members import Member
from supernet.report.settings import flat
from supernet.report.units import plain

_MISSING = "–"
_OF_THE_MOMENT = ("date", "command")


def settings(members: Sequence[Member]) -> dict[str, Any] | None:
    """The settings that are not the same in all runs, and those of the machine; names of runs as columns."""
    asked = [dict(flat(member.run.config)) for member in members]
    machines = [_machine(member) for member in members]
    known = [member.name for member, found in zip(members, asked, strict=True) if found]
    unknown = [member.name for member in members if member.name not in known]
    rows = _differing([found for found in asked if found])
    sentences = []
    if unknown:
        sentences.append(f"{', '.join(unknown)}: no configuration, as of a run that was made in Python or is damaged.")
    if known and not rows:
        sentences.append("All settings are the same." if len(known) > 1 else "")
    shared = len(set.intersection(*(set(found.items()) for found in asked if found))) if known else 0
    if rows and shared:
        sentences.append(f"{shared} other settings are the same in all of them.")
    return {
        "title": "In what they differ",
        "names": known,
        "rows": rows,
        "machines": _differing(machines),
        "all": [member.name for member in members],
        "sentences": [sentence for sentence in sentences if sentence],
    }


def _machine(member: Member) -> dict[str, str]:
    told = asdict(member.run.environment)
    return {name: plain(value) for name, value in told.items() if value is not None and name not in _OF_THE_MOMENT}


def _differing(found: Sequence[Mapping[str, str]]) -> list[tuple[str, list[str]]]:
    """The rows in which not all are the same; a dash where one has no such setting."""
    names = dict.fromkeys(name for one in found for name in one)
    rows = [(name, [one.get(name, _MISSING) for one in found]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]
