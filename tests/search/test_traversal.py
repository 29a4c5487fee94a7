"""Traversal against brute force: the best of a whole space from tables of its stages, and how little is looked at."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.quantity import COSTS, LATENCY_MS, Quantity
from supernet.search import Evolution, Traversal, run
from supernet.search.rows import best_rows
from supernet.space import Arch, Choice, Codes, Space

SCORE = Quantity("stage_loss", "", "min")


def tables(seed: int, sizes: Sequence[int], bounds: int) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    rng = np.random.default_rng(seed)
    return [rng.random(n) for n in sizes], [rng.random((n, bounds)) for n in sizes]


def brute(
    losses: Sequence[NDArray[np.float64]],
    costs: Sequence[NDArray[np.float64]],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> list[float]:
    """The sums of losses of all combinations within the bounds, sorted."""
    found = []
    for rows in itertools.product(*(range(len(loss)) for loss in losses)):
        cost = sum(c[row] for c, row in zip(costs, rows, strict=True))
        if (cost >= low).all() and (cost <= high).all():  # type: ignore[union-attr]
            found.append(sum(loss[row] for loss, row in zip(losses, rows, strict=True)))
    return sorted(map(float, found))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("low", "high"),
    [((), ()), ((-np.inf,), (1.2,)), ((1.4,), (1.5,)), ((-np.inf, 1.5), (1.6, 2.2)), ((-np.inf,), (0.2,))],
)
def test_the_best_rows_are_those_of_brute_force(seed: int, low: Sequence[float], high: Sequence[float]) -> None:
    losses, costs = tables(seed, (5, 7, 1, 6), len(low))
    bounds = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    expected = brute(losses, costs, *bounds)
    found = best_rows(losses, costs, low=bounds[0], high=bounds[1], count=4)
    assert found.losses == pytest.approx(expected[:4])
    for rows, loss in zip(found.rows, found.losses, strict=True):
        assert loss == pytest.approx(sum(table[row] for table, row in zip(losses, rows, strict=True)))
        cost = sum(c[row] for c, row in zip(costs, rows, strict=True))
        assert (cost >= bounds[0]).all()
        assert (cost <= bounds[1]).all()


def test_bounds_prune() -> None:
    """Five stages of 60 paths are 7.8e8 combinations; the best is known after a few hundred partial ones."""
    losses, costs = tables(0, (60,) * 5, 1)
    tight = np.asarray([sum(float(c.min()) for c in costs) + 0.15])
    loose = best_rows(losses, costs, low=np.asarray([-np.inf]), high=np.asarray([np.inf]))
    found = best_rows(losses, costs, low=np.asarray([-np.inf]), high=tight)
    assert loose.visited <= 10
    assert loose.losses[0] == pytest.approx(sum(float(loss.min()) for loss in losses))
    assert found.visited < 2_000
    assert found.losses[0] > loose.losses[0]


def test_thinned_fronts_bound_from_below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supernet.search.rows._POINTS", 3)
    losses, costs = tables(1, (9, 9, 9), 1)
    low, high = np.asarray([-np.inf]), np.asarray([0.8])
    found = best_rows(losses, costs, low=low, high=high, count=3)
    assert found.losses == pytest.approx(brute(losses, costs, low, high)[:3])


class Additive:
    """An evaluator whose loss and MACs are sums over three stages; params are not."""

    cheap = frozenset({"macs", "params"})

    def __init__(self, *, loose: bool = False, seed: int = 0) -> None:
        choices = [Choice(f"layer{n}", range(4)) for n in range(6)]
        self.space = Space([*choices, *([Choice("resolution", (1, 2))] if loose else [])])
        self.stages = (("layer0", "layer1"), ("layer2",), ("layer3", "layer4", "layer5"))
        self.quantities: Mapping[str, Quantity] = {q.name: q for q in (SCORE, *COSTS, LATENCY_MS)}
        rng = np.random.default_rng(seed)
        self._losses = [rng.random((4,) * len(stage)) for stage in self.stages]
        self._macs = rng.random((6, 4))
        self.rated = 0

    ranking = SCORE

    def _rows(self, codes: Codes) -> list[tuple[Any, ...]]:
        return [tuple(codes[:, self.space.column(n)] for n in stage) for stage in self.stages]

    def terms(self, arch: Arch) -> tuple[float, ...]:
        self.rated += 1
        codes = self.space.codes([arch])
        return tuple(float(t[r][0]) for t, r in zip(self._losses, self._rows(codes), strict=True))

    def losses(self, codes: Codes) -> NDArray[np.float64]:
        found: NDArray[np.float64] = sum(t[r] for t, r in zip(self._losses, self._rows(codes), strict=True))  # type: ignore[assignment]
        return found

    def costs(self, codes: Codes, name: str) -> NDArray[np.float64]:
        macs = sum(self._macs[n][codes[:, n]] for n in range(6))
        found: NDArray[np.float64] = macs if name == "macs" else codes[:, 0] * codes[:, 5] * 1.0  # type: ignore[assignment]
        return found

    def evaluate(self, arch: Arch, names: Sequence[str]) -> dict[str, float]:
        codes = self.space.codes([arch])
        return {n: float((self.losses(codes) if n == SCORE.name else self.costs(codes, n))[0]) for n in names}


@pytest.mark.parametrize("bound", [{}, {"macs": 2.0}, {"macs": (2.2, 2.3)}])
def test_a_search_finds_what_brute_force_finds(bound: dict[str, Any], tmp_path: Path) -> None:
    of = Additive()
    front = run(Traversal(best=5), of, objectives="stage_loss", constraints=bound, budget=50, out=tmp_path)
    codes = of.space.unindex(range(of.space.size))
    macs, losses = of.costs(codes, "macs"), of.losses(codes)
    low, high = bound.get("macs", 99.0) if isinstance(bound.get("macs"), tuple) else (0.0, bound.get("macs", 99.0))
    expected = np.sort(losses[(macs >= low) & (macs <= high)])[:5]
    assert [one.values["stage_loss"] for one in front.archive] == pytest.approx(expected)
    assert front.evaluations == 5
    assert of.rated == 4**2 + 4 + 4**3
    again = run(
        Traversal(best=5), Additive(), objectives="stage_loss", constraints=bound, budget=50, out=tmp_path, resume=True
    )
    assert [one.arch for one in again.archive] == [one.arch for one in front.archive]


def test_restricted_options_are_left_alone() -> None:
    of = Additive()
    of.space = of.space.restrict({"layer3": [1, 2], "layer0": [3]})
    front = run(Traversal(), of, objectives="stage_loss", budget=50)
    assert len(front.archive) == 10
    assert all(one.arch in of.space for one in front.archive)
    assert of.rated == 4 + 4 + 2 * 4 * 4


@pytest.mark.parametrize(
    ("of", "request_", "sentence"),
    [
        (Additive, {"objectives": "latency_ms"}, "latency_ms is no sum over stages. Rank by one, such as"),
        (Additive, {"objectives": ("stage_loss", "macs")}, "Traversal optimises one objective, but 2 were given"),
        (Additive, {"constraints": {"params": 3.0}}, "Traversal adds up params over the stages, but that of whole"),
        (Additive, {"constraints": {"latency_ms": 3.0}}, "latency_ms is not told for whole populations"),
        (lambda: Additive(loose=True), {}, "The choice 'resolution' belongs to no stage"),
    ],
)
def test_what_it_cannot_do_is_refused_before_anything_is_rated(
    of: Callable[[], Additive], request_: dict[str, Any], sentence: str
) -> None:
    evaluator = of()
    with pytest.raises(UsageError, match=sentence):
        run(Traversal(), evaluator, **({"objectives": "stage_loss"} | request_))
    assert evaluator.rated == 0


def test_a_stage_of_too_many_paths_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Stage 2 has 64 paths.*at most 20 are \(traversal\.most\)"):
        run(Traversal(most=20), Additive(), objectives="stage_loss")


def test_evolution_ignores_the_tables() -> None:
    of = Additive()
    front = run(Evolution(population=10, mutations=5, crossovers=5), of, objectives="stage_loss", budget=40)
    assert (front.evaluations, of.rated) == (40, 0)
