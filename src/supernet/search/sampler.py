"""Feasible architectures, new ones, in bounded time."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.search.problem import Problem
from supernet.space import Codes, Space

__all__ = ["FeasibleSampler"]

Code: TypeAlias = tuple[int, ...]

_LISTED = 2**16


def step(space: Space, codes: Codes, rng: np.random.Generator) -> Codes:
    """`Space.change_one`, which leaves the only architecture of a space as it is."""
    return codes if countable(space) == 1 else space.change_one(codes, rng)


def countable(space: Space) -> float:
    """Size of a space; infinity where its conditions are too entangled to count."""
    try:
        return space.size
    except UsageError:
        return math.inf


def distinct(codes: Codes, exclude: Container[Code] = ()) -> list[Code]:
    """The rows of a population in order, without repetitions and without those to exclude."""
    return [code for code in dict.fromkeys(map(tuple, codes.tolist())) if code not in exclude]


def population(space: Space, codes: list[Code]) -> Codes:
    """Rows back to an array (N, D), also when there are none."""
    return np.asarray(codes, dtype=np.int16).reshape(len(codes), len(space))


def sampler_of(problem: Problem, rng: np.random.Generator) -> FeasibleSampler:
    """The sampler of a problem, which begins with the architectures that the problem begins with."""
    return FeasibleSampler(problem.space, problem.feasible, known=problem.known, rng=rng, first=problem.initial)


class FeasibleSampler:
    """Draws distinct feasible architectures that are new.

    What is to come `first` comes first, once. Then three sources, each bounded, the next one only if the last did not
    suffice: rejection of uniform draws (SPOS, eq. 6); random walks through the feasible set that start at known
    feasible architectures, for sets that chance does not hit; and for spaces of up to 65,536 architectures the full
    list, so that there "none left" is a proof.

    Args:
        space: The space, or sub-space, to draw from.
        feasible: Tells which rows of a population satisfy the constraints.
        known: Feasible architectures (K, D) for the walks.
        rng: The generator that everything is drawn with.
        first: Architectures (I, D) to hand out before any that chance draws.
        batches: Largest number of rejection batches of one draw.
        walks: Largest number of walks of one draw.
    """

    def __init__(
        self,
        space: Space,
        feasible: Callable[[Codes], NDArray[np.bool_]],
        *,
        known: Codes,
        rng: np.random.Generator,
        first: Codes | None = None,
        batches: int = 16,
        walks: int = 8,
    ) -> None:
        self.space, self.feasible, self.known, self.rng = space, feasible, known, rng
        self.first = population(space, []) if first is None else first
        self.batches, self.walks = batches, walks

    def draw(self, n: int, exclude: Container[Code] = ()) -> Codes:
        """Up to `n` distinct feasible architectures (≤ n, D) outside `exclude`; fewer if no more were found."""
        found: dict[Code, None] = {}
        for codes in self._proposals(n) if n > 0 else ():
            found.update(dict.fromkeys(distinct(codes[self.feasible(codes)], exclude)))
            if len(found) >= n:
                break
        drawn = list(found)[:n]
        self.first = population(self.space, distinct(self.first, {*drawn}))
        return population(self.space, drawn)

    def _proposals(self, n: int) -> Iterator[Codes]:
        if len(self.first):
            yield self.first
        for _ in range(self.batches):
            yield self.space.population(self.rng, max(256, 4 * n))
        for _ in range(self.walks):
            yield self.rng.permutation(self._walk())
        if countable(self.space) <= _LISTED:
            yield self.rng.permutation(self.space.unindex(range(self.space.size)))

    def _walk(self, walkers: int = 64) -> Codes:
        """Everything seen by random walks that never stay outside the feasible set.

        Strides of one, two and three decisions take turns: in a narrow band of costs one change must make up for
        another.
        """
        here = self.known[self.rng.integers(len(self.known), size=walkers)]
        seen = [here]
        for turn in range(max(16, 2 * len(self.space))):
            there = here
            for _ in range(1 + turn % 3):
                there = step(self.space, there, self.rng)
            here = np.where(self.feasible(there)[:, None], there, here)
            seen.append(here)
        return np.concatenate(seen)
