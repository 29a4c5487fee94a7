"""What every searcher promises, as tests to inherit.

    class TestMySearcher(SearcherLaws, LearningLaws):
        searcher = MySearcher(population=10)

Run with pytest. `LearningLaws` is for searchers that should beat chance on one objective. Settings should
be small (a population of about 10) so that a budget of 24 spans several generations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Unpack

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.io.run_directory import SEARCHED
from supernet.quantity import ACCURACY, MACS, Quantity
from supernet.search.driver import run
from supernet.search.front import Front
from supernet.search.problem import Searcher
from supernet.search.request import Request
from supernet.search.searchers.random import RandomSearch
from supernet.space import Arch, Choice, Codes, Space


def stages(n: int = 3, widths: Sequence[int] = (8, 16, 24), kernels: Sequence[int] = (3, 5, 7)) -> Space:
    """A space of `n` stages of one or two layers; the second layer's kernel only exists where there is one."""
    choices = []
    for stage in range(n):
        depth = Choice(f"s{stage}.depth", (1, 2))
        choices += [
            Choice(f"s{stage}.width", widths),
            depth,
            Choice(f"s{stage}.kernel1", kernels),
            Choice(f"s{stage}.kernel2", kernels, when=depth > 1),
        ]
    return Space(choices)


class Toy:
    """An evaluator with a separable accuracy and additive costs, drawn at random for any space.

    Each active decision adds a score and a cost; bigger costs tend to score better. Which architectures were evaluated
    is on record in `asked`.

    Args:
        space: The space of the toy, which may be any.
        seed: The seed that scores and costs are drawn with.
    """

    quantities: Mapping[str, Quantity] = {"accuracy": ACCURACY, "macs": MACS, "size": Quantity("size")}
    cheap = frozenset({"macs"})

    def __init__(self, space: Space, seed: int = 0) -> None:
        self.space = space
        self.asked: list[Arch] = []
        rng = np.random.default_rng(seed)
        self._costs = [rng.integers(1, 100, size=len(choice)).astype(np.float64) for choice in space.choices]
        self._scores = [costs / 100 + rng.normal(scale=0.3, size=len(costs)) for costs in self._costs]

    def _total(self, codes: Codes, tables: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        active = self.space.active_mask(codes)
        total = np.zeros(len(codes))
        for column, table in enumerate(tables):
            total += np.where(active[:, column], table[codes[:, column]], 0.0)
        return total

    def accuracy(self, codes: Codes) -> NDArray[np.float64]:
        return self._total(codes, self._scores)

    def costs(self, codes: Codes, name: str) -> NDArray[np.float64]:
        if name != "macs":
            raise AssertionError(f"costs was asked for {name!r}, which is not cheap")
        return self._total(codes, self._costs)

    def evaluate(self, arch: Arch, names: Sequence[str]) -> dict[str, float]:
        self.asked.append(arch)
        codes = self.space.codes([arch])
        told = {"accuracy": self.accuracy(codes)[0], "size": self._total(codes, self._costs)[0]}
        return {name: float(told[name]) for name in names}


def limit(toy: Toy, share: float) -> float:
    """The MACs that this share of a small space does not exceed."""
    return float(np.quantile(toy.costs(toy.space.unindex(range(toy.space.size)), "macs"), share))


class SearcherUnderTest:
    """The searcher that laws are about. Set `searcher`; `objectives` too if it needs several."""

    searcher: ClassVar[Searcher]
    objectives: ClassVar[tuple[str, ...]] = ("accuracy",)

    def search(self, toy: Toy, **request: Unpack[Request]) -> Front:
        """A search of 60 evaluations, unless the request says otherwise."""
        return run(self.searcher, toy, **(Request(objectives=self.objectives, budget=60) | request))

    def refusal(self, toy: Toy, **request: Unpack[Request]) -> str:
        """The sentence that a request is refused with; empty: it is not."""
        try:
            self.search(toy, **request)
        except UsageError as error:
            return str(error)
        return ""


class SearcherLaws(SearcherUnderTest):
    """Feasible, within budget, deterministic, resumable, and it ends."""

    def test_feasible_within_budget_and_never_twice(self) -> None:
        for budget in (1, 7, 60):
            toy = Toy(stages())
            high = limit(toy, 0.2)
            front = self.search(toy, constraints={"macs": high}, budget=budget)
            assert front.evaluations == len(toy.asked) == budget, "the budget is neither exceeded nor left unused"
            assert len(set(toy.asked)) == len(toy.asked), "an architecture was evaluated twice"
            assert toy.costs(toy.space.codes(toy.asked), "macs").max() <= high, "an infeasible one was evaluated"
            assert front.points

    def test_measured_constraints_hold_in_the_front(self) -> None:
        toy = Toy(stages())
        high = limit(toy, 0.3)
        front = self.search(toy, constraints={"size": high}, budget=60)
        assert front.points
        assert all(point.values["size"] <= high for point in front.points)

    def test_begins_with_what_it_is_given(self) -> None:
        toy = Toy(stages())
        constraints = {"macs": limit(toy, 0.5)}
        drawn = toy.space.wrap(toy.space.population(np.random.default_rng(5), 8))
        initial = list(dict.fromkeys(drawn))
        costs = toy.costs(toy.space.codes(initial), "macs")
        allowed = [arch for arch, cost in zip(initial, costs, strict=True) if cost <= constraints["macs"]]
        assert 1 < len(allowed) < len(initial)
        self.search(toy, constraints=constraints, budget=30, initial=[*initial, *initial])
        assert toy.asked[: len(allowed)] == allowed, "feasible ones come first, in their order"
        assert len(set(toy.asked)) == 30, "and only once"
        wrong = [arch for arch in initial if arch not in allowed]
        message = self.refusal(Toy(stages()), constraints=constraints, initial=wrong)
        assert f"None of the {len(wrong)} architectures to begin with" in message

    def test_nothing_feasible_is_an_error_before_any_evaluation(self) -> None:
        toy = Toy(stages())
        least = limit(toy, 0.0)
        message = self.refusal(toy, constraints={"macs": least - 1})
        assert f"{least:.6g}" in message, "an error must say what can be reached"
        assert not toy.asked

    def test_ends_early_when_three_architectures_are_feasible(self) -> None:
        toy = Toy(stages())
        costs = np.sort(toy.costs(toy.space.unindex(range(toy.space.size)), "macs"))
        high = float(costs[2])
        feasible = int((costs <= high).sum())  # three, or more if the third has equals
        front = self.search(toy, constraints={"macs": high}, budget=50)
        assert front.evaluations == feasible < 10, "all feasible architectures are found, and each counts once"
        assert front.stopped != "budget"

    def test_same_seed_same_record(self, tmp_path: Path) -> None:
        records = []
        for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
            self.search(Toy(stages()), out=tmp_path / folder, seed=seed)
            records.append((tmp_path / folder / SEARCHED).read_bytes())
        assert records[0] == records[1], "the same seed must give the same record"
        assert records[0] != records[2], "another seed must give another record"

    def test_resumes_wherever_it_was_killed(self, tmp_path: Path) -> None:
        toy = Toy(stages(2))
        constraints = {"macs": limit(toy, 0.5)}
        self.search(toy, constraints=constraints, budget=24, out=tmp_path)
        record, result = (tmp_path / SEARCHED).read_bytes(), (tmp_path / "front.json").read_bytes()
        lines = record.splitlines(keepends=True)
        assert len(lines) == 24
        for whole in range(0, len(lines) + 1, 2):
            torn = lines[whole][: len(lines[whole]) // 2] if whole < len(lines) else b""
            (tmp_path / SEARCHED).write_bytes(b"".join(lines[:whole]) + torn)
            again = Toy(stages(2))
            self.search(again, constraints=constraints, budget=24, out=tmp_path, resume=True)
            assert (tmp_path / SEARCHED).read_bytes() == record
            assert (tmp_path / "front.json").read_bytes() == result
            assert len(again.asked) == len(lines) - whole, "only what is missing is evaluated"

    def test_larger_budget_continues(self, tmp_path: Path) -> None:
        self.search(Toy(stages(2)), budget=40, out=tmp_path / "long")
        for budget in (13, 27, 40):
            self.search(Toy(stages(2)), budget=budget, out=tmp_path / "short", resume=True)
        assert (tmp_path / "short" / SEARCHED).read_bytes() == (tmp_path / "long" / SEARCHED).read_bytes()

    def test_resumes_only_what_was_asked_for(self, tmp_path: Path) -> None:
        """The request is on disk before the first result, and one that contradicts it is refused by name."""
        asked = Request(constraints={"macs": limit(Toy(stages(2)), 0.9)}, budget=13, out=tmp_path)
        self.search(Toy(stages(2)), **asked)
        (tmp_path / SEARCHED).unlink()  # killed before the first line
        others: list[tuple[Request, str]] = [
            ({"seed": 1}, "seed 0, not 1"),
            ({"constraints": {"macs": 1e9}}, "the constraint on macs"),
        ]
        for other, told in others:
            message = self.refusal(Toy(stages(2)), **(asked | other | Request(resume=True)))
            assert told in message, f"{message!r} does not name what differs"

    def test_generations_count_up(self, tmp_path: Path) -> None:
        self.search(Toy(stages(2)), budget=40, out=tmp_path)
        lines = (tmp_path / SEARCHED).read_text().splitlines()
        generations = [json.loads(line)["generation"] for line in lines]
        assert generations[0] == 0
        assert all(later >= earlier for earlier, later in pairwise(generations))


class LearningLaws(SearcherUnderTest):
    """A searcher of one objective learns: it is better than chance on easy functions."""

    def test_beats_random_search_at_equal_budget(self) -> None:
        space = stages(5)
        wins = 0
        for seed in range(6):
            toy = Toy(space, seed)
            own = self.search(toy, budget=120, seed=seed).best("accuracy").values["accuracy"]
            chance = run(RandomSearch(), toy, objectives="accuracy", budget=120, seed=seed).best("accuracy")
            wins += own > chance.values["accuracy"]
        assert wins >= 5, f"better than random search on only {wins} of 6 functions"
