"""Opening and beginning runs, among them those that were made in Python."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import pytest

from command_line import supernet
from quick_runs import QUICK
from small_nets import operations_net
from small_runs import SEARCHING, trained_run
from supernet.data import load
from supernet.deploy.formats.onnx import Onnx
from supernet.errors import RunError, UsageError
from supernet.io.config import Config, Named, Training
from supernet.methods import spos
from supernet.runs.export import export
from supernet.runs.judge import judge
from supernet.runs.report import report
from supernet.runs.run import Run
from supernet.runs.search import search
from supernet.runs.train import train
from supernet.runs.whole import whole
from supernet.train import fit

pytestmark = pytest.mark.slow  # whole runs, or processes of their own


def test_the_net_is_built_once_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import supernet.runs.run as module

    built, plain = [], module.build_net

    def counted(*arguments: object) -> object:
        built.append(1)
        return plain(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "build_net", counted)
    run = trained_run(tmp_path / "r")
    trained = {name: value.clone() for name, value in run.net.state_dict().items()}
    search(run)
    assert len(built) == 1
    assert all(value.equal(run.net.state_dict()[name]) for name, value in trained.items())


def test_a_further_process_is_told_by_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = trained_run(tmp_path / "r")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert train(first, resume=True) is not None  # left over from something else
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert train(Run(first.config, first.directory), resume=True) is None


def test_other_settings_are_named(tmp_path: Path) -> None:
    run = trained_run(tmp_path / "r")
    for changed, words in (
        (replace(run.config, seed=4), "seed = 0, and 4 was asked for"),
        (replace(run.config, train=replace(run.config.train, steps=9)), r"train\.steps = 12, and 9 was asked for"),
        (replace(run.config, space=Named("mbconv")), r"space\.name = 'small_nets:operations_net', and 'mbconv' was"),
    ):
        with pytest.raises(UsageError, match=words):
            Run.create(changed, tmp_path / "r", resume=True)
    more = replace(run.config, search=replace(SEARCHING, budget=6))
    assert train(Run.create(more, tmp_path / "r", resume=True), resume=True) is not None
    assert Config.read(tmp_path / "r" / "config.json") == more


def test_a_configuration_of_another_version_names_it(tmp_path: Path) -> None:
    trained_run(tmp_path / "r")
    path = tmp_path / "r" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"swarm": 3}))
    (tmp_path / "r" / "supernet.json").write_text('{"supernet": "7.5", "format": 1}')
    with pytest.raises(UsageError, match=r"made by supernet 7\.5, cannot be read by this version: .*swarm"):
        Run.open(tmp_path / "r")


def test_a_run_made_in_python_is_a_run(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    fit(operations_net(), spos(), load("digits"), steps=6, batch_size=16, seed=5, out=out, accelerator="cpu")
    assert report(out) == out / "report.html"
    with pytest.raises(UsageError, match=r"made in Python .*`supernet report` works.* give --space module:function"):
        Run.open(out)
    for wrong, words in (
        ({"space": Named("small_nets:elastic_net")}, r"small_nets:elastic_net builds a network over the space"),
        ({"data": Named("digits", {"validation": 0.3})}, "is not the data that"),
        (
            {"method": Named("fairnas"), "data": Named("digits", {"seed": 0})},
            "fairnas with these options is not the method",
        ),
    ):
        with pytest.raises(UsageError, match=words):
            Run.open(out, **{"space": Named("small_nets:operations_net"), **wrong})
        assert not (out / "config.json").exists()
    # The images were split by the seed of `load`, 0, and the training had another.
    opened = Run.open(out, space=Named("small_nets:operations_net"), data=Named("digits", {"seed": 0}))
    assert opened.config.train == Training(steps=6, batch_size=16)
    front = search(opened.asking(search=SEARCHING))
    assert front.evaluations == 5
    again = Run.open(out)  # it has been told once
    assert again.config.search == SEARCHING
    assert len(export(again)) >= 1
    with pytest.raises(UsageError, match="says itself which space"):
        Run.open(out, space=Named("mbconv"))


def test_the_page_follows_every_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained_run(tmp_path / "r")
    search(run)
    assert not (tmp_path / "r/report.html").exists()  # no page was asked for
    page = report(tmp_path / "r")
    ages = [page.read_text()]
    rows = export(run)
    ages.append(page.read_text())
    judged = run.asking(judge=replace(run.config.judge, retrain=4, retrain_steps=2))
    judge(judged)
    ages.append(page.read_text())
    assert len(set(ages)) == 3
    assert rows[0].name in ages[1]
    assert Run.open(tmp_path / "r").config.judge.retrain == 4
    said: list[str] = []

    def fails(_: Path) -> Path:
        raise RunError("The disk is full.")

    monkeypatch.setattr("supernet.runs.report.report", fails)
    assert export(Run.open(tmp_path / "r", said.append))
    assert any("report.html is as it was before: The disk is full." in text for text in said)
    assert page.read_text() == ages[-1]


def test_a_run_whose_export_fails_has_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise RunError("The module block0 has an operation that ONNX does not know.")

    run = trained_run(tmp_path / "r")
    monkeypatch.setattr(Onnx, "write", unknown)
    found = whole(Run.create(run.config, tmp_path / "r", resume=True), resume=True)
    assert found is not None
    (row,) = found.exports
    assert row.problems == {"onnx": "The module block0 has an operation that ONNX does not know."}
    assert list(row.files) == ["program"]
    assert row.verified is not None
    assert found.page.is_file()

    def breaks(*_: object) -> None:
        raise UsageError("Kendall τ is undefined")

    monkeypatch.setattr("supernet.runs.whole.judge", breaks)
    judged = replace(run.config, judge=replace(run.config.judge, retrain=4))
    found = whole(Run.create(judged, tmp_path / "r", resume=True), resume=True)
    assert found is not None
    assert [str(error) for error in found.problems] == ["Kendall τ is undefined"]
    assert found.judgement is None


def test_a_page_that_cannot_be_drawn_is_said_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "plotly" else find(name, *rest)
    )
    done = supernet("run", *QUICK, "--out", tmp_path / "run")
    assert done.code == 1
    assert "The report needs the package 'plotly'" in done.err
    assert not (tmp_path / "run" / "train.jsonl").exists()
