"""`supernet report`: the page."""

from __future__ import annotations

import json
from pathlib import Path

from command_line import supernet


def test_the_page_is_written(trained: Path) -> None:
    done = supernet("report", trained)
    assert (done.code, done.out) == (0, f"report: {trained / 'report.html'}\n")
    assert "nasbench201" in (trained / "report.html").read_text()
    done = supernet("report", trained, "--json")
    assert json.loads(done.out) == {"run": str(trained), "report": str(trained / "report.html")}


def test_several_runs_are_compared_on_one_page(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.jsonl").write_text('{"step": 1, "loss": 1.0}\n')
    runs = (tmp_path / "a", tmp_path / "b")
    done = supernet("report", *runs)
    assert done.code == 2
    assert "say where it goes with --out comparison.html" in done.err
    assert supernet("report").code == 2
    page = tmp_path / "both.html"
    done = supernet("report", *runs, "--out", page, "--json")
    assert json.loads(done.out) == {"runs": [str(run) for run in runs], "report": str(page)}
    assert "2 runs beside each other" in page.read_text()
    assert not (tmp_path / "a/report.html").exists()
