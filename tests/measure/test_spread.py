"""Workers measure what one process measures, bit for bit, also when one of them is killed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from small_nets import images, operations_net
from spread_searches import files, searched
from supernet import search
from supernet.errors import RunError, UsageError
from supernet.measure import NetEvaluator
from supernet.workers import Local, Team, Work


def test_a_search_is_the_same_when_a_worker_is_killed(tmp_path: Path) -> None:
    assert searched(tmp_path / "alone", None) == []
    lost = searched(tmp_path / "spread", Local(2), flag=tmp_path / "killed")
    assert lost == ["killed by SIGKILL (out of memory?)"]
    assert files(tmp_path / "spread") == files(tmp_path / "alone")
    assert {"search.json", "search.jsonl", "front.json"} <= set(files(tmp_path / "alone"))


def test_what_workers_would_change_is_refused_before_they_start() -> None:
    evaluator = NetEvaluator(operations_net(), images())
    with evaluator.spread(Local(2)) as spread:
        with pytest.raises(UsageError, match="latency_ms is measured here by the clock"):
            search.check(search.RandomSearch(), evaluator, objectives=("accuracy", "latency_ms"))
        with pytest.raises(UsageError, match="The weights change while this search goes on"):
            search.check(search.RandomSearch(), evaluator, objectives=("accuracy",), wrap=search.Shifting())
        assert spread.count is None, "none has started"
    search.check(search.RandomSearch(), evaluator, objectives=("accuracy", "latency_ms"))


def test_only_what_is_not_known_is_asked_and_new_weights_end_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator = NetEvaluator(operations_net(), images())
    archs = list(evaluator.space.enumerate())[:4]
    evaluator.scores(archs[0])
    with evaluator.spread(Local(2)) as spread:
        asked: list[tuple[int, tuple[str, ...]]] = []
        monkeypatch.setattr(spread, "ask", lambda new, names: asked.append((len(new), tuple(names))))
        evaluator.look_ahead(archs, ["accuracy", "macs"])
        evaluator.look_ahead(archs, ["macs"])
        evaluator.look_ahead(archs)
        assert asked == [(3, ("accuracy",)), (0, ()), (3, ("accuracy",))]
        closed: list[bool] = []
        monkeypatch.setattr(spread, "close", lambda: closed.append(True))
        with torch.no_grad():
            next(evaluator.net.parameters()).add_(1.0)
        evaluator.look_ahead(archs, ["accuracy"])
        assert closed == [True]
        assert asked[-1] == (4, ("accuracy",))


def test_workers_have_the_threads_and_the_settings_of_this_process() -> None:
    """Another number of threads rounds otherwise."""
    opened: list[Work] = []

    class Kind:
        def check(self) -> None:
            pass

        def open(self, work: Work, most: int | None = None) -> Team:
            opened.append(work)
            raise RunError("enough")

    evaluator = NetEvaluator(operations_net(), images(), calibration=None, batch_size=7, images=20)
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        with evaluator.spread(Kind()), pytest.raises(RunError, match="enough"):
            evaluator.look_ahead(list(evaluator.space.enumerate())[:1], ["accuracy"])
    finally:
        torch.set_num_threads(before)
    (work,) = opened
    assert work.threads == before + 1
    assert NetEvaluator(**work.given).settings() == evaluator.settings()
    assert {"net", "data", "space", "score", "parts", "precision"} <= work.given.keys()
