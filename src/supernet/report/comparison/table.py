"""The figures of the runs, a row each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from supernet.report.comparison.members import Member
from supernet.report.run_files import Network, RunFiles
from supernet.report.units import plain, quantity
from supernet.report.work import minutes

_COSTS = ("macs", "params", "latency_ms")


def table(members: Sequence[Member], folder: Path) -> dict[str, Any]:
    """What each run was asked, what it spent, and how good its best network and its ranking are."""
    scores = list(dict.fromkeys(member.run.primary.name for member in members))
    rows = [_row(member, folder) for member in members]
    costs = [name for name in _COSTS if any(name in row["costs"] for row in rows)]
    score = quantity(scores[0]).label if len(scores) == 1 else "score"
    return {
        "title": "The runs",
        "rows": rows,
        "costs": costs,
        "heads": [quantity(name).title for name in costs],
        "score": score,
        "several": len(scores) > 1,
        "searched": any(row["evaluations"] for row in rows),
        "ranked": any(row["tau"] is not None for row in rows),
    }


def _row(member: Member, folder: Path) -> dict[str, Any]:
    run, best = member.run, member.run.best
    named = run.primary.name
    environment = run.environment
    return {
        "name": member.name,
        "page": _page(run, folder),
        "colour": member.colour,
        "method": run.named("method") or (str(run.training.recipe.get("name", "")) if run.training else ""),
        "space": run.named("space"),
        "data": run.data.name if run.data else run.named("data"),
        "steps": run.train[-1].step if run.train else None,
        "seed": plain(run.config.get("seed", run.training.seed if run.training else None)),
        "best": best.name if best else "",
        "score": named,
        "inherited": _inherited(run, best),
        "tested": best.verified.get(f"{named}_test") if best else None,
        "costs": best.values if best else {},
        "evaluations": run.front.evaluations if run.front and run.front.evaluations else len(run.search),
        "tau": run.taus.get("supernet"),
        "tau_params": run.taus.get("parameter count"),
        "minutes": minutes(run),
        "machine": environment.accelerator or environment.cpu or "",
        "units": run.units,
    }


def _inherited(run: RunFiles, best: Network | None) -> float | None:
    """The validation score of the best network, or of the best architecture of the front where none was exported."""
    if best is not None:
        return run.worth(best)
    name = run.primary.name
    values = [p.values[name] for p in (run.front.points if run.front else ()) if name in p.values]
    return min(values, key=run.primary.loss, default=None)


def _page(run: RunFiles, folder: Path) -> str:
    """The link to the page of a run, if it has one."""
    page = run.directory / "report.html"
    if not page.is_file():
        return ""
    return quote(Path(os.path.relpath(page, folder)).as_posix())
