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
