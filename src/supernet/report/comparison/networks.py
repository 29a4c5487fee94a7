"""The best and the derived networks of the runs, drawn beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from supernet.report.comparison.members import Member, grouped
from supernet.report.network_card import Card, figures
from supernet.report.run_files import key
from supernet.report.sections.networks import DERIVED

_TASKS = 4  # architectures of tasks, or of clients, that are drawn of each run


def networks(members: Sequence[Member]) -> dict[str, Any] | None:
    """A card for the best network of each run and for what its method has derived; one where they are the same."""
    cards = [card for number, member in enumerate(members) for card in _cards(number, member)]
    if not cards:
        return None
    sentences = []
    if len(grouped(members, "space")) > 1:
        sentences.append(
            "Networks of different spaces are drawn by their own spaces, so boxes may mean different things."
        )
    drawn = {card.name.partition(":")[0] for card in cards}
    if missing := [member.name for member in members if member.name not in drawn]:
        sentences.append(f"Neither exported nor derived anything: {', '.join(missing)}.")
    if more := [member.name for member in members if len(member.run.derived_by_task) > _TASKS]:
        sentences.append(f"Of {', '.join(more)} the architectures of the first {_TASKS} tasks are drawn.")
    return {"title": "Their networks", "cards": cards, "sentences": sentences}


def _cards(number: int, member: Member) -> Iterator[Card]:
    run, best = member.run, member.run.best
    derived = {} if run.derived is None else {"derived": run.derived}
    derived |= {f"derived for {task}": one for task, one in list(run.derived_by_task.items())[:_TASKS]}
    drawn = set()
    if best is not None:
        origin = "the best by validation"
        if key(best.arch) in {key(one.arch) for one in derived.values()}:
            origin += f", {DERIVED}"
        drawn.add(key(best.arch))
        name = f"{member.name}: {best.name}"
        yield Card(f"network-{number}", name, best.arch, best.diagram, origin, figures(run, best), run.units)
    for place, (what, one) in enumerate(derived.items()):
        if key(one.arch) not in drawn:
            drawn.add(key(one.arch))
            same = next((network for network in run.networks if key(network.arch) == key(one.arch)), None)
            told = figures(run, same) if same else {}
            diagram = one.diagram or (same.diagram if same else None)
            yield Card(
                f"derived-{number}-{place}", f"{member.name}: {what}", one.arch, diagram, DERIVED, told, run.units
            )
