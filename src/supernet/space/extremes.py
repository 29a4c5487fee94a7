"""The architectures at both ends of a cost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.space.arch import Codes
from supernet.space.space import Space

_LISTED = 2**14
_STARTS = 16


def extremes(space: Space, cost: Callable[[Codes], NDArray[np.float64]]) -> tuple[float, float]:
    """Least and greatest cost in a space.

    Exact for spaces of up to 16,384 architectures, which are listed. In larger ones single decisions are changed, from
    the smallest, the largest and 16 random architectures on, as long as that helps: exact where each decision moves the
    cost in one direction, as it does with MACs and parameters.

    Args:
        space: The space.
        cost: Costs (N,) of a population (N, D).

    >>> from supernet import Choice
    >>> width, depth = Choice("width", (8, 4, 16)), Choice("depth", (1, 2))
    >>> extremes(Space([width, depth]), lambda codes: np.asarray([8.0, 4.0, 16.0])[codes[:, 0]] * (1 + codes[:, 1]))
    (4.0, 32.0)
    """
    try:
        listed = space.size <= _LISTED
    except UsageError:  # too entangled to count
        listed = False
    if listed:
        costs = cost(space.unindex(range(space.size)))
        return float(costs.min()), float(costs.max())
    rng = np.random.default_rng(0)
    starts = np.concatenate(
        [space.codes([space.smallest(), space.largest()]), space.population(rng, _STARTS, per="choice")]
    )
    return min(_descend(space, s, cost) for s in starts), -min(_descend(space, s, lambda c: -cost(c)) for s in starts)


def _descend(space: Space, start: Codes, cost: Callable[[Codes], NDArray[np.float64]]) -> float:
    here = start[None]
    least = float(cost(here)[0])
    while True:
        around = space.codes(space.neighbours(space.wrap(here)[0]))
        costs = cost(around)
        if len(costs) == 0 or costs.min() >= least:
            return least
        here, least = around[[costs.argmin()]], float(costs.min())
