"""Which members of a population go on, by one objective or by several."""

from __future__ import annotations

from math import comb

import numpy as np

from supernet.errors import require
from supernet.rank.checks import Floats


def survivors(losses: Floats, n: int, rng: np.random.Generator) -> list[int]:
    """Places of the `n` rows of losses (N, M) that go on, ascending; less is better.

    One objective: the lowest. Two: by layers of non-dominated rows, the last of which is thinned by crowding distance,
    as in NSGA-II. More: the last layer is thinned by reference directions, as in NSGA-III. pymoo does both.

    Raises:
        RunError: there are several objectives, and pymoo is not installed (extra "search").
    """
    if n >= len(losses):
        return list(range(len(losses)))
    if losses.shape[1] == 1:
        return sorted(np.argsort(losses[:, 0], kind="stable")[:n].tolist())
    require("pymoo", "search", "Keeping the best by several objectives")
    from pymoo.algorithms.moo.nsga3 import ReferenceDirectionSurvival
    from pymoo.core.population import Population
    from pymoo.core.problem import Problem
    from pymoo.operators.survival.rank_and_crowding import RankAndCrowding
    from pymoo.util.ref_dirs import get_reference_directions

    objectives = losses.shape[1]
    if objectives == 2:
        survival = RankAndCrowding()
    else:
        steps = partitions(objectives, n)
        survival = ReferenceDirectionSurvival(get_reference_directions("das-dennis", objectives, n_partitions=steps))
    members = Population.new("F", losses, "X", np.arange(len(losses))[:, None])
    problem = Problem(n_var=1, n_obj=objectives)
    kept = survival.do(problem, members, n_survive=n, random_state=rng)
    return sorted(int(place) for place in kept.get("X")[:, 0])


def partitions(objectives: int, most: int) -> int:
    """The largest number of steps along each objective that makes at most so many directions (Das and Dennis).

    >>> partitions(2, 100), partitions(3, 100), partitions(12, 100)
    (99, 12, 2)
    """
    steps = 1
    while comb(steps + objectives, objectives - 1) <= most:
        steps += 1
    return steps
