"""What a search proposed, counted by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from supernet import search
from supernet.errors import UsageError
from supernet.io.lines import read_lines
from supernet.search.evaluation import Evaluation, Point
from supernet.search.laws import Toy, stages
from supernet.search.proposals import proposals, told
from supernet.space import Choice, Space

DEPTH = Choice("depth", (1, 2))
SPACE = Space([DEPTH, Choice("kernel", (3, 5), when=DEPTH > 1)])


def proposed(depth: int, kernel: int | None, score: float, generation: int) -> Evaluation:
    options: dict[str, Any] = {"depth": depth} if kernel is None else {"depth": depth, "kernel": kernel}
    return Evaluation(SPACE.arch(options), {"accuracy": score}, generation)


RECORD = [
    proposed(1, None, 0.5, 0),
    proposed(2, 3, 0.6, 0),
    proposed(2, 5, 0.7, 0),
    proposed(2, 5, 0.75, 0),
    proposed(1, None, 0.4, 1),
    proposed(2, 5, 0.77, 1),
]


def test_shares_entropy_and_drift_are_those_of_counting() -> None:
    first, second = proposals(RECORD, "accuracy")
    assert first.shares == {"depth": {1: 0.25, 2: 0.75}, "kernel": {3: 1 / 3, 5: 2 / 3}}
    assert first.entropy == pytest.approx((0.8112781 + 0.9182958) / 2)
    assert (first.again, first.drift, first.error) == (0, None, None)
    assert second.shares == {"depth": {1: 0.5, 2: 0.5}, "kernel": {5: 1.0}}
    assert second.entropy == pytest.approx(0.5)
    assert second.again == 2
    assert second.drift == pytest.approx((-0.1 + 0.02) / 2)
    assert second.error == pytest.approx(0.06)
    assert "proposed again" in told([first, second])


def test_a_record_of_a_search_gives_what_its_archive_gives(tmp_path: Path) -> None:
    toy = Toy(stages())
    front = search.run(search.Evolution(population=8, parents=3), toy, budget=24, out=tmp_path)
    found = proposals(front.archive, "accuracy")
    points = read_lines(tmp_path / "search.jsonl", Point).rows
    assert proposals(points, "accuracy") == found
    assert [one.archs for one in found] == [8, 8, 8]
    widths = Counter(one.arch["s0.width"] for one in front.archive if one.generation == 2)
    assert found[2].shares["s0.width"] == {option: n / 8 for option, n in widths.items()}


def test_what_is_missing_is_a_sentence() -> None:
    with pytest.raises(UsageError, match="has no 'loss'; it has 'accuracy'"):
        proposals(RECORD, "loss")
    with pytest.raises(UsageError, match="before generations were on it"):
        proposals([Point(arch={"op": "conv"}, values={})])
