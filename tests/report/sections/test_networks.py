"""What a method derived itself, beside the networks that were exported."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from report_run import build_run, cell_diagram, write
from supernet.report import page as pages
from supernet.report.reading import read_run


def part(run: Path) -> tuple[list[str], str]:
    body = next(str(s.body) for s in pages.sections(read_run(run)) if s.id == "networks")
    heads = re.findall(r'<div class="card-head"><h3>([^<]*)</h3>(?:<p class="muted">([^<]*)</p>)?', body)
    return [": ".join(filter(None, head)) for head in heads], body


def test_what_the_method_derived_is_drawn_once(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    assert part(run)[0] == ["small", "medium", "large"]
    archs = [row["arch"] for row in json.loads((run / "exports.json").read_text())]
    other = archs[0] | {"stage1.depth": 4, "stage2.depth": 4, "stage3.depth": 4}

    def told(arch: dict[str, Any]) -> dict[str, Any]:
        return {"space": "9f3c2a", "decisions": arch, "diagram": cell_diagram().to_json()}

    write(run / "derived.json", told(archs[1]))
    assert part(run)[0] == ["small", "medium: derived by the method", "large"]
    write(run / "derived.json", told(other))
    heads, body = part(run)
    assert heads == ["small", "medium", "large", "derived: derived by the method, not exported"]
    assert body.count('class="graph"') == 1
    write(run / "derived_by_task.json", {"mask": told(other), "label": told(archs[2])})
    heads, _ = part(run)
    name = "derived, derived for mask: derived by the method, not exported"
    assert heads == ["small", "medium", "large: derived by the method", name]
    write(run / "derived_by_task.json", {f"client/{n}": told(archs[0] | {"stage1.depth": n}) for n in range(5, 19)})
    heads, body = part(run)
    assert len(heads) == 4 + 12
    assert "has derived an architecture for each of 14; those of the first 12 are drawn" in body


def test_a_damaged_drawing_costs_the_drawing_alone(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    told = {"space": "9f3c2a", "decisions": {"a": "<b>"}, "diagram": {"nodes": [{"id": 1}], "edges": []}}
    write(run / "derived.json", told)
    heads, body = part(run)
    assert heads[-1] == "derived: derived by the method, not exported"
    assert "<details open><summary>Decisions" in body, "what is not drawn is written out"
    assert "&lt;b&gt;" in body
    assert "derived.json" in read_run(run).damaged[0]
    write(run / "derived.json", {"space": "9f3c2a", "decisions": {"a": 1}})
    assert part(run)[0][-1] == "derived: derived by the method, not exported", "a file of an earlier version"
