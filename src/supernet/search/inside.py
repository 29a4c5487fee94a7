"""A search inside a training: what the supernet is trained for next follows from an archive (NAT)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.measure import Calibration, NetEvaluator, Predictor
from supernet.measure.predictors.rbf import RBF
from supernet.quantity import SCORE, Quantity, objectives_of
from supernet.search import pareto
from supernet.search.constraints import Constraints
from supernet.search.evaluation import Evaluation, best_of, losses_of
from supernet.search.predicting import Predictions, search_predictions
from supernet.search.problem import Problem, Searcher
from supernet.search.sampler import distinct, sampler_of
from supernet.search.searchers.evolution import Evolution
from supernet.search.searchers.nsga2 import NSGA2
from supernet.search.searchers.nsga3 import NSGA3
from supernet.search.survival import partitions, survivors
from supernet.space import Codes, Space
from supernet.train.context import Context
from supernet.train.samplers.architecture_archive import ArchitectureArchive, Code, population
from supernet.train.samplers.candidate_pool import CandidatePool

__all__ = ["MeasureArchive", "SearchForArchive"]

_MEASURED_ALONE = ("latency_ms", "activations_mb", "memory_mb")


@dataclass(frozen=True, kw_only=True)
class MeasureArchive:
    """Measures every architecture of the archive with the present weights, and says which of them are kept.

    Scores are those of the validation images with calibrated BatchNorm; costs are exact. Kept are those that survive
    selection as in NSGA-II, or as in NSGA-III where there are three objectives or more. The non-dominated ones become
    the candidate pool of the training (`load_candidates`, `search.pool`), rated by the first objective.

    Args:
        objectives: Names of what is optimised: scores of the task, of which `score` is what it compares subnets by, and
            `macs`, `params` and `weights_mb`.
        keep: The largest number of architectures to train for.
        images: Number of validation images to measure on; None: all of them.
        calibration: How BatchNorm statistics are recomputed for each architecture.

    Raises:
        UsageError: no objective, one twice, or one that this search cannot take.
    """

    objectives: tuple[str, ...] = (SCORE, "macs")
    keep: int = 150
    images: int | None = None
    calibration: Calibration = field(default_factory=Calibration)

    def __post_init__(self) -> None:
        object.__setattr__(self, "objectives", tuple(self.objectives))
        if not self.objectives or len(set(self.objectives)) < len(self.objectives):
            raise UsageError(f"The objectives of the archive are {self.objectives}; give at least one, and each once.")
        for name in set(self.objectives) & set(_MEASURED_ALONE):
            raise UsageError(
                f"The objective {name!r} cannot steer a training: it is not known for whole populations, or differs at "
                "every measurement. Give scores of the task, or macs, params and weights_mb; search for it afterwards."
            )
        for what, value in (("kept", self.keep), ("validation images", self.images)):
            if value is not None and value < 1:
                raise UsageError(f"The number of {what} of the archive is {value}; give at least 1.")

    def __call__(self, context: Context) -> None:
        """Measure anew what the archive holds."""
        evaluator, codes = self.evaluator(context), ArchitectureArchive(context.memory).codes()
        self.write(context, evaluator, codes, self.measured(context, evaluator, codes))

    def evaluator(self, context: Context) -> NetEvaluator:
        """What tells scores and costs of the present weights."""
        return NetEvaluator(context.net, context.executor.feed.data, calibration=self.calibration, images=self.images)

    def quantities(self, evaluator: NetEvaluator) -> tuple[Quantity, ...]:
        """The objectives.

        Raises:
            UsageError: there is none of a name.
        """
        names = [evaluator.ranking.name if name == SCORE else name for name in self.objectives]
        return objectives_of(names, evaluator.quantities)

    def measured(self, context: Context, evaluator: NetEvaluator, codes: Sequence[Code]) -> list[dict[str, float]]:
        """The objectives of architectures, by name; forwards are counted as those of any other pass."""
        names = [goal.name for goal in self.quantities(evaluator)]
        data, images = context.executor.feed.data, self.images
        validation = len(data.validation) if images is None else min(len(data.validation), images)
        calibrated = min(len(data.train), self.calibration.images)
        context.executor.passed["forward"] += len(codes) * (validation + calibrated)
        return [
            evaluator.evaluate(arch, names) for arch in context.net.space.wrap(population(context.net.space, codes))
        ]

    def write(
        self, context: Context, evaluator: NetEvaluator, codes: Sequence[Code], values: Sequence[Mapping[str, float]]
    ) -> None:
        """Make these architectures with their values the archive."""
        archs = context.net.space.wrap(population(context.net.space, codes))
        found = [Evaluation(arch, told, 0) for arch, told in zip(archs, values, strict=True)]
        losses = losses_of(found, self.quantities(evaluator))
        with context.step.seeded("survivors") as rng:
            kept = survivors(losses, self.keep, rng)
        ArchitectureArchive(context.memory).write(codes, values, keep=kept)
        front = np.flatnonzero(pareto.nondominated(losses)).tolist()
        context.memory.pop("pool", None)  # its ratings are stale
        pool = CandidatePool(context.memory, len(front))
        pool.push(
            [codes[place] for place in front], [float(losses[place, 0]) for place in front], step=context.step.done
        )


@dataclass(frozen=True, kw_only=True)
class SearchForArchive:
    """One round of NAT: the archive is measured, a predictor is fitted to it, searched, and the best are added.

    [arXiv 2005.05859](https://arxiv.org/abs/2005.05859), §3.2 and §3.3. The first archive are `initial` architectures,
    two of which are the smallest and the largest, the others drawn at random. Each score is predicted, and `queries`
    predictions are searched beside the costs; of the best that were not measured `picks` are added, so that gaps
    between the costs of the front are filled.

    Args:
        measure: How the archive is measured and what of it is kept.
        initial: Number of architectures of the first archive.
        picks: Number of architectures that a round adds.
        predictor: What is fitted, to each score apart.
        searcher: What searches the predictions; None: `NSGA2` with so many members for two objectives, `NSGA3` for
            more, `Evolution` for one.
        members: The members of the population of the searcher, and the predicted architectures that picks are taken of.
        queries: Number of architectures that are predicted in a round.

    Raises:
        UsageError: a number outside its range, or no searcher or predictor.
    """

    measure: MeasureArchive = field(default_factory=MeasureArchive)
    initial: int = 100
    picks: int = 8
    predictor: Predictor = field(default_factory=RBF)
    searcher: Searcher | None = None
    members: int = 100
    queries: int = 2000

    def __post_init__(self) -> None:
        for name, least in (("initial", 2), ("picks", 1), ("members", 4), ("queries", 1)):
            if getattr(self, name) < least:
                raise UsageError(
                    f"{name} of the search for the archive is {getattr(self, name)}; give {least} or more."
                )
        if not isinstance(self.predictor, Predictor) or isinstance(self.predictor, type):
            raise UsageError(f"{self.predictor!r} is no predictor; give a value such as measure.RBF().")
        if self.searcher is not None and (not isinstance(self.searcher, Searcher) or isinstance(self.searcher, type)):
            raise UsageError(f"{self.searcher!r} is no searcher; give a value such as search.NSGA3().")

    def __call__(self, context: Context) -> None:
        """Measure the archive, and add to it."""
        measure, evaluator, archive = self.measure, self.measure.evaluator(context), ArchitectureArchive(context.memory)
        with context.step.seeded("archive") as rng:
            seed = int(rng.integers(2**31))
            old = archive.codes() or self._first(context.step.space, rng)
        values = measure.measured(context, evaluator, old)
        new = self._picked(context, evaluator, old, values, seed)
        measure.write(context, evaluator, [*old, *new], [*values, *measure.measured(context, evaluator, new)])

    def _first(self, space: Space, rng: np.random.Generator) -> list[Code]:
        """The smallest, the largest, and different ones at random."""
        ends = [space.smallest(), space.largest()]
        problem = Problem(space, (), 0, _any, Constraints.of(None, {}), space.codes(ends), initial=space.codes(ends))
        return distinct(sampler_of(problem, rng).draw(self.initial))

    def _picked(
        self,
        context: Context,
        evaluator: NetEvaluator,
        old: Sequence[Code],
        values: Sequence[Mapping[str, float]],
        seed: int,
    ) -> list[Code]:
        """New architectures, the best as predicted."""
        space, goals = context.step.space, self.measure.quantities(evaluator)
        codes = population(space, old)
        archs = context.net.space.wrap(codes)
        known = [Evaluation(arch, told, 0) for arch, told in zip(archs, values, strict=True)]
        dear = [goal.name for goal in goals if goal.name not in evaluator.cheap]
        cheap = [goal.name for goal in goals if goal.name in evaluator.cheap]
        models = {
            name: self.predictor.fit(space, codes, np.asarray([one.values[name] for one in known]), seed=seed)
            for name in dear
        }
        limits = Constraints.of(None, evaluator.quantities)
        good = population(space, [one.arch.code for one in best_of(known, self.members, goals, limits)])
        good = good[space.contains(good)]
        problem = Problem(
            space,
            goals,
            seed,
            _any,
            limits,
            space.codes([space.smallest(), space.largest()]),
            initial=good if len(good) else None,
            costs={name: partial(evaluator.costs, name=name) for name in sorted(evaluator.cheap)},
        )
        ask = Predictions(problem, models, dear, cheap)
        found = search_predictions(self._searcher(len(goals)), problem, ask, self.queries)
        measured = set(old)
        fresh = best_of([one for one in found if one.arch.code not in measured], self.members, goals, limits)
        front = [one for one, on in zip(known, pareto.nondominated(losses_of(known, goals)), strict=True) if on]
        columns = [[one.values[name] for name in cheap] for one in (*front, *fresh)]
        told = np.asarray(columns, dtype=np.float64).reshape(len(columns), len(cheap))
        places = fill_gaps(told[: len(front)], told[len(front) :], self.picks)
        return [fresh[place].arch.code for place in places]

    def _searcher(self, objectives: int) -> Searcher:
        if self.searcher is not None:
            return self.searcher
        if objectives == 1:
            return Evolution(population=self.members, parents=self.members // 2)
        if objectives == 2:
            return NSGA2(population=self.members)
        return NSGA3(population=self.members, partitions=partitions(objectives, self.members))


def fill_gaps(known: NDArray[np.float64], candidates: NDArray[np.float64], n: int) -> list[int]:
    """Places of `n` candidates (C, M), one after another, that space the values of known (N, M) most evenly.

    How uneven M columns are is the largest standard deviation of the steps between neighbouring values of a column,
    with each column scaled to its range. Among equals, and where there are no columns, the first candidate is taken.

    >>> fill_gaps(np.array([[0.0], [1.0], [4.0]]), np.array([[0.9], [2.5], [3.9]]), 1)
    [1]
    """
    everything = np.concatenate([known, candidates])
    extent = np.ptp(everything, axis=0) if everything.size else np.ones(everything.shape[1])
    scale = np.where(extent > 0, extent, 1.0)
    known, candidates = known / scale, candidates / scale
    taken: list[int] = []
    while len(taken) < min(n, len(candidates)):
        left = [place for place in range(len(candidates)) if place not in taken]
        uneven = [_unevenness(np.concatenate([known, candidates[[*taken, place]]])) for place in left]
        taken.append(left[int(np.argmin(uneven))])
    return taken


def _unevenness(values: NDArray[np.float64]) -> float:
    steps = np.diff(np.sort(values, axis=0), axis=0)
    return float(steps.std(axis=0).max()) if steps.size else 0.0


def _any(codes: Codes) -> NDArray[np.bool_]:
    return np.ones(len(codes), dtype=bool)
