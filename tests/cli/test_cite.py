"""`supernet cite`: papers of a run and of a name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import supernet


@pytest.mark.slow
def test_a_run_rests_on_its_space_method_and_search(whole_run: Path) -> None:
    text = supernet("cite", whole_run).out
    assert text.count("@") == 3
    found = json.loads(supernet("cite", whole_run, "--json").out)
    assert {paper["name"] for paper in found} == {"SPOS", "NAS-Bench-201", "NSGA-II"}
    assert all(paper["title"] in text for paper in found)


def test_what_has_no_paper_or_is_no_run(tmp_path: Path) -> None:
    done = supernet("cite", tmp_path)
    assert done.code == 2
    assert "no config.json" in done.err


def test_several_names_are_cited_at_once_and_each_paper_once() -> None:
    done = supernet("cite", "fairnas", "nasbench201", "fairnas")
    keys = [line for line in done.out.splitlines() if line.startswith("@")]
    assert keys == ["@inproceedings{chu2021fairnas,", "@inproceedings{dong2020nasbench201,"]
    assert [paper["name"] for paper in json.loads(supernet("cite", "spos", "fairnas", "--json").out)] == [
        "SPOS",
        "FairNAS",
    ]
    wrong = supernet("cite", "fairnas", "nothing")
    assert (wrong.code, wrong.out) == (2, "")
    assert "no method named 'nothing'" in wrong.err
