"""Search and judge of a run whose method shrinks the space."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from small_runs import SEARCHING, trained_run
from supernet.errors import UsageError
from supernet.io.config import Named
from supernet.judge import Truth
from supernet.methods import spos
from supernet.runs.judge import judge
from supernet.runs.run import Run
from supernet.runs.search import search
from supernet.train import Context, Edit, Recipe

pytestmark = pytest.mark.slow  # whole runs, or processes of their own


@dataclass(frozen=True)
class Decide:
    """Leaves two of three options of one choice, and of the other one."""

    def __call__(self, context: Context) -> None:
        context.restriction.allow("block0", ("conv3", "conv1"))
        context.restriction.allow("block1", ("skip", "conv1"))


def shrinking() -> Recipe:
    return replace(spos(), name="shrinking", edits=(Edit(name="decide", apply=Decide(), every=6),))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "r"
    trained_run(out, method=Named("test_restriction_method:shrinking"))
    return out


@pytest.fixture(scope="module", autouse=True)
def _importable() -> None:
    import sys

    sys.modules["test_restriction_method"] = sys.modules[__name__]


def inside(arch: dict[str, str]) -> bool:
    return arch["block0"] != "skip" and arch["block1"] != "conv3"


def test_the_search_takes_what_is_left_and_says_so(trained: Path) -> None:
    assert json.loads((trained / "restriction.json").read_text()) == {
        "block0": ["conv3", "conv1"],
        "block1": ["conv1", "skip"],
    }
    said: list[str] = []
    run = Run.open(trained, said.append)
    assert run.space.size == 4
    front = search(run.asking(search=replace(SEARCHING, budget=9)))
    assert front.evaluations == 4, "there are no more"
    rows = [json.loads(line) for line in (trained / "search.jsonl").read_text().splitlines()]
    assert len(rows) == 4
    assert all(inside(row["arch"]) for row in rows)
    assert [text for text in said if "the training has left 4 of 9 architectures (restriction.json)" in text]


def test_the_ranking_of_what_is_left_is_judged(trained: Path) -> None:
    said: list[str] = []
    run = Run.open(trained, said.append)
    space = run.net.space
    archs = list(space.enumerate())
    truth = Truth.of(archs, np.linspace(0.1, 0.9, len(archs)))
    found = judge(run, truth)
    assert found.n == 4
    assert found.archs is not None
    assert all(inside(arch.options()) for arch in found.archs)
    assert [text for text in said if "the training has left 4 of 9" in text]
    outside = [arch for arch in archs if not inside(arch.options())]
    with pytest.raises(UsageError, match="The truth holds none of the 4 architectures that the training has left"):
        judge(run, truth.subset(outside))


def test_one_architecture_that_is_left_is_ranked_among_all(trained: Path, tmp_path: Path) -> None:
    import shutil

    out = Path(shutil.copytree(trained, tmp_path / "r"))
    (out / "restriction.json").write_text(json.dumps({"block0": ["conv3"], "block1": ["skip"]}))
    said: list[str] = []
    run = Run.open(out, said.append)
    archs = list(run.net.space.enumerate())
    assert run.space.size == 1
    assert judge(run, Truth.of(archs, np.linspace(0.1, 0.9, len(archs)))).n == len(archs)
    assert [text for text in said if "has left 1 of 9 architectures (restriction.json), too few to rank" in text]
    assert not [text for text in said if "these alone are considered" in text]
    retrained = run.asking(judge=replace(run.config.judge, retrain=4, retrain_steps=2))
    assert judge(retrained).n == 4


def test_architectures_that_are_trained_alone_are_of_what_is_left(trained: Path) -> None:
    run = Run.open(trained)
    judged = run.asking(judge=replace(run.config.judge, retrain=4, retrain_steps=2))
    assert judge(judged).n == 4


def test_a_run_that_forbids_nothing_has_its_whole_space(tmp_path: Path) -> None:
    said: list[str] = []
    run = Run.open(trained_run(tmp_path / "r").directory.path, said.append)
    assert run.space is run.net.space
    search(run)
    assert not [text for text in said if "has left" in text]


def test_a_run_that_replaces_one_does_not_inherit_its_restriction(trained: Path, tmp_path: Path) -> None:
    import shutil

    from supernet.runs.train import train

    out = Path(shutil.copytree(trained, tmp_path / "r"))
    config = replace(Run.open(out).config, method=Named("spos"))
    train(Run.create(config, out, overwrite=True))
    assert not (out / "restriction.json").exists()
    assert Run.open(out).space.size == 9


def test_options_that_the_space_does_not_have_are_refused(trained: Path, tmp_path: Path) -> None:
    import shutil

    out = Path(shutil.copytree(trained, tmp_path / "r"))
    (out / "restriction.json").write_text(json.dumps({"block0": ["pool"]}))
    with pytest.raises(UsageError, match="'block0' was to be restricted to"):
        _ = Run.open(out).space
