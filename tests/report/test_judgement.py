"""The files of a judgement: what is read, and how damage is reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from report_run import JUDGED, build_run, judge_run, write
from supernet.errors import RunError
from supernet.report.judgement import read_judgement
from supernet.report.run import read_run


def test_reads_everything_that_was_written(tmp_path: Path) -> None:
    report = judge_run(build_run(tmp_path))
    found = read_judgement(tmp_path)
    assert found is not None
    assert list(found.sentences) == report.sentences()
    assert len(found.figures) == len(report.rows())
    assert found.labels["kendall_tau"] == "Kendall τ"
    assert found.top_id is not None
    assert found.top_id.share[0] == 1 / JUDGED
    assert [line.name for line in found.top_id.lines] == ["supernet", "parameter count"]
    assert found.families is not None
    assert sum(family.size for family in found.families.clusters) == JUDGED
    assert [row.true for row in found.scores] == report.true.tolist()
    assert found.scores[5].scores["supernet 1"] == report.predicted[1, 5]
    assert found.scores[5].arch == report.archs[5].options()


def test_a_verdict_alone_is_enough(tmp_path: Path) -> None:
    write(tmp_path / "judge.json", {"truth": "t", "sentences": [], "rows": []})
    found = read_judgement(tmp_path)
    assert found is not None
    assert (found.top_id, found.mass, found.families, found.scores) == (None, None, None, ())
    assert read_judgement(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("depth=2;kernel=3", {"depth": "2", "kernel": "3"}),
        ('"{""depth"": 2}"', {"depth": 2}),
        ("|conv~0|+|skip~0|conv~1|", {"architecture": "|conv~0|+|skip~0|conv~1|"}),
    ],
)
def test_architectures_are_read_without_their_space(tmp_path: Path, text: str, expected: dict[str, Any]) -> None:
    judge_run(build_run(tmp_path))
    (tmp_path / "ranking.csv").write_text(f"arch,true,supernet 0\n{text},0.5,0.25\n")
    found = read_judgement(tmp_path)
    assert found is not None
    assert found.scores[0].arch == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arch,supernet 0\n", r"ranking\.csv is damaged at line 1: .* needed the columns 'true'"),
        ("arch,true,MACs\n", "needed the columns"),
        ("", "needed the columns"),
        ("arch,true,supernet 0\na=1,0.5,0.5\na=2,0.5\n", "at line 3: .* needed 3 columns"),
        ("arch,true,supernet 0\na=1,good,0.5\n", "at line 2: .* needed numbers"),
        ("arch,true,supernet 0\na=1,nan,0.5\n", "at line 2: .* needed finite numbers"),
    ],
)
def test_a_damaged_table_is_located(tmp_path: Path, text: str, message: str) -> None:
    judge_run(build_run(tmp_path))
    (tmp_path / "ranking.csv").write_text(text)
    with pytest.raises(RunError, match=message):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"top_id": {"n": 0, "k": [], "lines": [], "random": [], "quantity": ""}}, "at top_id.n: .* a number of arch"),
        ({"mass": {"n": 2, "k": [1, 2], "lines": [], "random": [0], "quantity": ""}}, "a list of 2 numbers"),
        ({"clusters": {"shared": 1, "clusters": [{"size": 1}]}}, r"clusters\.clusters\[0\]: .* an object with 'true'"),
        ({"measures": [{"measure": "kendall_tau"}]}, "an object with 'label'"),
        ({"sentences": [1]}, "needed a text"),
    ],
)
def test_a_damaged_judgement_is_located(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    judge_run(build_run(tmp_path))
    found = json.loads((tmp_path / "judge.json").read_text())
    write(tmp_path / "judge.json", found | change)
    with pytest.raises(RunError, match=message):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("counts.json", [{"choice": "a", "options": [1, 2], "paths": [1]}], "2 numbers, one for each option"),
        ("data.json", {"num_classes": 1, "images": {"validation": 3}}, "a whole number of at least 2"),
        ("data.json", {"num_classes": 2, "images": {}}, "an object with 'validation'"),
    ],
)
def test_other_damage_is_located(tmp_path: Path, name: str, value: Any, message: str) -> None:
    write(build_run(tmp_path) / name, value)
    with pytest.raises(RunError, match=f"{name} is damaged.*{message}"):
        read_run(tmp_path)
