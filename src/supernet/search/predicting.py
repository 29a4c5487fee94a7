"""Any searcher on predictions: measure some, learn, search what is learned, measure what looks best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.io.section import Count, Positive, Section
from supernet.measure.predictors._held_out import FOLDS, HeldOut, held_out
from supernet.measure.predictors._protocol import Fitted, Predictor
from supernet.search import pareto
from supernet.search.evaluation import Evaluation, best_of
from supernet.search.problem import Problem, Rounds, Searcher
from supernet.search.sampler import Code, distinct, population, sampler_of
from supernet.space import Arch, Codes

__all__ = ["WithPredictor"]

_CHUNK = 2**16
_SEARCHED = 10  # one in so many predictions is for an architecture that the searcher asks for
_IDLE_ROUNDS = 100


@dataclass(frozen=True, kw_only=True)
class WithPredictor(Section, place="predictor.", without=("searcher", "predictor")):
    """A searcher that asks a predictor in place of the supernet; what it picks is measured.

    `measured` random architectures are evaluated. Then, until the budget is used up: a predictor of each quantity that
    is not cheap is fitted to all that was measured; `queries` architectures are predicted, nine in ten drawn at random
    and vectorised, the rest asked for by the searcher, which begins with the best of those; the
    `picks` best that have not been measured are. This is how OFA ([arXiv 1908.09791](https://arxiv.org/abs/1908.09791),
    section 3.4) searches with one round, and NAT ([arXiv 2005.05859](https://arxiv.org/abs/2005.05859)) with several.

    The archive and the front hold measured values only. Beside those of a pick stands what was predicted of it, and the
    front says how good predictions were: of architectures held out of the fit, by five folds, and of the picks.

    Args:
        searcher: What searches the predictions.
        predictor: What is fitted, to each quantity apart.
        measured: Number of architectures, drawn at random, that are measured before the first fit; 0 is for a predictor
            that has learned elsewhere.
        queries: Number of architectures that are predicted between two fits.
        picks: Number of architectures that are measured between two fits.

    Raises:
        UsageError: a number outside its range, or no searcher or predictor.
    """

    searcher: Searcher
    predictor: Predictor
    measured: Count = 200
    queries: Positive = 100_000
    picks: Positive = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.searcher, Searcher) or isinstance(self.searcher, WithPredictor):
            raise UsageError(f"{_named(self.searcher)} cannot search predictions; give a value such as NSGA2().")
        if not isinstance(self.predictor, Predictor) or isinstance(self.predictor, type):
            raise UsageError(f"{_named(self.predictor)} is no predictor; give a value such as measure.MLP().")

    @property
    def name(self) -> str:
        """Of both, such as `nsga2 with MLP`."""
        return f"{self.searcher.name} with {_named(self.predictor)}"

    def begin(self, problem: Problem) -> _Learning:
        """Start a search, see `Searcher`.

        Raises:
            UsageError: the searcher refuses the problem, nothing is left to predict, or values go stale.
        """
        return _Learning(self, problem)


class _Learning:
    """The rounds of one search; a `Predicting`."""

    def __init__(self, settings: WithPredictor, problem: Problem) -> None:
        if problem.keep is not None:
            raise UsageError(
                "A predictor learns values that hold for good, but supernet shifting changes the weights, and so the "
                "values, while it searches. Use one of them."
            )
        names = dict.fromkeys([*(goal.name for goal in problem.objectives), *problem.constraints.names])
        self.dear = [name for name in names if name not in problem.costs]
        self.cheap = [name for name in names if name in problem.costs]
        if not self.dear:
            raise UsageError(
                f"The search asks for {', '.join(names)}, which cost nothing to know exactly: there is nothing to "
                "predict. Leave the predictor out."
            )
        settings.searcher.begin(problem)  # lest it refuse the problem after the measurements
        self.settings, self.problem = settings, problem
        self._sampler = sampler_of(problem, np.random.default_rng(problem.seed))
        self._rounds = Rounds(self._propose)
        self._known: dict[Arch, Mapping[str, float]] = {}
        self._asked: set[Code] = set()
        self._predicted: dict[Arch, dict[str, float]] = {}
        self._told: list[dict[str, Any]] = []
        self._exhausted = False

    def ask(self, n: int) -> list[Arch]:
        return self._rounds.ask(n)

    def tell(self, archs: Sequence[Arch], values: Sequence[Mapping[str, float]]) -> None:
        self._known.update(zip(archs, values, strict=True))

    def predicted(self, arch: Arch) -> Mapping[str, float] | None:
        """See `Predicting`."""
        return self._predicted.get(arch)

    def findings(self) -> dict[str, Any]:
        """See `Predicting`: the rounds, and the picks beside what was measured of them."""
        picked = [arch for arch in self._predicted if arch in self._known]
        random = [arch for arch in self._known if arch not in self._predicted]
        picks = {}
        for name in self.dear if len(picked) > 1 else ():
            told = np.asarray([self._predicted[arch][name] for arch in picked])
            known = np.asarray([self._known[arch][name] for arch in picked])
            mean = np.mean([self._known[arch][name] for arch in random]) if random else np.mean(known)
            picks[name] = HeldOut.of(told, known, float(mean)).to_json()
        return {
            "predictor": _named(self.settings.predictor),
            "random": len(random),
            "picked": len(picked),
            "rounds": self._told,
            "picks": picks,
        }

    # -- rounds ---------------------------------------------------------------------------------------------------

    def _propose(self) -> list[Arch]:
        first = not self._asked
        if first and self.settings.measured:
            initial = 0 if self.problem.initial is None else len(self.problem.initial)
            wanted = max(self.settings.measured, initial)
            drawn = self._draw(wanted)
            self._exhausted = len(drawn) < wanted
            return drawn
        if self._exhausted:
            return []
        found = self._picked()
        for arch in found:
            self._asked.add(arch.code)
        return found or self._draw(self.settings.picks)

    def _draw(self, n: int) -> list[Arch]:
        """Up to n new architectures at random."""
        drawn = distinct(self._sampler.draw(n, self._asked))
        self._asked.update(drawn)
        return self.problem.space.wrap(population(self.problem.space, drawn))

    def _picked(self) -> list[Arch]:
        """The best predicted that have not been asked for."""
        models = self._fitted()
        ask = Predictions(self.problem, models, self.dear, self.cheap)
        number = len(self._told)
        rng = np.random.default_rng([self.problem.seed, 2, number])
        searched = max(1, self.settings.queries // _SEARCHED)
        begin = self._best_of_many(ask, self.settings.queries - searched, rng)
        known = [Evaluation(arch, values, 0) for arch, values in self._known.items()]
        good = best_of(known, self.settings.picks, self.problem.objectives, self.problem.constraints)
        first = distinct(np.concatenate([begin, self.problem.space.codes([one.arch for one in good])]))
        first = [code for code, ok in zip(first, self._allowed(first), strict=True) if ok]
        inner = replace(
            self.problem,
            seed=self.problem.seed + number + 1,
            initial=population(self.problem.space, first) if first else None,
        )
        candidates = search_predictions(self.settings.searcher, inner, ask, searched)
        fresh = [one for one in candidates if one.arch.code not in self._asked]
        best = best_of(fresh, self.settings.picks, self.problem.objectives, self.problem.constraints)
        for one in best:
            self._predicted[one.arch] = {name: one.values[name] for name in self.dear}
        self._told[-1]["queries"] = ask.count
        return [one.arch for one in best]

    def _allowed(self, codes: list[Code]) -> NDArray[np.bool_]:
        return self.problem.feasible(population(self.problem.space, codes))

    def _fitted(self) -> dict[str, Fitted]:
        space, seed = self.problem.space, self.problem.seed
        codes = space.codes(list(self._known))
        models: dict[str, Fitted] = {}
        told: dict[str, Any] = {}
        for name in self.dear:
            values = np.asarray([known[name] for known in self._known.values()], dtype=np.float64)
            models[name] = self.settings.predictor.fit(space, codes, values, seed=seed)
            if len(codes) >= 2 * FOLDS:
                found = held_out(self.settings.predictor, space, codes, values, seed=seed)
                told[name] = found.to_json() | {"params": models[name].params}
        self._told.append({"fitted_to": len(codes), "held_out": told})
        return models

    def _best_of_many(self, ask: Predictions, n: int, rng: np.random.Generator) -> Codes:
        """The best (≤ picks, D) of n random draws as predicted, without architectures as objects."""
        best = population(self.problem.space, [])
        for start in range(0, n, _CHUNK):
            drawn = self.problem.space.population(rng, min(_CHUNK, n - start))
            drawn = np.unique(np.concatenate([best, drawn[self.problem.feasible(drawn)]]), axis=0)
            losses, violations = ask.ranks(drawn)
            best = drawn[pareto.best_rows(losses, violations, self.settings.picks)]
        return best


class Predictions:
    """The values of populations as predicted, or exactly where they are cheap; counts what it was asked."""

    def __init__(self, problem: Problem, models: Mapping[str, Fitted], dear: list[str], cheap: list[str]) -> None:
        self.problem, self.models, self.dear, self.cheap = problem, models, dear, cheap
        self.count = 0

    def columns(self, codes: Codes) -> dict[str, NDArray[np.float64]]:
        """Values (N,) by name."""
        self.count += len(codes)
        told = {name: self.models[name].predict(codes).mean for name in self.dear}
        return told | {name: np.asarray(self.problem.costs[name](codes), dtype=np.float64) for name in self.cheap}

    def ranks(self, codes: Codes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Losses (N, M) of the objectives, and violations (N,) of the constraints."""
        columns = self.columns(codes)
        signs = [-1.0 if goal.goal == "max" else 1.0 for goal in self.problem.objectives]
        goals = [sign * columns[goal.name] for sign, goal in zip(signs, self.problem.objectives, strict=True)]
        return np.stack(goals, axis=1), self.problem.constraints.violations(columns, len(codes))

    def evaluations(self, archs: Sequence[Arch]) -> list[Evaluation]:
        """The same of architectures."""
        columns = self.columns(self.problem.space.codes(archs))
        names = list(columns)
        rows = np.stack([columns[name] for name in names], axis=1).tolist()
        return [Evaluation(arch, dict(zip(names, row, strict=True)), 0) for arch, row in zip(archs, rows, strict=True)]


def search_predictions(searcher: Searcher, problem: Problem, ask: Predictions, queries: int) -> list[Evaluation]:
    """What a searcher asks for, at most so many different architectures, as predicted."""
    begun = searcher.begin(problem)
    known: dict[Arch, Evaluation] = {}
    idle = 0
    while len(known) < queries and idle < _IDLE_ROUNDS:
        archs = begun.ask(queries - len(known))
        if not archs:
            break
        new = [arch for arch in dict.fromkeys(archs) if arch not in known]
        known.update((one.arch, one) for one in (ask.evaluations(new) if new else ()))
        begun.tell(archs, [known[arch].values for arch in archs])
        idle = 0 if new else idle + 1
    return list(known.values())


def _named(value: object) -> str:
    return value.__name__ if isinstance(value, type) else type(value).__name__


def told(findings: Mapping[str, Any] | None) -> tuple[str, ...]:
    """How good predictions were, for people; `findings` are those of a front, None says nothing."""
    if findings is None:
        return ()
    sentences = []
    for number, one in enumerate(findings["rounds"], start=1):
        for name, held in one["held_out"].items():
            sentences.append(
                f"round {number}: {findings['predictor']} of {name}, {held['params']:,} numbers fitted to "
                f"{one['fitted_to']} architectures measured; held out in five folds: {_errors(held)}"
            )
        sentences.append(f"round {number}: {one.get('queries', 0):,} architectures predicted")
    for name, held in findings["picks"].items():
        sentences.append(f"{held['n']} picks predicted and then measured, {name}: {_errors(held)}")
    return tuple(sentences)


def _errors(held: Mapping[str, Any]) -> str:
    return str(HeldOut(held["n"], held["tau"], held["rmse"], held["rmse_of_mean"]))
