"""Options that a search inside a training hardly ever chooses are dropped (PAD-NAS)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.measure import Calibration, NetEvaluator, cost_model
from supernet.measure.latency.model import LatencyModel
from supernet.measure.latency.reading import read_latency
from supernet.nn import Supernet
from supernet.quantity import COSTS, LATENCY_MS, MACS, PARAMS, SCORE, Quantity
from supernet.search import pareto
from supernet.search.constraints import Constraint, Constraints
from supernet.search.driver import run
from supernet.search.evaluation import Evaluation, best_of, losses_of
from supernet.search.problem import Searcher
from supernet.search.searchers.nsga2 import NSGA2
from supernet.search.survey import survey
from supernet.space import Arch, Codes, Option, Space
from supernet.train.context import Context
from supernet.train.edits.cells import operations_of
from supernet.train.optimisers._protocol import check_number

__all__ = ["DropRare"]

_CHEAP = (MACS.name, PARAMS.name, LATENCY_MS.name)


@dataclass(frozen=True, kw_only=True)
class DropRare:
    """Searches what is left of the space with the present weights, and forbids the options that are rare in the fronts.

    Progressive shrinking of PAD-NAS (Xia et al., WACV 2022, [arXiv 2005.07564](https://arxiv.org/abs/2005.07564)). An
    evolution for the score and a cost, within bounds of that cost, evaluates `budget` architectures; sorted into
    non-dominated fronts, those of the first `fronts` are counted. An option that no more than the share `rare` of the
    architectures in which its choice is active has is dropped, choice by choice. Those of the architecture of the best
    score are never dropped, so that something within the bounds is left. Choices of the inputs of nodes stay as they
    are.

    Args:
        searcher: The searcher, for two objectives.
        budget: The number of architectures that a search evaluates.
        cost: The cost: `"macs"`, `"params"`, or `"latency_ms"` by the file `latency`.
        low: The lower bound of the cost; None: there is none.
        high: The upper bound of the cost; None: there is none.
        latency: A file of latencies, as `supernet latency` writes it; None: the cost is another.
        fronts: The number of fronts that are counted.
        rare: The largest share of a rare option.
        images: The number of validation images to measure on; None: all of them.
        calibration: How BatchNorm statistics are recomputed for each architecture.

    Raises:
        UsageError: a value outside its range, bounds the wrong way round, or a latency without a file.
    """

    searcher: Searcher = field(default_factory=lambda: NSGA2(population=64))
    budget: int = 64 * 40
    cost: str = MACS.name
    low: float | None = None
    high: float | None = None
    latency: str | None = None
    fronts: int = 10
    rare: float = 0.01
    images: int | None = None
    calibration: Calibration = field(default_factory=Calibration)

    def __post_init__(self) -> None:
        for what, value in (("budget", self.budget), ("fronts", self.fronts), ("images", self.images)):
            if value is not None and value < 1:
                raise UsageError(f"{what} of the search for rare options is {value}; give at least 1.")
        check_number("The largest share of a rare option", self.rare, at_least=0, below=1)
        if self.cost not in _CHEAP:
            raise UsageError(f"The cost {self.cost!r} is not known for whole populations; give one of {_CHEAP}.")
        if (self.cost == LATENCY_MS.name) != (self.latency is not None):
            raise UsageError(
                f"The cost is {self.cost!r} and the file of latencies {self.latency!r}: give cost='latency_ms' with a "
                "file that `supernet latency` has written, or neither."
            )
        if not isinstance(self.searcher, Searcher) or isinstance(self.searcher, type):
            raise UsageError(f"{self.searcher!r} is no searcher; give a value such as search.NSGA2(population=64).")
        _ = self.bounds  # refuses bounds the wrong way round

    @property
    def bounds(self) -> Constraints:
        """The bounds of the cost."""
        if self.low is None and self.high is None:
            return Constraints()
        return Constraints((Constraint(self.cost, self.low, self.high),))

    def check(self, net: Supernet) -> None:
        """Raise a UsageError, before any training, where no architecture is within the bounds."""
        if self.latency is None and net.input_shape is None:
            return  # costs are known once there are images
        survey(_Costs(net, self._latency(net)), [self.cost], self.bounds, np.random.default_rng(0))

    def __call__(self, context: Context) -> None:
        """Search, and drop options.

        Raises:
            UsageError: no architecture that is left is within the bounds.
        """
        space = context.restriction.space
        for name, options in self.kept(space, self.found(context)).items():
            context.restriction.allow(name, options)

    def found(self, context: Context) -> list[Arch]:
        """The architectures of the first fronts, that of the best score first."""
        data, net = context.executor.feed.data, context.net
        evaluator = NetEvaluator(
            net,
            data,
            calibration=self.calibration,
            latency=self._latency(net),
            images=self.images,
            space=context.restriction.space,
        )
        with context.step.seeded("rare options") as rng:
            seed = int(rng.integers(2**31))
        front = run(
            self.searcher,
            evaluator,
            objectives=(SCORE, self.cost),
            constraints=self.bounds,
            budget=self.budget,
            seed=seed,
        )
        validation = len(data.validation) if self.images is None else min(len(data.validation), self.images)
        context.executor.passed["forward"] += len(front.archive) * (
            validation + min(len(data.train), self.calibration.images)
        )
        allowed = [one for one in front.archive if front.constraints.satisfied(one.values)]
        (best,) = best_of(allowed, 1, front.objectives[:1], front.constraints)
        counted = first_fronts(allowed, front.objectives, self.fronts)
        return list(dict.fromkeys([best.arch, *(one.arch for one in counted)]))

    def kept(self, space: Space, archs: Sequence[Arch]) -> dict[str, list[Option]]:
        """The options that stay, of every choice of operations, where the first of the architectures is the best."""
        kept: dict[str, list[Option]] = {}
        for choice in operations_of(space):
            name, open_ = choice.name, space.allowed(choice.name)
            told = [arch.options()[name] for arch in archs if name in arch.options()]
            if told:
                best = archs[0].options().get(name)
                kept[name] = [o for o in open_ if o == best or told.count(o) > self.rare * len(told)]
        return kept

    def _latency(self, net: Supernet) -> LatencyModel | None:
        return None if self.latency is None else read_latency(self.latency, net)


def first_fronts(found: Sequence[Evaluation], goals: Sequence[Quantity], fronts: int) -> list[Evaluation]:
    """The evaluations of the first so many non-dominated fronts, front by front."""
    losses, left = losses_of(found, goals), np.arange(len(found))
    places: list[int] = []
    for _ in range(fronts):
        layer = pareto.nondominated(losses[left])
        places += left[layer].tolist()
        left = left[~layer]
        if not len(left):
            break
    return [found[place] for place in places]


class _Costs:
    """The costs of a supernet, before there are any images to score its subnets on."""

    cheap = frozenset(_CHEAP)

    def __init__(self, net: Supernet, latency: LatencyModel | None) -> None:
        self.net, self.space, self.latency = net, net.space, latency
        self.quantities: Mapping[str, Quantity] = {q.name: q for q in (*COSTS, LATENCY_MS)}

    def costs(self, codes: Codes, name: str) -> NDArray[np.float64]:
        if self.latency is not None and name == LATENCY_MS.name:
            return self.latency.predict_ms(codes)
        model = cost_model(self.net)
        return model.macs(codes) if name == MACS.name else model.params(codes)

    def evaluate(self, arch: Arch, names: Sequence[str]) -> dict[str, float]:
        codes = self.space.codes([arch])
        return {name: float(self.costs(codes, name)[0]) for name in names}
