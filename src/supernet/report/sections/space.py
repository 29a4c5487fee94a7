"""The search space, and what the front has in common in it."""

from __future__ import annotations

from collections.abc import Sequence

from supernet.io.decode import Json
from supernet.report.html import Html, details, join, note, plain, table, tag
from supernet.report.run import ChoiceRow, RunFiles
from supernet.report.section import Section
from supernet.report.units import large
from supernet.search import Point


def space(run: RunFiles) -> Section | None:
    """One row per choice; each option is filled by its share on the Pareto front."""
    if run.space is None:
        return None
    points = run.front.points if run.front else ()
    conditional = any(choice.when for choice in run.space.choices)
    head = ["Choice", "Options", *(["Only when"] if conditional else [])]
    rows = [
        [
            tag("code", None, choice.name),
            tag("div", {"class": "options"}, *_options(choice, points)),
            *([tag("code", None, choice.when) if choice.when else ""] if conditional else []),
        ]
        for choice in run.space.choices
    ]
    size = tag(
        "p",
        None,
        f"{len(run.space.choices)} choices make ",
        tag("b", None, large(run.space.size)),
        " different architectures.",
        *([" Fingerprint ", tag("code", None, run.space.fingerprint), "."] if run.space.fingerprint else []),
    )
    shares = note(
        f"Options are filled by how many of the {len(points)} architectures on the front use them: what good networks "
        "have in common. The front is small and comes from one search, so read it as a hint."
    )
    body = [size, details("All choices", table(head, rows), shares if points else "")]
    return Section("space", "The search space", "Space", tag("div", {"class": "card"}, join(body)))


def _options(choice: ChoiceRow, points: Sequence[Point]) -> list[Html]:
    decided = [point.arch[choice.name] for point in points if choice.name in point.arch]
    return [_option(option, decided) for option in choice.options]


def _option(option: Json, decided: Sequence[Json]) -> Html:
    if not decided:
        return tag("span", {"class": "option"}, plain(option))
    count = sum(decision == option and type(decision) is type(option) for decision in decided)
    used = {"class": "option", "style": f"--share:{100 * count / len(decided):.0f}%"}
    used["title"] = f"in {count} of {len(decided)} architectures on the front"
    return tag("span", used, plain(option))
