"""Drawings: what stands where, and that a file is the same twice."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from bench_runs import scores, write_run
from supernet.bench import RunTable, charts, compare_runs
from supernet.rank.evidence import Estimate


def estimate(*trainings: float, half: float = 0.1) -> Estimate:
    mean = float(np.mean(trainings))
    return Estimate(mean, mean - half, mean + half, None, 300, 0.95, trainings)


CELLS = {"spos": estimate(0.50, 0.54), "fair$nas": estimate(0.40)}
FREE = {"parameter count": estimate(0.59), "MACs": estimate(0.595), "other": estimate(0.3), "random order": estimate(0)}


def dots(figure: object, marker: str = "o") -> list[tuple[list[float], list[float]]]:
    (axes,) = figure.axes  # type: ignore[attr-defined]
    lines = [line for line in axes.lines if line.get_marker() == marker]
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in lines]


def test_a_row_per_cell_with_a_dot_per_training() -> None:
    figure = charts.tau_by_cell(CELLS, FREE)
    (axes,) = figure.axes
    assert dots(figure) == [([0.50, 0.54], [0, 0]), ([0.40], [1])]
    assert [x for x, _ in dots(figure, "|")] == [[pytest.approx(0.52)], [pytest.approx(0.40)]]
    spans = [path.vertices[:, 0].tolist() for held in axes.collections for path in held.get_paths()]
    assert spans == [pytest.approx([0.42, 0.62]), pytest.approx([0.30, 0.50])]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(CELLS)
    assert axes.yaxis_inverted()
    assert [text.get_text() for text in axes.texts] == ["parameter count, MACs", "other"]  # those close by in one


def test_a_line_per_group_over_the_budget() -> None:
    line = [(100, estimate(0.2, 0.3)), (400, estimate(0.4)), (800, estimate(0.5))]
    figure = charts.tau_over_budget({"poor": line, "good": line[1:]}, FREE)
    (axes,) = figure.axes
    drawn = [line for line in axes.lines if line.get_linestyle() == "-"]
    assert [(list(one.get_xdata()), list(one.get_ydata())) for one in drawn] == [
        ([100, 400, 800], [0.25, 0.4, 0.5]),
        ([400, 800], [0.4, 0.5]),
    ]
    assert dots(figure)[0] == ([100, 100], [0.2, 0.3])
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["100", "400", "800"]
    heights = [text.get_position()[1] for text in axes.texts]
    assert len(heights) == 4
    assert max(np.diff(heights)) < -0.05  # names of lines that end together stand one below the other


def test_the_file_is_the_same_twice_and_follows_a_dark_page() -> None:
    first, second = (charts.svg(charts.tau_by_cell(CELLS, FREE)) for _ in range(2))
    assert first == second
    text = first.decode()
    assert "prefers-color-scheme:dark" in text
    assert not re.search(r"20\d\d-\d\d-\d\d", text)
    words = {element.text for element in ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}text")}
    assert {"spos", "fair$nas", "Kendall τ", "parameter count, MACs"} <= words  # as text, not as outlines or formulas


def test_cells_that_differ_in_length_alone_are_a_line(tmp_path: Path) -> None:
    for steps, noise in ((100, 6.0), (400, 2.0), (800, 1.0)):
        for seed in range(2):
            length = {"train": {"steps": steps}}
            path = tmp_path / f"runs/poor-{steps}/{seed}"
            write_run(path, scores(noise, seed), seed=seed, settings=length, backwards=steps)
    fair = {"method": {"name": "fairnas"}}
    write_run(tmp_path / "runs/good/0", scores(1.0, 0), settings=fair, backwards=800)  # of one length only: in no line
    table: RunTable = compare_runs([tmp_path / "runs"])
    assert {name: [backwards for backwards, _ in line] for name, line in table.lengths().items()} == {
        "poor-100": [100, 400, 800]
    }
    assert table.write(tmp_path / "out")[-1] == "budget.svg"
    drawing = (tmp_path / "out/budget.svg").read_text()
    assert "poor-100" in drawing
    assert "good" not in drawing
    assert "(budget.svg)" in (tmp_path / "out/comparison.md").read_text()
