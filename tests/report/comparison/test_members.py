"""Which runs a comparison has, and what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from report_run import build_run
from supernet.errors import UsageError
from supernet.report import write_comparison
from supernet.report.comparison.members import read_members


def test_a_directory_stands_for_the_runs_in_it(tmp_path: Path) -> None:
    for name in ("study/x/0", "study/y/0", "study/y/.supernet-moving-run", "study/y/0/retrained"):
        build_run(tmp_path / name)
    found = read_members([tmp_path / "study"])
    assert [member.name for member in found] == ["x/0", "y/0"]
    assert [member.name for member in read_members([tmp_path / "study/x", tmp_path / "study/y/0"])] == ["x/0", "y/0"]
    assert len({(member.colour, member.dash) for member in found}) == 2


def test_lines_of_many_runs_differ(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"r{number}").mkdir()
        (tmp_path / f"r{number}/train.jsonl").write_text('{"step": 1, "loss": 1.0}\n')
        (tmp_path / f"r{number}/supernet.json").write_text("{}")
    assert len({(member.colour, member.dash) for member in read_members([tmp_path])}) == 12


@pytest.mark.parametrize(
    ("given", "out", "sentence"),
    [
        ((), "p.html", "There is nothing to compare it with; give two runs or more"),
        (("a",), "p.html", "There is nothing to compare .*a with; give two runs or more"),
        (("a", "a"), "p.html", "is given twice; give each once"),
        (("a", "b/../a"), "p.html", "is given twice"),
        (("a", "none"), "p.html", "none is not a directory. Give directories that runs were written to."),
        (("a", "empty"), "p.html", "empty holds no run; give directories that"),
        (("a", "b"), "page", "The page was to be .*page; give a file whose name ends in .html."),
        (("a", "b"), "dir.html", "is a directory; give the name of a file for the page"),
    ],
)
def test_what_makes_no_comparison_is_refused(tmp_path: Path, given: tuple[str, ...], out: str, sentence: str) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.jsonl").write_text('{"step": 1, "loss": 1.0}\n')
    (tmp_path / "empty").mkdir()
    (tmp_path / "dir.html").mkdir()
    with pytest.raises(UsageError, match=sentence):
        write_comparison([tmp_path / name for name in given], tmp_path / out)
    assert not (tmp_path / "p.html").exists()
