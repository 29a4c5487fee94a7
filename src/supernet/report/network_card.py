"""A network as a card: its figures, its drawing, its decisions, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from supernet.io import schema
from supernet.nn.diagram import Diagram
from supernet.report.run_files import Network, RunFiles
from supernet.report.units import plain


@dataclass(frozen=True)
class Card:
    """What the template `network.html.j2` shows.

    Attributes:
        id: The anchor, unique on the page.
        name: The heading.
        arch: The architecture.
        diagram: Its drawing; None: there is none.
        origin: Where it comes from, in words; empty: the heading says so.
        figures: What was measured of it, by name.
        units: Units of these, as far as they are declared.
    """

    id: str
    name: str
    arch: schema.Arch
    diagram: Diagram | None
    origin: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def decisions(self) -> list[tuple[str, str]]:
        """Decisions such as "stage1.width" and "stage1.depth" in one row per stage."""
        rows: dict[str, list[str]] = {}
        for name, option in self.arch.items():
            group, dot, rest = name.rpartition(".")
            rows.setdefault(group if dot else name, []).append(f"{rest} {plain(option)}" if dot else plain(option))
        return [(name, ", ".join(words)) for name, words in rows.items()]


def figures(run: RunFiles, network: Network) -> Mapping[str, float]:
    """What was measured in the supernet, and the score of the file where nothing was."""
    named = f"{run.score.name}_validation"
    checked = {named: network.verified[named]} if named in network.verified else {}
    return network.values if run.score.name in network.values else {**checked, **network.values}
