"""The exported and retrained networks as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supernet.report.run_files import Network, RunFiles
from supernet.report.units import plain


def networks(run: RunFiles) -> dict[str, Any] | None:
    """One card per network: its figures, its drawing, its decisions."""
    if not run.networks:
        return None
    cards = [
        {"network": network, "figures": _figures(run, network), "decisions": _grouped(network)}
        for network in run.networks
    ]
    return {"title": "The chosen network" if len(cards) == 1 else "The chosen networks", "cards": cards}


def _figures(run: RunFiles, network: Network) -> Mapping[str, float]:
    """What was measured in the supernet, and the score of the file where nothing was."""
    named = f"{run.score.name}_validation"
    checked = {named: network.verified[named]} if named in network.verified else {}
    return network.values if run.score.name in network.values else {**checked, **network.values}


def _grouped(network: Network) -> list[tuple[str, str]]:
    """Decisions such as "stage1.width" and "stage1.depth" in one row per stage."""
    rows: dict[str, list[str]] = {}
    for name, option in network.arch.items():
        group, dot, rest = name.rpartition(".")
        rows.setdefault(group if dot else name, []).append(f"{rest} {plain(option)}" if dot else plain(option))
    return [(name, ", ".join(words)) for name, words in rows.items()]
