"""Every searcher under the laws, and what tells them apart."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from supernet import catalog, settings
from supernet.errors import RunError, UsageError
from supernet.quantity import ACCURACY
from supernet.search import (
    NSGA2,
    NSGA3,
    PBIL,
    AskTell,
    CoarseToFine,
    Constraints,
    Evolution,
    HATEvolution,
    OFAEvolution,
    ParetoBins,
    PolicyGradient,
    Problem,
    RandomSearch,
    RegularisedEvolution,
    Searcher,
    UCBTree,
    run,
)
from supernet.search.archive import described
from supernet.search.laws import LearningLaws, SearcherLaws, Toy, limit, stages
from supernet.search.pareto import nondominated
from supernet.space import Arch, Choice, Space


class TestRandomSearch(SearcherLaws):
    searcher = RandomSearch(batch=9)


class TestEvolution(SearcherLaws, LearningLaws):
    searcher = Evolution(population=10, parents=5, mutations=5, crossovers=5)


class TestRegularisedEvolution(SearcherLaws, LearningLaws):
    searcher = RegularisedEvolution(population=12, sample=4)


class TestEvolutionOfParts(SearcherLaws):
    searcher = Evolution(population=10, parents=5, mutation_p=0.2, global_p=0.4)


class TestOFAEvolution(SearcherLaws, LearningLaws):
    searcher = OFAEvolution(population=12)


class TestHATEvolution(SearcherLaws, LearningLaws):
    searcher = HATEvolution(parents=4, mutations=6, crossovers=6, iterations=100)


class TestCoarseToFine(SearcherLaws, LearningLaws):
    searcher = CoarseToFine(coarse=12, children=2)


class TestParetoBins(SearcherLaws):
    searcher = ParetoBins(population=10, mutations=5, crossovers=5)
    objectives = ("accuracy", "macs")


class TestPolicyGradient(SearcherLaws, LearningLaws):
    searcher = PolicyGradient(lr=0.2, batch=2)

    @pytest.mark.slow  # it draws what it knows until its attempts are used up
    def test_ends_early_when_three_architectures_are_feasible(self) -> None:
        super().test_ends_early_when_three_architectures_are_feasible()


class TestUCBTree(SearcherLaws, LearningLaws):
    searcher = UCBTree(first=20, selects=4, heights=(40,))

    @pytest.mark.slow  # a tree of classifiers for every four architectures
    def test_same_seed_same_record(self, tmp_path: Path) -> None:
        super().test_same_seed_same_record(tmp_path)

    @pytest.mark.slow
    def test_beats_random_search_at_equal_budget(self) -> None:
        super().test_beats_random_search_at_equal_budget()

    @pytest.mark.slow
    def test_measured_constraints_hold_in_the_front(self) -> None:
        super().test_measured_constraints_hold_in_the_front()


class TestPBIL(SearcherLaws, LearningLaws):
    searcher = PBIL(population=10, parents=4)


class TestNSGA3(SearcherLaws):
    searcher = NSGA3(partitions=8)
    objectives = ("accuracy", "macs")


class TestNSGA2(SearcherLaws):
    searcher = NSGA2(population=10)
    objectives = ("accuracy", "macs")


class TestNSGA2OneObjective(LearningLaws):
    searcher = NSGA2(population=10)


def wide_problem(seed: int = 0, *, seeds: int = 2) -> Problem:
    """Forty choices of ten options: random architectures differ almost everywhere."""
    space = Space([Choice(f"c{place}", range(10)) for place in range(40)])
    known = space.population(np.random.default_rng(99), seeds)
    return Problem(space, (ACCURACY,), seed, lambda codes: np.ones(len(codes), dtype=bool), Constraints(), known)


def changes(child: tuple[int, ...], parent: tuple[int, ...]) -> int:
    return sum(a != b for a, b in zip(child, parent, strict=True))


def told(scores: list[float]) -> list[dict[str, float]]:
    return [{"accuracy": score} for score in scores]


def born_by(child: Arch, parents: list[Arch]) -> str:
    """How a child of unrelated parents was made, judged by its genes alone."""
    distance = min(changes(child.code, parent.code) for parent in parents)
    if distance <= 5:
        return "mutation"
    for a, b in itertools.combinations(parents, 2):
        if all(gene in pair for gene, *pair in zip(child.code, a.code, b.code, strict=True)):
            return "crossover"
    return "mutation" if distance <= 14 else "random"


def generation_after(searcher: AskTell, scores: list[list[float]]) -> tuple[list[list[Arch]], list[Arch]]:
    asked = []
    for row in scores:
        asked.append(searcher.ask(1000))
        searcher.tell(asked[-1], told(row))
    return asked, searcher.ask(1000)


def test_evolution_makes_25_mutants_and_25_crossovers_of_the_ten_best() -> None:
    (first,), second = generation_after(Evolution().begin(wide_problem()), [list(range(50))])
    assert len(first) == len(second) == 50
    assert Counter(born_by(child, first[-10:]) for child in second) == {"mutation": 25, "crossover": 25}


def test_evolution_fills_up_at_random() -> None:
    (first,), second = generation_after(Evolution(mutations=20, crossovers=5).begin(wide_problem()), [list(range(50))])
    assert Counter(born_by(child, first[-10:]) for child in second) == {"mutation": 20, "crossover": 5, "random": 25}


def test_evolution_mutates_each_decision_with_probability_one_tenth() -> None:
    total, mutants = 0, 0
    for seed in range(10):
        searcher = Evolution(mutations=50, crossovers=0).begin(wide_problem(seed))
        (first,), second = generation_after(searcher, [list(range(50))])
        total += sum(min(changes(child.code, parent.code) for parent in first[-10:]) for child in second)
        mutants += len(second)
    # 40 decisions, resampled with p = 0.1, of which 9 in 10 change; mutants without a change (2 %) are refused.
    assert mutants == 500
    assert total / mutants == pytest.approx(40 * 0.1 * 0.9 / (1 - 0.91**40), abs=0.3)


def test_evolution_keeps_the_best_of_all_time_as_parents() -> None:
    (first, _), third = generation_after(Evolution().begin(wide_problem()), [list(range(50)), [-1.0] * 50])
    assert Counter(born_by(child, first[-10:]) for child in third) == {"mutation": 25, "crossover": 25}


def test_regularised_evolution_drops_the_oldest_not_the_worst() -> None:
    searcher = RegularisedEvolution(population=5, sample=100).begin(wide_problem())  # a sample of 100 meets all five
    first = searcher.ask(5)
    searcher.tell(first, told([1.0, 0.5, 0.5, 0.5, 0.5]))
    distances = []
    for _ in range(6):
        (child,) = searcher.ask(10)
        distances.append(changes(child.code, first[0].code))
        searcher.tell([child], told([0.0]))
    # The best is the oldest: after its first child it is gone, though it is still the best. The next oldest serve
    # next, and when all of them are gone, children of children.
    assert distances[0] == 1
    assert min(distances[1:]) > 20


def test_regularised_evolution_takes_the_best_of_its_sample() -> None:
    searcher = RegularisedEvolution(population=5, sample=100).begin(wide_problem())
    first = searcher.ask(5)
    searcher.tell(first, told([0.1, 0.2, 0.3, 0.9, 0.4]))
    for _ in range(4):
        (child,) = searcher.ask(10)
        assert changes(child.code, first[3].code) == 1
        searcher.tell([child], told([0.0]))
    (child,) = searcher.ask(10)
    assert changes(child.code, first[4].code) == 1


def test_regularised_evolution_can_ask_for_children_in_parallel() -> None:
    searcher = RegularisedEvolution(population=5, sample=100, children=7).begin(wide_problem())
    first = searcher.ask(5)
    assert searcher.ask(5) == []
    searcher.tell(first, told([0.1, 0.2, 0.3, 0.9, 0.4]))
    children = searcher.ask(4) + searcher.ask(4)
    assert len(children) == 7
    assert all(changes(child.code, first[3].code) == 1 for child in children)


@pytest.mark.parametrize("searcher", [Evolution(), RegularisedEvolution(), NSGA2()])
def test_searchers_keep_off_what_violates_a_measured_constraint(searcher: Searcher) -> None:
    """The best accuracies are infeasible; a searcher that ignored that would breed from them."""
    shares = []
    for constrained in (False, True):
        toy = Toy(stages(3))
        high = limit(toy, 0.1)
        limits = {"size": high} if constrained else {}
        front = run(searcher, toy, objectives="accuracy", constraints=limits, budget=200)
        late = toy.space.codes([evaluation.arch for evaluation in front.archive[130:]])
        shares.append(float((toy.costs(late, "macs") <= high).mean()))
    assert shares[0] < 0.2
    assert shares[1] > 0.4


@pytest.mark.parametrize("searcher", [Evolution(), RegularisedEvolution()])
def test_one_objective_searchers_refuse_several(searcher: Searcher) -> None:
    with pytest.raises(UsageError, match=r"one objective, but 2 were given \(accuracy, macs\)\. Use nsga2"):
        run(searcher, Toy(stages(1)), objectives=("accuracy", "macs"), budget=5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Evolution(mutations=40), "40 mutants and 25 crossover children"),
        (lambda: Evolution(parents=0), "evolution.parents is 0; it must be a whole number of at least 1"),
        (lambda: Evolution(mutation_p=1.5), "evolution.mutation_p is 1.5; it must be a number of at most 1"),
        (lambda: RegularisedEvolution(sample=0), "regularised_evolution.sample is 0; .* of at least 1"),
        (lambda: RandomSearch(batch=0), "random.batch is 0; .* of at least 1"),
        (lambda: NSGA2(population=0), "nsga2.population is 0; .* of at least 1"),
        (lambda: NSGA2(mutation_p=-1), "nsga2.mutation_p is -1; .* of at least 0"),
    ],
)
def test_hyperparameters_are_checked(build: Callable[[], Searcher], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, "many"])
@pytest.mark.parametrize("entry", catalog.own("searchers"), ids=lambda entry: entry.name)
def test_no_setting_takes_what_is_no_number(entry: catalog.Entry, value: object) -> None:
    for field in fields(entry.load()):
        with pytest.raises(UsageError, match=rf"{entry.name}\.{field.name} is "):
            entry.load()(**{field.name: value})


@pytest.mark.parametrize(("population", "mutations", "crossovers"), [(50, 25, 25), (30, 15, 15), (7, 4, 3), (1, 1, 0)])
def test_children_of_evolution_follow_its_population(population: int, mutations: int, crossovers: int) -> None:
    searcher = settings.build("searchers", "evolution", settings.parse([f"population={population}"]))
    assert (searcher.mutations, searcher.crossovers) == (mutations, crossovers)
    told = described(searcher)
    assert (told["population"], told["mutations"], told["crossovers"]) == (population, mutations, crossovers)
    assert Evolution(population=population + 1, mutations=1).crossovers == (population + 1) // 2


def true_front(toy: Toy, allowed: Callable[[np.ndarray], np.ndarray]) -> set[Arch]:
    codes = toy.space.unindex(range(toy.space.size))
    codes = codes[allowed(codes)]
    keep = nondominated(np.stack([-toy.accuracy(codes), toy.costs(codes, "macs")], axis=1))
    return set(toy.space.wrap(codes[keep]))


def test_nsga2_finds_the_true_front_far_better_than_chance() -> None:
    """46,656 architectures, 800 evaluations; the truth comes from evaluating all of them."""
    found = {}
    for name, searcher in (("nsga2", NSGA2()), ("random", RandomSearch())):
        shares = []
        for seed in range(2):
            toy = Toy(stages(3), seed)
            truth = true_front(toy, lambda codes: np.ones(len(codes), dtype=bool))
            front = run(searcher, toy, objectives=("accuracy", "macs"), budget=800, seed=seed)
            shares.append(len(truth & {point.arch for point in front.points}) / len(truth))
        found[name] = np.mean(shares)
    assert found["nsga2"] > 0.6
    assert found["random"] < 0.2


def test_nsga2_finds_the_true_constrained_front() -> None:
    """1,296 architectures, once with a cheap and once with a measured constraint."""
    for name in ("macs", "size"):
        toy = Toy(stages(2), 3)
        high = limit(toy, 0.4)
        truth = true_front(toy, lambda codes, toy=toy, high=high: toy.costs(codes, "macs") <= high)
        front = run(NSGA2(), toy, objectives=("accuracy", "macs"), constraints={name: high}, budget=400)
        assert len(truth & {point.arch for point in front.points}) >= 0.75 * len(truth)


def test_nsga2_does_not_depend_on_the_global_generator() -> None:
    fronts = []
    for state in (1, 2):
        np.random.seed(state)  # noqa: NPY002 - the global generator is what must not matter
        fronts.append(run(NSGA2(), Toy(stages(2)), objectives=("accuracy", "macs"), budget=200).archive)
    assert fronts[0] == fronts[1]


def test_nsga2_waits_for_its_generation() -> None:
    searcher = NSGA2(population=6).begin(wide_problem())
    with pytest.raises(UsageError, match="call ask before tell"):
        searcher.tell([], [])
    first = searcher.ask(4) + searcher.ask(4)
    assert len(first) == 6
    searcher.tell(first[:3], told([1.0, 2.0, 3.0]))
    assert searcher.ask(4) == []
    searcher.tell(first[3:], told([1.0, 2.0, 3.0]))
    assert len(searcher.ask(4)) == 4


def test_nsga2_without_pymoo_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RunError, match=r"pip install 'supernet\[search\]'"):
        NSGA2().begin(wide_problem())


@pytest.mark.parametrize("searcher", [RandomSearch(), Evolution(), RegularisedEvolution(), NSGA2()])
def test_a_space_of_one_architecture(searcher: Searcher) -> None:
    front = run(searcher, Toy(Space([Choice("only", (1,))])), objectives="accuracy", budget=10)
    assert (front.evaluations, len(front.points)) == (1, 1)


@pytest.mark.parametrize("searcher", [RandomSearch(), Evolution(), RegularisedEvolution(), NSGA2()])
def test_searchers_stay_in_a_restricted_space(searcher: Searcher) -> None:
    whole = stages(2)
    toy = Toy(whole.restrict({"s0.width": [16], "s1.depth": [1], "s0.kernel1": [3, 7]}))
    front = run(searcher, toy, objectives="accuracy", budget=60)
    assert front.evaluations == 60
    assert all(evaluation.arch in toy.space for evaluation in front.archive)
