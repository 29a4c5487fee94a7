"""The top of a comparison: what is compared, and what cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from supernet.report.comparison.members import Member, grouped
from supernet.report.units import counted, quantity


def beginning(members: Sequence[Member]) -> dict[str, Any]:
    """The heading, the best run where they compare, and sentences about what does not compare."""
    names = ", ".join(member.name for member in members)
    return {
        "name": f"{counted(len(members), 'run')} compared",
        "verdict": _verdict(members),
        "cautions": list(_cautions(members)),
        "damaged": [(member.name, sentence) for member in members for sentence in member.run.damaged],
        "unhealthy": [member.name for member in members if member.run.warnings],
        "torn": [(member.name, name) for member in members for name in member.run.torn],
        "names": names,
    }


def _verdict(members: Sequence[Member]) -> str:
    """Whose network is the best by validation, with its test figure, where all were trained on the same data."""
    known = [(member, best) for member in members if (best := member.run.best) is not None]
    same = len(grouped(members, "data")) == 1 and len({member.run.primary for member, _ in known}) == 1
    if len(known) < 2 or not same:
        return f"{counted(len(members), 'run')} beside each other"
    primary = known[0][0].run.primary
    member, best = min(known, key=lambda pair: primary.loss(pair[0].run.worth(pair[1]) or 0.0))
    name = f"{primary.name}_test"
    value = best.verified.get(name)
    if value is None:
        return f"The best network by validation is of {member.name}"
    return f"Best by validation: {member.name}, with {quantity(name, member.run.units).words(value)}"


def _cautions(members: Sequence[Member]) -> Iterator[str]:
    """What does not compare, and why."""
    data = grouped(members, "data")
    if len(data) > 1:
        yield (
            f"The runs were trained on different data or splits ({_told(data)}), so their validation scores, losses "
            "and rankings do not compare; test scores do where the test examples are the same."
        )
    spaces = grouped(members, "space")
    if len(spaces) > 1:
        groups = "; ".join(_names(group) for group in spaces.values())
        yield (
            f"The runs have different spaces ({groups}): a rank correlation is about the architectures of its own "
            "space, and a choice of one space may have no counterpart in another."
        )
    truths = {member.run.judgement.truth for member in members if member.run.judgement}
    if len(truths) > 1:
        yield "The rankings were judged against different truths, so their τ do not compare."
    timed = [m for m in members if any("latency" in name for n in m.run.networks for name in n.values)]
    if len(machines := grouped(timed, "machine")) > 1:
        yield f"Latencies were measured on different machines ({_told(machines)}), so they do not compare."


def _told(groups: dict[str, list[Member]]) -> str:
    return "; ".join(f"{_names(group)}: {value}" for value, group in groups.items())


def _names(group: Sequence[Member]) -> str:
    return ", ".join(member.name for member in group)
