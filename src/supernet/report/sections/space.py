"""The search space, and what the front has in common in it."""

from __future__ import annotations

from typing import Any

from supernet.report.run_files import RunFiles


def space(run: RunFiles) -> dict[str, Any] | None:
    """One row per choice; each option is filled by its share on the Pareto front."""
    if run.space is None:
        return None
    points = run.front.points if run.front else ()
    rows = []
    for choice in run.space.choices:
        decided = [point.arch[choice.name] for point in points if choice.name in point.arch]
        counts = [sum(d == option and type(d) is type(option) for d in decided) for option in choice.options]
        rows.append((choice, list(zip(choice.options, counts, strict=True)), len(decided)))
    conditional = any(choice.when for choice in run.space.choices)
    return {"title": "The search space", "rows": rows, "points": len(points), "conditional": conditional}
