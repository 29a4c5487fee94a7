"""Before a search: what can be reached, and how much of the space is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.search.constraints import Constraints
from supernet.search.evaluation import Evaluator, costs_of
from supernet.search.sampler import countable, distinct, population, step
from supernet.space import Codes, Space

__all__ = ["Survey", "survey"]


@dataclass(frozen=True)
class Survey:
    """What is known about a space before anything expensive is evaluated.

    Args:
        ranges: Smallest and largest value found of each cheap quantity (exact if the space was listed).
        feasible_share: Share of the space that satisfies the cheap constraints, each architecture weighing the
            same; 0.0 says that it is too rare for the sample.
        known: Some feasible architectures (K, D), at least one.
    """

    ranges: Mapping[str, tuple[float, float]]
    feasible_share: float
    known: Codes


def survey(
    evaluator: Evaluator,
    names: Sequence[str],
    constraints: Constraints,
    rng: np.random.Generator,
    *,
    sample: int = 10_000,
    climbers: int = 64,
    rounds: int = 300,
) -> Survey:
    """Find the range of cheap quantities and the share of the space that is feasible.

    Spaces of up to `sample` architectures are listed. Of larger ones the smallest, the largest and a uniform
    sample are looked at, then hill climbs from the best of them stretch the ranges and, where nothing feasible was
    met, reduce the violation.

    Args:
        evaluator: The evaluator that tells the costs.
        names: Names of the cheap quantities to report; the constrained ones must be among them.
        constraints: Constraints on cheap quantities.
        rng: The generator that everything is drawn with.
        sample: Number of architectures to draw.
        climbers: Number of architectures in the population of each hill climb.
        rounds: Largest number of rounds of each hill climb.

    Raises:
        UsageError: nothing feasible was found; says what was asked, what can be reached, and what to change.
    """
    space = evaluator.space
    if not names:
        return Survey({}, 1.0, space.codes([space.smallest(), space.largest()]))

    def violations(codes: Codes) -> NDArray[np.float64]:
        return constraints.violations(costs_of(evaluator, codes, constraints.names), len(codes))

    codes, listed = _look(space, rng, sample)
    columns = costs_of(evaluator, codes, names)
    drawn = len(codes) if listed else sample
    share = float((constraints.violations(columns, len(codes))[:drawn] == 0).mean())
    if not listed:
        climbed = [codes]
        for name, sign in product(names, (1.0, -1.0)):

            def score(codes: Codes, name: str = name, sign: float = sign) -> NDArray[np.float64]:
                return sign * costs_of(evaluator, codes, [name])[name]

            start = codes[np.argsort(sign * columns[name], kind="stable")[:climbers]]
            climbed.append(climb(space, start, score, rng, rounds=rounds))
        codes = np.concatenate(climbed)
        start = codes[np.argsort(violations(codes), kind="stable")[:climbers]]
        codes = np.concatenate([codes, climb(space, start, violations, rng, rounds=rounds, target=0.0)])
        columns = costs_of(evaluator, codes, names)
    ranges = {name: (float(column.min()), float(column.max())) for name, column in columns.items()}
    violation = constraints.violations(columns, len(codes))
    if violation.min() > 0:
        nearest = int(violation.argmin())
        values = {name: float(columns[name][nearest]) for name in constraints.names}
        raise UsageError(_nothing(constraints, ranges, values, evaluator, listed))
    known = distinct(codes[violation == 0])[: 4 * climbers]
    return Survey(ranges, share, population(space, known))


def climb(
    space: Space,
    codes: Codes,
    score: Callable[[Codes], NDArray[np.float64]],
    rng: np.random.Generator,
    *,
    rounds: int,
    patience: int = 30,
    target: float = -math.inf,
) -> Codes:
    """Minimise a score by changing one decision at a time: of all climbers and their children the best go on.

    Among equals the children go on, so that plateaus are crossed. Stops after `rounds` rounds, after `patience`
    rounds without a better best, or at `target`. Then the best moves to its best neighbour until no neighbour is
    better (at most `rounds` times), so that it ends where no single change helps.

    Returns:
        The best, then the climbers where they ended (1 + N, D).
    """
    scores = score(codes)
    stale = 0
    for _ in range(rounds):
        if stale >= patience or scores.min() <= target:
            break
        children = step(space, codes, rng)
        codes, before = np.concatenate([children, codes]), scores
        scores = np.concatenate([score(children), scores])
        kept = np.argsort(scores, kind="stable")[: len(before)]
        codes, scores = codes[kept], scores[kept]
        stale = 0 if scores[0] < before.min() else stale + 1
    best = int(scores.argmin())
    summit, height = codes[best : best + 1], scores[best]
    for _ in range(rounds if height > target else 0):
        around = space.codes(space.neighbours(space.wrap(summit)[0]))
        reached = score(around)
        if not (reached < height).any():
            break
        best = int(reached.argmin())
        summit, height = around[best : best + 1], reached[best]
    return np.concatenate([summit, codes])


def _look(space: Space, rng: np.random.Generator, sample: int) -> tuple[Codes, bool]:
    """Every architecture and True, or a sample followed by the smallest and the largest, and False."""
    size = countable(space)
    if size <= sample:
        return space.unindex(range(space.size)), True
    drawn = space.population(rng, sample, per="choice" if math.isinf(size) else "architecture")
    return np.concatenate([drawn, space.codes([space.smallest(), space.largest()])]), False


def _nothing(
    constraints: Constraints,
    ranges: Mapping[str, tuple[float, float]],
    nearest: Mapping[str, float],
    evaluator: Evaluator,
    listed: bool,
) -> str:
    known = evaluator.quantities
    reach = "; ".join(f"{n} from {ranges[n][0]:.6g} to {known[n].text(ranges[n][1])}" for n in constraints.names)
    near = ", ".join(f"{name} {known[name].text(value)}" for name, value in nearest.items())
    apart = [c for c in constraints if _misses(c.low, c.high, ranges[c.name])]
    advice = (
        "Move " + " and ".join(c.name for c in apart) + " into that range"
        if apart
        else "The bounds lie within what is reached, but nothing was found that meets all at once: loosen one"
    )
    return (
        f"{'No' if listed else 'Found no'} architecture of the space with {constraints}. "
        f"The space reaches {reach}; nearest to the constraints is {near}. {advice}, or widen the space."
    )


def _misses(low: float | None, high: float | None, reach: tuple[float, float]) -> bool:
    return (low is not None and low > reach[1]) or (high is not None and high < reach[0])
