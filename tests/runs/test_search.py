"""Searches of a run: what is on disk before the first result, how they go on, and many searches of one training."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from small_runs import SEARCHING, trained_run
from supernet.errors import UsageError
from supernet.io.config import Config, Judging, Named, Searching
from supernet.runs.export import export
from supernet.runs.retrain import kept_retraining, retrain
from supernet.runs.run import Run
from supernet.runs.search import search, workers_for
from supernet.workers import Local

pytestmark = pytest.mark.slow  # whole runs, or processes of their own


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_run(tmp_path_factory.mktemp("runs") / "r").directory.path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "r"))


class KilledError(Exception):
    """The process dies here."""


def killed_search(run: Run, at: int, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
    """A search that dies after so many evaluations."""
    from supernet.search.archive import Archive

    plain, done = Archive.append, []

    def append(archive: Any, evaluation: Any) -> None:
        if len(done) == at:
            raise KilledError
        done.append(evaluation)
        plain(archive, evaluation)

    with monkeypatch.context() as patch:
        patch.setattr(Archive, "append", append)
        with pytest.raises(KilledError):
            search(run, **options)


def test_a_killed_search_goes_on_as_it_was_begun(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = replace(SEARCHING, budget=6, constraints={"macs": 60_000.0}, seed=3)
    whole = Path(shutil.copytree(run, tmp_path / "whole"))
    search(Run.open(whole).asking(search=asked))
    assert len((whole / "search.jsonl").read_text().splitlines()) < 9  # the bound leaves some out
    killed_search(Run.open(run).asking(search=asked), 2, monkeypatch)
    opened = Run.open(run)
    assert opened.config.search == asked  # without a word
    changed = opened.asking(search=replace(asked, constraints={}))
    with pytest.raises(
        UsageError, match=r"searching\.json says search\.constraints\.macs = 60000\.0, and None was asked"
    ):
        search(changed, resume=True)
    with pytest.raises(UsageError, match=r"search\.budget = 6, and 3 was asked for"):
        search(opened.asking(search=replace(asked, budget=3)), resume=True)
    search(opened, resume=True)
    for name in ("searching.json", "search.jsonl", "front.json"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()
    more = search(Run.open(run).asking(search=replace(asked, budget=7)), resume=True)
    assert Run.open(run).config.search.budget == 7
    assert more.evaluations >= 6


def test_what_is_refused_changes_no_settings(run: Path) -> None:
    search(Run.open(run))
    before = (run / "searching.json").read_bytes()
    for asked in (replace(SEARCHING, constraints={"macs": 1.0}), replace(SEARCHING, searcher="nope")):
        with pytest.raises(UsageError):
            search(Run.open(run).asking(search=asked), overwrite=True)
    with pytest.raises(UsageError, match="holds a search already"):
        search(Run.open(run).asking(search=replace(SEARCHING, budget=3)))
    assert (run / "searching.json").read_bytes() == before
    assert Run.open(run).config.search == SEARCHING


def test_settings_of_a_search_algorithm_reach_it(run: Path) -> None:
    settings = replace(SEARCHING, searcher="evolution", objectives=("accuracy",), searcher_options={"populaton": 3})
    with pytest.raises(UsageError, match="evolution has no setting 'populaton'; did you mean population"):
        search(Run.open(run).asking(search=settings))
    small = {"population": 2, "parents": 2, "mutations": 1, "crossovers": 1}
    front = search(Run.open(run).asking(search=replace(settings, searcher_options=small)))
    assert max(evaluation.generation for evaluation in front.archive) >= 1


def test_one_training_serves_many_searches(run: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    fronts = {}
    for seed in (1, 2):
        out = tmp_path / "searches" / str(seed)
        fronts[seed] = search(Run.open(run).into(out).asking(search=replace(SEARCHING, seed=seed)))
    assert [e.arch for e in fronts[1].archive] != [e.arch for e in fronts[2].archive]
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    shutil.move(run, moved / "r")
    shutil.move(tmp_path / "searches", moved / "searches")
    opened = Run.open(moved / "searches" / "2")
    assert opened.directory.path == moved / "r"
    assert opened.config.search.seed == 2
    assert search(opened, resume=True).archive == fronts[2].archive
    (row,) = export(opened)
    assert (moved / "searches/2" / row.files["onnx"]).is_file()
    found = retrain(opened, _settings(opened))
    assert kept_retraining(moved / "searches/2/retrained") is not None
    assert found.steps == 3
    assert {moved / "r" / path.relative_to(run): text for path, text in before.items()} == {
        path: path.read_bytes() for path in (moved / "r").rglob("*") if path.is_file()
    }


def _settings(run: Run) -> Any:
    from supernet.io.config import Retraining
    from supernet.search import Front

    best = Front.read(run.place.path, run.net.space).best().arch
    return Retraining(arch=json.dumps(best.options()), steps=3, start="inherited")


def test_a_stopped_training_is_spoken_of(tmp_path: Path) -> None:
    said: list[str] = []
    done = trained_run(tmp_path / "r")
    search(Run.open(tmp_path / "r", said.append))
    assert not any("was stopped after" in text for text in said)
    (done.directory / "counts.json").unlink()  # as after step 8 of 12
    newest = next((done.directory.checkpoints).glob("*"))
    newest.rename(newest.with_name("step-000000008.safetensors"))
    search(Run.open(tmp_path / "r", said.append), overwrite=True)
    assert any("was stopped after 8 of 12 steps" in text for text in said)


def test_searching_is_a_section_that_checks_itself() -> None:
    with pytest.raises(UsageError, match=r"search\.budget is 1\.5; it must be a whole number"):
        Searching(budget=1.5)  # type: ignore[arg-type]


def test_a_whole_run_searches_with_its_workers_where_that_changes_nothing(tmp_path: Path) -> None:
    said: list[str] = []

    def found(workers: int | str = 3, **asked: Any) -> object:
        config = Config(
            space=Named("small_nets:operations_net"), search=Searching(**asked), judge=Judging(workers=workers)
        )
        return workers_for(Run.create(config, tmp_path / "run", say=said.append))

    assert found(objectives=("accuracy",)) == Local(3)
    assert found("1", objectives=("accuracy",)) is None
    assert not said
    assert found(objectives=("accuracy", "latency_ms")) is None
    assert "one process searches: latency_ms is measured here by the clock" in said[-1]
    assert found(objectives=("accuracy",), constraints={"latency_ms": 3.0}, latency="t.json") == Local(3)
    assert found(shifting={}) is None
    assert "one process searches: The weights change" in said[-1]
