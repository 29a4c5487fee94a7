"""The exported and retrained networks as pictures, and what the method has derived itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from supernet.report.network_card import Card, figures
from supernet.report.run_files import Derived, RunFiles, key

DERIVED = "derived by the method"
_TASKS = 12  # architectures of tasks, or of clients, that are drawn


def networks(run: RunFiles) -> dict[str, Any] | None:
    """One card per network, then one per architecture that the method has derived and no network has."""
    by_method = {key(found.arch) for found in _derived(run).values()}
    cards = [
        Card(
            f"network-{number}",
            network.name,
            network.arch,
            network.diagram,
            DERIVED if key(network.arch) in by_method and not network.name.startswith("derived") else "",
            figures(run, network),
            run.units,
        )
        for number, network in enumerate(run.networks)
    ]
    of_tasks = list(run.derived_by_task)
    cards += list(_further(run))
    if not cards:
        return None
    sentences = []
    if len(of_tasks) > _TASKS:
        sentences.append(
            f"The method has derived an architecture for each of {len(of_tasks)}; those of the first {_TASKS} are "
            "drawn, and derived_by_task.json holds all."
        )
    if run.networks:
        title = "The chosen network" if len(cards) == 1 else "The chosen networks"
    else:
        title = "What the method derived"
    return {"title": title, "cards": cards, "sentences": sentences}


def _derived(run: RunFiles) -> dict[str, Derived]:
    """What the method has derived, by the name of its card; those of tasks after the one of the whole."""
    found = {"derived": run.derived} if run.derived else {}
    return found | {f"derived for {task}": one for task, one in list(run.derived_by_task.items())[:_TASKS]}


def _further(run: RunFiles) -> Iterator[Card]:
    """The derived architectures that no network has; those of several tasks that are alike stand once."""
    drawn = {key(network.arch) for network in run.networks}
    alike: dict[str, list[str]] = {}
    found = _derived(run)
    for name, one in found.items():
        alike.setdefault(key(one.arch), []).append(name)
    for number, (place, names) in enumerate(alike.items()):
        if place not in drawn:
            one = found[names[0]]
            yield Card(f"derived-{number}", ", ".join(names), one.arch, one.diagram, f"{DERIVED}, not exported")
