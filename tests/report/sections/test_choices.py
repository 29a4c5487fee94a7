"""How the page shows what choices came to."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from report_run import build_run, chart_data, write, write_lines
from supernet.report import page as pages
from supernet.report.reading import read_run
from supernet.report.sections.choices import openness

ROWS = [
    {"step": 10, "choices": {"stage1.depth": [0.25] * 4, "stage1.kernel": [0.5, 0.25, 0.25], "alone": [1.0]}},
    {"step": 20, "choices": {"stage1.depth": [0.7, 0.1, 0.1, 0.1], "stage1.kernel": [0.0, 1.0, 0.0], "alone": [1.0]}},
]


def body(run: Path) -> str | None:
    return next((str(s.body) for s in pages.sections(read_run(run)) if s.id == "choices"), None)


def test_curves_map_and_entropy_are_those_of_the_file(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    assert body(run) is None
    write_lines(run / "choices.jsonl", ROWS)
    write(run / "derived.json", {"space": "9f3c2a", "decisions": {"stage1.depth": 1, "stage1.kernel": 5}})
    text = body(run)
    assert text is not None
    entropy = chart_data(text, "chart-openness")["traces"]
    kernel = -(0.5 * math.log(0.5) + 0.5 * math.log(0.25)) / math.log(3)
    depth = -(0.7 * math.log(0.7) + 0.3 * math.log(0.1)) / math.log(4)
    assert entropy[0]["x"] == [10, 20]
    assert entropy[0]["y"] == pytest.approx([(1 + kernel) / 2, (depth + 0) / 2])
    assert [trace["y"] for trace in entropy[1:]] == [pytest.approx([kernel, 0]), pytest.approx([1, depth])]
    (shown,) = chart_data(text, "chart-strongest")["traces"]
    assert (shown["y"], shown["z"]) == (["stage1.depth", "stage1.kernel"], [[0.25, 0.7], [0.5, 1.0]])
    assert shown["text"][1][1] == "stage1.kernel, step 20: 5 (derived) 1"
    options = chart_data(text, "chart-options")["views"]
    assert re.findall(r"<option[^>]*>([^<]*)</option>", text) == ["stage1.depth", "stage1.kernel"]
    assert [(one.get("name"), one.get("y")) for one in options[1]["traces"][:3]] == [
        ("3", [0.5, 0.0]),
        ("5 (derived)", [0.25, 1.0]),
        ("7", [0.25, 0.0]),
    ]
    assert options[1]["traces"][3] == {"visible": False}
    assert "more than half of the probability in 2 of 2 choices" in text


def test_what_is_not_finite_or_damaged_costs_its_choice_or_the_part(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    spoilt = [row | {"choices": row["choices"] | {"stage1.depth": [None] * 4}} for row in ROWS]  # type: ignore[dict-item, operator]
    write_lines(run / "choices.jsonl", spoilt)
    text = body(run)
    assert text is not None
    assert re.findall(r"<option[^>]*>([^<]*)</option>", text) == []
    assert chart_data(text, "chart-strongest")["traces"][0]["y"] == ["stage1.kernel"]
    write_lines(run / "choices.jsonl", [{"step": 1, "choices": {"a": "b"}}])
    assert body(run) is None
    assert "choices.jsonl" in read_run(run).damaged[0]


def test_openness_is_one_where_nothing_is_decided() -> None:
    assert openness([0.2] * 5) == pytest.approx(1)
    assert 0 < openness([0.9, 0.1, 0.0]) < openness([0.5, 0.5, 0.0]) < 1
