"""Whether the predictor of a search was right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau

from report_run import build_run, chart_data, write, write_lines
from supernet.report import page as pages
from supernet.report.reading import read_run


def predicted(run: Path) -> list[dict[str, Any]]:
    """Give a search predictions of its last two generations, and its front what it tells of them."""
    rng = np.random.default_rng(0)
    rows = [json.loads(line) for line in (run / "search.jsonl").read_text().splitlines()]
    for row in rows:
        if row["generation"] >= 8:
            row["predicted"] = {"accuracy": row["values"]["accuracy"] + float(rng.normal(0, 0.01))}
    write_lines(run / "search.jsonl", rows)
    held = [
        {"n": n, "tau": tau, "rmse": 0.02 - tau / 100, "rmse_of_mean": 0.03, "params": 9}
        for n, tau in ((192, 0.5), (216, 0.6))
    ]
    rounds = [{"fitted_to": one["n"], "held_out": {"accuracy": one}, "queries": 1000} for one in held]
    front = json.loads((run / "front.json").read_text())
    told = {"predictor": "RBF", "random": 192, "picked": 48, "rounds": rounds, "picks": {"accuracy": held[1]}}
    write(run / "front.json", front | {"predictor": told})
    return rows


def part(run: Path) -> tuple[str, str] | None:
    return next(((s.title, str(s.body)) for s in pages.sections(read_run(run)) if s.id == "predictor"), None)


def test_the_ranking_of_the_predictor_is_that_of_its_picks_and_of_what_was_held_out(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    assert part(run) is None
    rows = predicted(run)
    found = part(run)
    assert found is not None
    title, text = found
    assert title == "Was the predictor right? (RBF)"
    held, picks = chart_data(text, "chart-predictor-tau-accuracy")["traces"]
    assert (held["x"], held["y"]) == ([192, 216], [0.5, 0.6])
    wanted = []
    for generation in (8, 9):
        of = [row for row in rows if row["generation"] == generation]
        pairs = [(row["predicted"]["accuracy"], row["values"]["accuracy"]) for row in of]
        wanted.append(kendalltau(*zip(*pairs, strict=True)).statistic)
    assert (picks["x"], picks["y"]) == ([192, 216], pytest.approx(wanted))
    errors = chart_data(text, "chart-predictor-error-accuracy")["traces"]
    assert [trace["y"] for trace in errors] == [pytest.approx([0.015, 0.014]), [0.03, 0.03]]
    dots = chart_data(text, "chart-predictor-picks-accuracy")["traces"][1]
    known = [row for row in rows if "predicted" in row]
    assert dots["y"] == [row["values"]["accuracy"] for row in known]
    assert dots["x"] == [row["predicted"]["accuracy"] for row in known]
    assert "216 picks predicted and then measured, accuracy: τ 0.60" in text


def test_what_cannot_be_read_of_it_is_said(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    front = json.loads((run / "front.json").read_text())
    write(run / "front.json", front | {"predictor": {"rounds": "<b>"}})
    found = part(run)
    assert found is not None
    assert "What front.json says of the predictor cannot be read: Expected `array`, got `str`" in found[1]
