"""The driver: what it records, what it refuses, and that a killed search goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supernet import search
from supernet.errors import RunError, UsageError
from supernet.search import NSGA2, Begun, Evolution, Front, Problem, RandomSearch, RegularisedEvolution, Searcher, run
from supernet.search.laws import Toy, limit, stages
from supernet.search.pareto import nondominated
from supernet.space import Arch, Choice, Space

BOTH = ("accuracy", "macs")


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "search.jsonl").read_text().splitlines()]


def test_record_and_front(tmp_path: Path) -> None:
    toy = Toy(stages(2))
    high = limit(toy, 0.5)
    front = run(
        NSGA2(population=8),
        toy,
        objectives=BOTH,
        constraints={"macs": high, "size": 1e6},
        budget=20,
        out=tmp_path / "run",
    )
    record = lines(tmp_path / "run")
    assert len(record) == front.evaluations == 20
    assert [line["generation"] for line in record] == [0] * 8 + [1] * 8 + [2] * 4
    for line, arch in zip(record, toy.asked, strict=True):
        assert set(line) == {"arch", "values", "generation"}
        assert line["arch"] == arch.options()
        codes = toy.space.codes([arch])
        cost = toy.costs(codes, "macs")[0]
        assert line["values"] == {"accuracy": toy.accuracy(codes)[0], "macs": cost, "size": cost}
    data = json.loads((tmp_path / "run" / "front.json").read_text())
    assert data == json.loads(json.dumps(front.to_json()))
    assert (data["stopped"], data["searcher"]) == ("budget", "nsga2")
    costs = toy.costs(toy.space.unindex(range(toy.space.size)), "macs")
    assert data["feasible_share"] == (costs <= high).mean()
    assert data["range"] == {"macs": [costs.min(), costs.max()]}


def test_every_setting_and_keyword_changes_the_search() -> None:
    """Each one set to something unusual changes the record; a forgotten one would not."""
    cases: list[tuple[Searcher, dict[str, object]]] = [
        (RandomSearch(), {"batch": 13}),
        (
            Evolution(population=12, mutations=6, crossovers=5),
            {"population": 14, "parents": 2, "mutations": 3, "crossovers": 2, "mutation_p": 0.6, "attempts": 1},
        ),
        (RegularisedEvolution(population=12), {"population": 14, "sample": 1, "children": 3}),
        (NSGA2(population=12), {"population": 14, "crossover_p": 0.0, "mutation_p": 0.7}),
    ]
    for searcher, changes in cases:

        def record(searcher: Searcher, **request: Any) -> tuple[object, ...]:
            return run(searcher, Toy(stages(3)), **({"budget": 60, "objectives": "accuracy"} | request)).archive

        plain = record(searcher)
        assert record(searcher) == plain
        for name, value in changes.items():
            assert record(replace(searcher, **{name: value})) != plain, name
        assert record(searcher, seed=1) != plain
        assert record(searcher, constraints={"macs": 500}) != plain
        assert record(searcher, initial=[stages(3).largest()])[0] != plain[0]
        assert len(record(searcher, budget=59)) == 59


def test_short_forms_are_the_searchers_with_their_published_settings() -> None:
    for short, searcher, objectives in (
        (search.random, RandomSearch(), "accuracy"),
        (search.evolution, Evolution(), "accuracy"),
        (search.regularised_evolution, RegularisedEvolution(), "accuracy"),
        (search.nsga2, NSGA2(), BOTH),
    ):
        mine = short(Toy(stages(2)), budget=70, seed=2)
        assert mine.archive == run(searcher, Toy(stages(2)), objectives=objectives, budget=70, seed=2).archive
        assert mine.searcher == searcher.name == short.__name__


def test_what_a_search_was_begun_with_is_on_disk_before_its_first_result(tmp_path: Path) -> None:
    toy = Toy(stages(2))
    seen: list[Begun | None] = []

    class Looking(Toy):
        def evaluate(self, arch: Arch, names: Sequence[str]) -> dict[str, float]:
            seen.append(Begun.read(tmp_path))
            return super().evaluate(arch, names)

    first = toy.space.smallest()
    run(SMALL, Looking(stages(2)), constraints={"macs": (1, 1e6)}, budget=5, seed=7, initial=[first], out=tmp_path)
    assert seen[0] == Begun(
        searcher={
            "piece": "supernet.search.searchers.evolution:Evolution",
            "population": 8,
            "parents": 10,
            "mutations": 4,
            "crossovers": 4,
            "mutation_p": 0.1,
            "global_p": None,
            "attempts": 10,
            "again": 0,
        },
        space=toy.space.fingerprint,
        objectives=["accuracy"],
        constraints={"macs": (1.0, 1e6)},
        budget=5,
        seed=7,
        initial=[first.options()],
    )
    assert len(set(map(str, seen))) == 1
    run(SMALL, toy, constraints={"macs": (1, 1e6)}, budget=9, seed=7, initial=[first], out=tmp_path, resume=True)
    assert (Begun.read(tmp_path) or seen[0]).budget == 9, "a larger budget is the one to resume with"


def test_lines_without_what_they_were_begun_with_are_not_resumed(tmp_path: Path) -> None:
    begun(tmp_path)
    (tmp_path / "search.json").write_text('{"searcher": 3}')
    with pytest.raises(RunError, match=r"search.json is damaged: searcher must be a table of names and values"):
        resumed(tmp_path)
    (tmp_path / "search.json").unlink()
    with pytest.raises(UsageError, match=r"search.jsonl cannot be resumed: search.json beside it"):
        resumed(tmp_path)


def test_how_an_evaluator_measures_is_part_of_the_request(tmp_path: Path) -> None:
    class Sampling(Toy):
        def __init__(self, images: int) -> None:
            super().__init__(stages(2))
            self.images = images

        def settings(self) -> dict[str, int]:
            return {"images": self.images}

    run(SMALL, Sampling(100), budget=5, out=tmp_path)
    with pytest.raises(UsageError, match="begun with the evaluator's images 100, not 50"):
        run(SMALL, Sampling(50), budget=5, out=tmp_path, resume=True)


def test_a_class_is_no_searcher() -> None:
    with pytest.raises(UsageError, match=r"NSGA2 is no searcher; give a value .* search.NSGA2\(population=50\)"):
        run(NSGA2, Toy(stages(1)))


def test_a_search_is_checked_before_anything_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    toy = Toy(stages(1))
    search.check(NSGA2(), toy, objectives=BOTH, constraints={"macs": 1e6}, budget=3, seed=1)
    with pytest.raises(UsageError, match="one objective, but 2 were given"):
        search.check(Evolution(), toy, objectives=BOTH)
    with pytest.raises(UsageError, match="reaches macs"):
        search.check(Evolution(), toy, constraints={"macs": 0.0})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RunError, match=r"pip install 'supernet\[search\]'"):
        search.check(NSGA2(), toy)
    assert not toy.asked


def test_defaults_are_the_papers() -> None:
    toy = Toy(stages(4))
    assert {e.generation for e in search.evolution(toy).archive} == set(range(20))  # SPOS: 20 generations of 50
    ageing = search.regularised_evolution(toy, budget=150).archive
    assert [e.generation for e in ageing[:101]] == [0] * 100 + [1]  # Real et al.: 100 first, then one by one


def test_progress_reports_every_evaluation() -> None:
    seen: list[tuple[int, int, str]] = []
    toy = Toy(stages(2))
    front = search.random(toy, objectives=BOTH, budget=30, progress=lambda *told: seen.append(told))
    assert [told[:2] for told in seen] == [(done, 30) for done in range(1, 31)]
    best, least = front.best("accuracy").values["accuracy"], front.best("macs").values["macs"]
    assert seen[-1][2] == f"accuracy {best:.6g}, macs {least:.6g} MAC"
    seen.clear()
    with pytest.raises(RunError):
        search.random(toy, constraints={"size": 0.0}, budget=3, progress=lambda *told: seen.append(told))
    assert seen[-1][2] == "nothing feasible yet"


def test_measured_constraints_that_nothing_meets() -> None:
    toy = Toy(stages(2))
    with pytest.raises(RunError, match=r"None of the 30 evaluated .* size ≤ 0; they have size from"):
        search.random(toy, constraints={"size": 0.0}, budget=30)


@dataclass(init=False, eq=False)
class Again:
    """Asks for the same architecture for ever."""

    name = "again"

    def __init__(self) -> None:
        self.told: list[Mapping[str, float]] = []

    def begin(self, problem: Problem) -> Again:
        self.problem, self.arch = problem, problem.space.wrap(problem.known)[0]
        return self

    def ask(self, n: int) -> list[Arch]:
        return [self.arch]

    def tell(self, archs: Sequence[Arch], values: Sequence[Mapping[str, float]]) -> None:
        self.told += values


def test_a_searcher_that_learns_nothing_new_is_stopped_and_costs_nothing() -> None:
    toy = Toy(stages(2))
    searcher = Again()
    front = run(searcher, toy, objectives="accuracy", budget=10)
    assert (front.stopped, front.evaluations, len(toy.asked)) == ("stalled", 1, 1)
    assert len(searcher.told) == 1001
    assert all(told == front.archive[0].values for told in searcher.told)


class Rude(Again):
    """Asks for what it must not."""

    def __init__(self, space: Space | None = None) -> None:
        super().__init__()
        self.space = space

    def ask(self, n: int) -> list[Arch]:
        return [(self.space or self.problem.space).largest()]


class Greedy(Again):
    def ask(self, n: int) -> list[Arch]:
        return [self.arch] * (n + 1)


def test_searchers_that_break_the_protocol_are_refused() -> None:
    toy = Toy(stages(2))
    with pytest.raises(RunError, match=r"again asked for s0.*infeasible or outside the space"):
        run(Rude(), toy, objectives="accuracy", constraints={"macs": limit(toy, 0.1)}, budget=10)
    part = Toy(stages(2).restrict({"s0.width": [8]}))
    with pytest.raises(RunError, match="infeasible or outside the space"):
        run(Rude(stages(2)), part, objectives="accuracy", budget=10)
    with pytest.raises(RunError, match="asked for 11 architectures when at most 10 fit"):
        run(Greedy(), toy, objectives="accuracy", budget=10)
    assert not toy.asked


class Broken(Toy):
    """Tells something wrong about the fifth architecture."""

    def __init__(self, space: Space, wrong: dict[str, float]) -> None:
        super().__init__(space)
        self.wrong = wrong

    def evaluate(self, arch: Arch, names: Sequence[str]) -> dict[str, float]:
        told = super().evaluate(arch, names)
        return self.wrong if len(self.asked) == 5 else told


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"accuracy": float("nan")}, r"told accuracy = nan for s0.width="),
        ({"accuracy": float("-inf")}, r"told accuracy = -inf for s0"),
        ({"loss": 1.0}, r"asked for 'accuracy' of s0.* but only told \['loss'\]"),
    ],
)
def test_bad_values_stop_the_search_but_keep_the_record(wrong: dict[str, float], message: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=message):
        search.random(Broken(stages(2), wrong), budget=10, out=tmp_path)
    assert len(lines(tmp_path)) == 4
    front = search.random(Toy(stages(2)), budget=10, out=tmp_path, resume=True)
    assert front.evaluations == 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "The seed is -1; give an integer of at least 0"),
        ({"budget": 0}, "The budget is 0 evaluations; give at least 1"),
        (
            {"objectives": "flops"},
            "The quantity 'flops' is not known; there are accuracy, macs, size, az_nas",
        ),
        ({"objectives": "acuracy"}, r"The quantity 'acuracy' is not known; there are .*\. Did you mean accuracy\?"),
        ({"constraints": {"latency_ms": 3}}, "The quantity 'latency_ms' is not known"),
        ({"resume": True}, "give out="),
    ],
)
def test_wrong_requests(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        search.random(Toy(stages(1)), **({"budget": 5} | options))


def test_a_failed_request_leaves_no_record(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="reaches macs"):
        search.random(Toy(stages(1)), constraints={"macs": 0.0}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


SMALL = Evolution(population=8, mutations=4, crossovers=4)


def begun(folder: Path, *, budget: int = 20) -> Path:
    run(SMALL, Toy(stages(2)), seed=3, budget=budget, out=folder)
    return folder / "search.jsonl"


def resumed(folder: Path, toy: Toy | None = None, **options: object) -> Front:
    request = {"searcher": SMALL, "seed": 3, "budget": 20} | options
    return run(subject=toy or Toy(stages(2)), out=folder, resume=True, **request)


def test_an_existing_record_is_not_touched_without_resume(tmp_path: Path) -> None:
    path = begun(tmp_path)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"search.jsonl holds a search already. Continue it"):
        begun(tmp_path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b'{"points": ["mine"]}', b"no JSON", b"\xff"])
@pytest.mark.parametrize(("name", "resume"), [("front.json", False), ("front.json", True), ("search.json", False)])
def test_files_that_no_search_wrote_stay(tmp_path: Path, name: str, resume: bool, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    toy = Toy(stages(2))
    with pytest.raises(UsageError, match=rf"{name} is no file of a search that supernet wrote, so it was not replaced"):
        search.random(toy, budget=5, out=tmp_path, resume=resume)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, content)]
    assert not toy.asked


def test_the_front_of_an_earlier_search_is_replaced(tmp_path: Path) -> None:
    path = begun(tmp_path)
    path.unlink()
    (tmp_path / "search.json").unlink()
    assert search.random(Toy(stages(1)), budget=5, out=tmp_path).searcher == "random"
    assert json.loads((tmp_path / "front.json").read_text())["searcher"] == "random"


def test_resuming_a_finished_search_evaluates_nothing(tmp_path: Path) -> None:
    begun(tmp_path)
    toy = Toy(stages(2))
    front = resumed(tmp_path, toy)
    assert (front.evaluations, toy.asked) == (20, [])


def test_resuming_where_nothing_began_begins(tmp_path: Path) -> None:
    assert resumed(tmp_path / "new").evaluations == 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 4}, r"search.json was begun with seed 3, not 4\. Resume it with the former"),
        ({"searcher": replace(SMALL, mutation_p=0.9)}, "begun with the searcher's mutation_p 0.1, not 0.9"),
        (
            {"searcher": RandomSearch()},
            'searcher "supernet.search..*:Evolution", not "supernet.search',
        ),
        ({"objectives": "size"}, r'begun with objectives \["accuracy"\], not \["size"\]'),
        ({"constraints": {"macs": 300}}, r"begun with the constraint on macs none, not \[null, 300.0\]"),
        ({"initial": [stages(2).smallest()]}, r"begun with initial none, not \[\{"),
        ({"toy": Toy(stages(3))}, "begun with space"),
        ({"budget": 19}, "holds 20 evaluations, more than the budget of 19"),
    ],
)
def test_resuming_with_something_else_is_refused(tmp_path: Path, options: dict[str, object], message: str) -> None:
    path = begun(tmp_path)
    before = path.read_bytes()
    with pytest.raises((RunError, UsageError), match=message):
        resumed(tmp_path, **options)
    assert path.read_bytes() == before


def test_a_record_with_other_rounds_is_refused(tmp_path: Path) -> None:
    path = begun(tmp_path)
    parts = path.read_bytes().splitlines(keepends=True)
    parts[10] = parts[10].replace(b'"generation": 1', b'"generation": 2')
    path.write_bytes(b"".join(parts))
    with pytest.raises(RunError, match=r"line 11 records s0.*the searcher or the evaluator has changed"):
        resumed(tmp_path)


def test_resuming_with_other_costs_is_refused(tmp_path: Path) -> None:
    search.random(Toy(stages(2)), objectives=BOTH, budget=10, out=tmp_path)
    other = Toy(stages(2), seed=1)
    with pytest.raises(RunError, match=r"line 1 records macs = .*, but the evaluator now tells"):
        search.random(other, objectives=BOTH, budget=10, out=tmp_path, resume=True)


def test_a_record_longer_than_the_search_is_refused(tmp_path: Path) -> None:
    toy = Toy(stages(2))
    path = begun(tmp_path)
    costs = np.sort(toy.costs(toy.space.unindex(range(toy.space.size)), "macs"))
    (tmp_path / "search.json").unlink()
    path.unlink()
    few = {"constraints": {"macs": float(costs[2])}}
    resumed(tmp_path, **few)
    with path.open("ab") as file:
        file.write(path.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(RunError, match="but the resumed search ends before it"):
        resumed(tmp_path, **few)


@pytest.mark.parametrize("damage", [b"{}\n", b"rubbish\n", b"[1]\n", b'{"arch": {}, "values": 3}\n'])
def test_a_damaged_line_is_named(tmp_path: Path, damage: bytes) -> None:
    path = begun(tmp_path)
    parts = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*parts[:6], damage, *parts[7:]]))
    with pytest.raises(RunError, match=r"search.jsonl is damaged: line 7"):
        resumed(tmp_path)


SCRIPT = """
import sys, time
from pathlib import Path
from supernet import search
from supernet.search.laws import Toy, stages

class Slow(Toy):
    def evaluate(self, arch, names):
        time.sleep(0.01)
        return super().evaluate(arch, names)

searcher = search.Evolution(population=8, mutations=4, crossovers=4)
search.run(searcher, Slow(stages(2)), budget=60, out=Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_killed_process_is_resumed_bit_for_bit(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path / "killed")], env=dict(os.environ))
    path = tmp_path / "killed" / "search.jsonl"
    deadline = time.monotonic() + 60
    while not (path.exists() and path.read_bytes().count(b"\n") >= 11):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert 11 <= path.read_bytes().count(b"\n") < 60
    run(SMALL, Toy(stages(2)), budget=60, out=tmp_path / "killed", resume=True)
    run(SMALL, Toy(stages(2)), budget=60, out=tmp_path / "whole")
    for name in ("search.json", "search.jsonl", "front.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Up to five choices of up to four options, many of them gated by earlier ones."""
    choices: list[Choice] = []
    for place in range(draw(st.integers(1, 5))):
        options = range(draw(st.integers(1, 4)))
        when = None
        if choices and draw(st.booleans()):
            gate = draw(st.sampled_from(choices))
            when = gate >= draw(st.sampled_from(gate.options))
        choices.append(Choice(f"c{place}", options, when=when))
    return Space(choices)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    space=spaces(),
    seed=st.integers(0, 1000),
    budget=st.integers(1, 40),
    quantiles=st.tuples(st.floats(-0.2, 1.2), st.floats(-0.2, 1.2)),
    searcher=st.sampled_from([RandomSearch(), Evolution(), RegularisedEvolution()]),
)
def test_any_space_and_constraint(
    space: Space,
    seed: int,
    budget: int,
    quantiles: tuple[float, float],
    searcher: Searcher,
) -> None:
    """Against brute force: an error exactly if nothing is feasible, else a correct front within the budget."""
    toy = Toy(space, seed)
    everything = space.unindex(range(space.size))
    costs = toy.costs(everything, "macs")
    low, high = sorted(float(costs.min() + q * (costs.max() - costs.min())) for q in quantiles)
    feasible = {arch for arch, cost in zip(space.wrap(everything), costs, strict=True) if low <= cost <= high}
    objectives = BOTH if searcher == RandomSearch() else ("accuracy",)

    def search_now() -> Front:
        return run(searcher, toy, objectives=objectives, constraints={"macs": (low, high)}, budget=budget, seed=seed)

    if not feasible:
        with pytest.raises(UsageError, match="No architecture of the space with"):
            search_now()
        assert not toy.asked
        return
    front = search_now()
    assert front.feasible_share == len(feasible) / space.size
    assert len(toy.asked) == len(set(toy.asked)) == front.evaluations <= budget
    assert set(toy.asked) <= feasible
    assert front.evaluations == min(budget, len(feasible)) or front.stopped == "stalled"
    assert (front.stopped == "budget") == (front.evaluations == budget)
    codes = space.codes([evaluation.arch for evaluation in front.archive])
    columns = [-toy.accuracy(codes), toy.costs(codes, "macs")][: len(objectives)]
    best = nondominated(np.stack(columns, axis=1))
    assert {point.arch for point in front.points} == set(space.wrap(codes[best]))
