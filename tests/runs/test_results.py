"""Results as plain data: what stands in the files, row for row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from report_run import build_run, judge_run
from supernet.errors import RunError, UsageError
from supernet.runs import Records, load


def test_rows_are_those_of_the_files(tmp_path: Path) -> None:
    judge_run(build_run(tmp_path))
    found = load(tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert found.history == lines
    searched = [json.loads(line) for line in (tmp_path / "search.jsonl").read_text().splitlines()]
    assert found.archive.column("accuracy") == [line["values"]["accuracy"] for line in searched]
    assert found.archive[3]["arch.stage1.depth"] == searched[3]["arch"]["stage1.depth"]
    front = json.loads((tmp_path / "front.json").read_text())["points"]
    assert [row["macs"] for row in found.front] == [point["values"]["macs"] for point in front]
    exports = json.loads((tmp_path / "exports.json").read_text())
    assert [row["accuracy_test"] for row in found.exports] == [row["verified"]["test"]["accuracy"] for row in exports]
    ranking = (tmp_path / "ranking.csv").read_text().splitlines()
    assert len(found.ranking) == len(ranking) - 1
    judged = [row for row in json.loads((tmp_path / "judge.json").read_text())["rows"] if row["value"] is not None]
    assert found.judgement.column("value") == [figure["value"] for figure in judged]
    assert found.config == json.loads((tmp_path / "config.json").read_text())


def test_a_damaged_file_is_an_error_or_is_named(tmp_path: Path) -> None:
    (build_run(tmp_path) / "front.json").write_text("{")
    with pytest.raises(RunError, match=r"front\.json is damaged"):
        load(tmp_path)
    found = load(tmp_path, strict=False)
    assert (len(found.damaged), found.front) == (1, [])
    assert found.archive
    with pytest.raises(UsageError, match="is not a directory"):
        load(tmp_path / "nowhere")


def test_records_become_a_table_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    rows = Records([{"a": 1, "b": 2.0}, {"a": 3, "c": "x"}])
    table = rows.to_pandas()
    assert isinstance(table, pandas.DataFrame)
    assert list(table.columns) == ["a", "b", "c"]
    assert table["a"].tolist() == [1, 3]
