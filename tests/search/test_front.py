"""Dominance, hypervolume, picking, and the file a search leaves."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from supernet.errors import RunError, UsageError
from supernet.quantity import ACCURACY, MACS, Quantity
from supernet.search import Constraint, Constraints, Evaluation, Front
from supernet.search.pareto import hypervolume, nondominated, spread
from supernet.space import Choice, Space

SPACE = Space([Choice("n", range(100)), Choice("kernel", ((3, 3), (5, 5)))])

# Few distinct values, so that ties and repeated rows are common.
LOSSES = st.integers(1, 4).flatmap(
    lambda m: arrays(np.float64, st.tuples(st.integers(0, 25), st.just(m)), elements=st.integers(0, 4).map(float))
)


def brute_force(losses: np.ndarray) -> list[bool]:
    def dominates(a: np.ndarray, b: np.ndarray) -> bool:
        return all(a <= b) and any(a < b)

    return [not any(dominates(other, row) for other in losses) for row in losses]


@given(LOSSES)
def test_nondominated_is_the_definition(losses: np.ndarray) -> None:
    assert nondominated(losses).tolist() == brute_force(losses)


@given(LOSSES)
@settings(max_examples=60)
def test_hypervolume_is_the_number_of_dominated_cells(losses: np.ndarray) -> None:
    """On integer points the volume is a count of unit cells."""
    m = losses.shape[1]
    corner = np.full(m, 4.0)
    cells = np.array(list(itertools.product(range(4), repeat=m)))
    dominated = (losses[None] <= cells[:, None]).all(axis=2).any(axis=1)
    assert hypervolume(losses, corner) == dominated.sum()


def test_hypervolume_agrees_with_pymoo() -> None:
    from pymoo.indicators.hv import HV

    rng = np.random.default_rng(0)
    for m in (2, 3):
        losses = rng.random((40, m))
        corner = np.full(m, 0.9)
        assert hypervolume(losses, corner) == pytest.approx(HV(ref_point=corner)(losses), rel=1e-12)


@given(LOSSES, st.integers(1, 30))
def test_spread_takes_distinct_rows_and_both_ends(losses: np.ndarray, n: int) -> None:
    places = spread(losses, n)
    assert places == sorted(set(places))
    assert len(places) == min(n, len(losses))
    if n >= 2 and len(losses) >= 2:
        assert places[0] == 0
        assert places[-1] == len(losses) - 1


def test_spread_takes_the_middle_of_a_line() -> None:
    line = np.linspace(0, 1, 101)[:, None] * [1.0, -100.0]
    assert spread(line, 3) == [0, 50, 100]
    assert spread(line, 5) == [0, 25, 50, 75, 100]


def front_of(points: list[tuple[float, float]], limits: Constraints | None = None) -> Front:
    archs = SPACE.wrap(SPACE.unindex(range(len(points))))
    archive = tuple(
        Evaluation(arch, {"accuracy": accuracy, "macs": macs}, 0)
        for arch, (accuracy, macs) in zip(archs, points, strict=True)
    )
    return Front((ACCURACY, MACS), limits or Constraints(), archive, {"macs": (1.0, 9.0)}, 0.4, "nsga2", "budget")


POINTS = [(0.9, 50.0), (0.5, 10.0), (0.7, 20.0), (0.6, 30.0), (0.9, 60.0), (0.95, 99.0)]


def macs(points: tuple[Evaluation, ...]) -> list[float]:
    return [point.values["macs"] for point in points]


def test_points_are_feasible_nondominated_and_in_order_of_cost() -> None:
    front = front_of(POINTS)
    assert macs(front.points) == [10, 20, 50, 99]
    assert macs(front.dominated) == [30, 60]
    limited = front_of(POINTS, Constraints((Constraint("macs", 15.0, 50.0),)))
    assert macs(limited.points) == [20, 50]
    assert macs(limited.dominated) == [30]
    assert limited.evaluations == 6


def test_order_follows_the_first_cost_not_the_first_objective() -> None:
    params = Quantity("params")
    archs = SPACE.wrap(SPACE.unindex(range(3)))
    values = [(0.7, 30.0, 1.0), (0.6, 10.0, 2.0), (0.8, 20.0, 3.0)]
    archive = tuple(
        Evaluation(arch, dict(zip(("accuracy", "macs", "params"), row, strict=True)), 0)
        for arch, row in zip(archs, values, strict=True)
    )
    front = Front((ACCURACY, MACS, params), Constraints(), archive, {}, 1.0, "nsga2", "budget")
    assert macs(front.points) == [10, 20, 30]


def test_best_and_spread() -> None:
    front = front_of(POINTS)
    assert front.best("accuracy").values["macs"] == 99
    assert front.best("macs").values["macs"] == 10
    assert macs(front.spread(1)) == [99]
    assert macs(front.spread(2)) == [10, 99]
    assert macs(front.spread(3)) == [10, 50, 99]
    assert front.spread(9) == front.points


def test_best_breaks_ties_by_the_other_objectives() -> None:
    archive = front_of([(0.5, 20.0), (0.5, 10.0)]).archive
    front = Front((ACCURACY,), Constraints(), archive, {}, 1.0, "random", "budget")
    assert len(front.points) == 2  # equals do not dominate each other
    assert front_of([(0.5, 20.0), (0.5, 10.0)]).best("accuracy").values["macs"] == 10


def test_hypervolume_of_a_front_uses_its_goals() -> None:
    front = front_of([(0.5, 10.0), (0.7, 20.0)])
    assert front.hypervolume({"accuracy": 0.0, "macs": 30.0}) == pytest.approx(0.5 * 10 + 0.7 * 10)


def test_misuse_is_refused() -> None:
    front = front_of(POINTS)
    with pytest.raises(UsageError, match="'params' is not an objective of this search; those are 'accuracy', 'macs'"):
        front.best("params")
    with pytest.raises(UsageError, match="at least 1"):
        front.spread(0)
    with pytest.raises(UsageError, match="does not give macs"):
        front.hypervolume({"accuracy": 0.0})


def test_file(tmp_path: Path) -> None:
    front = front_of([(0.5, 10.0), (0.7, 5.0)], Constraints((Constraint("macs", None, 2e7),)))
    path = front.write(tmp_path / "run")
    assert path == tmp_path / "run" / "front.json"
    assert [file.name for file in path.parent.iterdir()] == ["front.json"]
    assert json.loads(path.read_text()) == {
        "objectives": [
            {"name": "accuracy", "goal": "max", "unit": "", "share": True},
            {"name": "macs", "goal": "min", "unit": "MAC", "share": False},
        ],
        "constraints": {"macs": [None, 2e7]},
        "searcher": "nsga2",
        "evaluations": 2,
        "range": {"macs": [1.0, 9.0]},
        "feasible_share": 0.4,
        "stopped": "budget",
        "points": [{"arch": {"n": 0, "kernel": [5, 5]}, "values": {"accuracy": 0.7, "macs": 5.0}, "generation": 0}],
    }
    assert SPACE.arch(json.loads(path.read_text())["points"][0]["arch"]) == front.points[0].arch
    assert Front.read(tmp_path / "run", SPACE).points == front.points


PARAMS, LOSS = Quantity("params"), Quantity("loss")


def front_by(objectives: tuple[Quantity, ...], rows: Sequence[tuple[float, ...]], *limits: Constraint) -> Front:
    """A front whose values are those of the objectives, then those of the constraints."""
    names = [objective.name for objective in objectives] + [limit.name for limit in limits]
    archs = SPACE.wrap(SPACE.unindex(range(len(rows))))
    archive = tuple(Evaluation(a, dict(zip(names, row, strict=True)), 3) for a, row in zip(archs, rows, strict=True))
    return Front(objectives, Constraints(limits), archive, {}, 1.0, "nsga2", "budget")


RISING = [(0.5, 10.0), (0.7, 20.0), (0.8, 40.0), (0.9, 80.0)]


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_best_is_always_chosen_and_the_names_are_true(n: int) -> None:
    turned = [(cost, quality) for quality, cost in RISING]
    losses = [(1 - quality, cost) for quality, cost in RISING]
    three = [(q, c, p) for (q, c), p in zip([*RISING, (0.95, 50.0)], (4.0, 3.0, 2.0, 1.0, 9.0), strict=True)]
    for front, best in (
        (front_by((ACCURACY, MACS), RISING), {"accuracy": 0.9}),
        (front_by((MACS, ACCURACY), turned), {"macs": 10.0}),
        (front_by((LOSS, MACS), losses), {"macs": 80.0}),
        (front_by((MACS, LOSS), [(b, a) for a, b in losses]), {"macs": 10.0}),
        (front_by((ACCURACY, MACS, PARAMS), three), {"accuracy": 0.95}),
    ):
        chosen = front.named(n)
        costs = [point.values["macs"] for point in chosen.values()]
        assert front.cost == "macs"
        assert len(chosen) == n
        assert costs == sorted(costs)
        assert any(best.items() <= point.values.items() for point in chosen.values())
        assert front.best() in front.spread(n)
        assert front.spread(n) == tuple(chosen.values())
        assert list(chosen) == {
            1: ["best"],
            2: ["small", "large"],
            3: ["small", "medium", "large"],
            4: ["front-01", "front-02", "front-03", "front-04"],
        }.get(n)
        if n == 1:
            assert chosen["best"] == front.best()


def test_a_front_of_one_objective() -> None:
    """All its points are equals: a bounded quantity puts them in order, and without one no name says a size."""
    limit = Constraint("macs", None, 100.0)
    front = front_by((ACCURACY,), [(0.9, 60.0), (0.9, 20.0), (0.8, 1.0), (0.9, 40.0)], limit)
    assert front.cost == "macs"
    assert front.best().values["macs"] == 20
    assert {name: point.values["macs"] for name, point in front.named(2).items()} == {"small": 20, "large": 60}
    assert macs(front.spread(3)) == [20, 40, 60]
    assert list(front_by((ACCURACY,), [(0.9,), (0.9,), (0.8,)]).named(3)) == ["front-01", "front-02"]
    assert list(front_by((MACS,), [(10.0, 0.9), (20.0, 0.95)], Constraint("accuracy", 0.5)).named(3)) == ["best"]
    equals = front_by((ACCURACY,), [(0.9, 60.0), (0.9, 60.0)], limit)
    assert list(equals.named(2)) == ["front-01", "front-02"]  # neither is smaller


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    rows = [(*row, 2.0) for row in (*RISING, (0.1, 90.0))]
    front = front_by((ACCURACY, MACS), rows, Constraint("params", 1.0, None))
    front = replace(front, range={"macs": (1.0, 9.0)}, wrap={"lr": 0.1})
    front.write(tmp_path)
    read = Front.read(tmp_path, SPACE)
    assert (read.points, read.evaluations, read.constraints) == (front.points, 5, front.constraints)
    assert read.to_json() == front.to_json()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda told: {}, r"front.json is damaged: it must hold a table with 'objectives'"),
        (lambda told: [], "it must hold a table of names and values"),
        (lambda told: told | {"objectives": []}, "objectives must be a list of length of at least 1"),
        (lambda told: told | {"points": []}, "it holds no points"),
        (lambda told: told | {"points": [{}]}, r"points\[0\] must be a table with 'arch'"),
        (lambda told: told | {"constraints": {"macs": [2, 1]}}, r"constraint on 'macs' .* low <= high"),
        (lambda told: told | {"constraints": {"energy": [0, 1]}}, r"points\[0\]\.values has no value for 'energy'"),
        (lambda told: told | {"evaluations": "many"}, "evaluations must be a whole number"),
        (lambda told: told | {"stopped": None}, "stopped must be a text"),
        (lambda told: told | {"points": [told["points"][0] | {"arch": {"n": 77}}]}, "front.json is damaged: .* kernel"),
    ],
)
def test_a_damaged_file_is_refused_in_a_sentence(tmp_path: Path, damage: Any, message: str) -> None:
    path = front_of(POINTS).write(tmp_path)
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(RunError, match=message):
        Front.read(tmp_path, SPACE)


def test_a_missing_front_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has not been searched.* \(supernet search"):
        Front.read(tmp_path, SPACE)


def test_files_from_before_generations_were_written_open(tmp_path: Path) -> None:
    front = front_of(POINTS)
    path = front.write(tmp_path)
    told = json.loads(path.read_text())
    for point in told["points"]:
        del point["generation"]
    path.write_text(json.dumps(told))
    assert [point.arch for point in Front.read(tmp_path, SPACE).points] == [point.arch for point in front.points]


def test_a_front_prints_its_points_and_not_its_archive() -> None:
    points = [
        Evaluation(SPACE.arch({"n": n, "kernel": (3, 3)}), {"accuracy": n / 100, "macs": 10.0 * n}, 0)
        for n in range(12)
    ]
    worse = [Evaluation(SPACE.arch({"n": n, "kernel": (5, 5)}), {"accuracy": 0.0, "macs": 1e6}, 0) for n in range(30)]
    front = replace(front_of(POINTS), objectives=(ACCURACY, MACS), constraints=Constraints(), archive=(*worse, *points))
    head, *rows, more = repr(front).splitlines()
    assert head == "Front(accuracy (max), macs (min): 12 points of 42 evaluations)"
    assert rows == [f"  accuracy {n / 100:g}, macs {10 * n} MAC: n={n},kernel=3:3" for n in range(10)]
    assert more == "  and 2 more"
    assert repr(replace(front, archive=tuple(points[:2]))).splitlines()[1:] == rows[:2]
