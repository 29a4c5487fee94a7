"""The selection of BigNAS: a coarse grid, then mutations (Yu et al., ECCV 2020, https://arxiv.org/abs/2003.11142)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from supernet.io.section import Positive, Probability, Section
from supernet.paper import Paper
from supernet.search.problem import Problem, Rounds
from supernet.search.sampler import Code, distinct, population, sampler_of
from supernet.space import Arch, Codes, Space
from supernet.space.groups import role

PAPER = Paper(
    name="BigNAS",
    title="BigNAS: Scaling Up Neural Architecture Search with Big Single-Stage Models",
    authors=("Yu", "Jin", "Liu", "Bender", "Kindermans", "Tan", "Huang", "Song", "Pang", "Le"),
    venue="ECCV",
    year=2020,
    arxiv="2003.11142",
    provenance="reconstruction",
)

_COUNTED = 10**6  # so many points of a grid are listed; of more, as many are drawn as are asked for


@dataclass(frozen=True, kw_only=True)
class CoarseToFine(Section, place="coarse_to_fine."):
    """A grid of networks that decide alike in all layers, then mutants of the best. One objective.

    BigNAS, [arXiv 2003.11142](https://arxiv.org/abs/2003.11142), section 3.3: a few resolutions, depths,
    widths and kernels, each the same for the whole network, find the skeleton with the best accuracy within the
    budget; mutations of it find the fine differences between layers. The grid is a reconstruction, from the names of
    the choices: those whose names end alike (`stage1.block2.kernel`) go together, and take the option at the same
    place of their `order`, from the smallest to the largest; where options are no numbers, each is a place.

    The fine phase is that of pytorch-BigNAS (others' code): one mutant after the other of the best so far, which gives
    way to what is strictly better, 200 times.

    Args:
        levels: Number of places of each kind of choice, from the smallest option to the largest; kinds with fewer
            options have fewer. With several kinds the grid is their product.
        coarse: Largest number of networks of the grid that are evaluated, drawn from those within the constraints.
        fine: Number of mutants.
        mutation_p: Probability that a mutation resamples a decision.
        children: Number of mutants per ask; 1 is pytorch-BigNAS, more are for evaluation in parallel.
        attempts: Number of tries to make a mutant that is feasible and new; then one is drawn at random.

    Raises:
        UsageError: a number outside its range.
    """

    name: ClassVar[str] = "coarse_to_fine"
    most_objectives: ClassVar[int] = 1

    levels: Annotated[int, Meta(ge=2)] = 3
    coarse: Positive = 1000
    fine: Positive = 200
    mutation_p: Probability = 0.1
    children: Positive = 1
    attempts: Positive = 64

    def begin(self, problem: Problem) -> Rounds:
        """Start a search, see `Searcher`.

        Raises:
            UsageError: several objectives.
        """
        problem.require_one_objective("Coarse-to-fine selection")
        selection = _Selection(self, problem)
        return Rounds(selection.generation, selection.learn)


class _Selection:
    def __init__(self, settings: CoarseToFine, problem: Problem) -> None:
        self.settings, self.problem = settings, problem
        self._rng = np.random.default_rng(problem.seed)
        self._sampler = sampler_of(problem, self._rng)
        self._visited: set[Code] = set()
        self._best: tuple[tuple[float, ...], Arch] | None = None
        self._left = settings.fine

    def learn(self, archs: Sequence[Arch], values: Sequence[Mapping[str, float]]) -> None:
        for arch, told in zip(archs, values, strict=True):
            rank = self.problem.rank(told)
            stale = self.problem.keep is not None and self._best is not None and self._best[1] == arch
            if self._best is None or rank < self._best[0] or stale:
                self._best = rank, arch

    def generation(self) -> list[Arch]:
        if self._best is None:
            found = self._grid()
        else:
            found = [] if self._left <= 0 else self._mutants(min(self.settings.children, self._left))
            self._left -= self.settings.children
        self._visited.update(found)
        return self.problem.space.wrap(population(self.problem.space, found))

    def _grid(self) -> list[Code]:
        """Those to begin with, then the grid within the constraints, or where it has none there, a random one."""
        space = self.problem.space
        codes = grid(space, self.settings.levels, self._rng, self.settings.coarse)
        allowed = distinct(codes[self.problem.feasible(codes)])
        if len(allowed) > self.settings.coarse:
            kept = np.sort(self._rng.permutation(len(allowed))[: self.settings.coarse])
            allowed = [allowed[place] for place in kept]
        begin = [] if self.problem.initial is None else distinct(self.problem.initial)
        found = list(dict.fromkeys([*begin, *allowed]))
        return found or distinct(self._sampler.draw(1))

    def _mutants(self, n: int) -> list[Code]:
        assert self._best is not None
        if self.problem.keep is not None:
            self._visited.clear()
        space = self.problem.space
        parents = np.repeat(space.codes([self._best[1]]), self.settings.attempts * n, axis=0)
        mutants = space.mutate(parents, self._rng, p=self.settings.mutation_p)
        new = distinct(mutants[self.problem.feasible(mutants)], self._visited)[:n]
        return new + distinct(self._sampler.draw(n - len(new), {*self._visited, *new}))


def grid(space: Space, levels: int, rng: np.random.Generator, most: int) -> Codes:
    """Architectures (N, D) of which all choices of a kind stand at the same place of their order.

    Where the product of the kinds has more than a million points, `most` of them are drawn.
    """
    kinds: dict[str, list[int]] = {}
    for column, name in enumerate(space.names):
        kinds.setdefault(role(name), []).append(column)
    places = []
    for columns in kinds.values():
        counts = space.counts[columns]
        numbers = all(isinstance(o, int | float) for column in columns for o in space.choices[column].options)
        steps = min(levels, int(counts.max())) if numbers else int(counts.max())
        places.append(np.linspace(0, 1, steps) if steps > 1 else np.zeros(1))
    sizes = [len(place) for place in places]
    if np.prod(sizes, dtype=float) <= _COUNTED:
        points = np.asarray(list(product(*map(range, sizes))), dtype=np.int64).reshape(-1, len(sizes))
    else:
        points = np.unique(rng.integers(sizes, size=(4 * most, len(sizes))), axis=0)
    codes = np.zeros((len(points), len(space)), dtype=np.int16)
    for kind, columns in enumerate(kinds.values()):
        share = places[kind][points[:, kind]]
        for column in columns:
            ordered = _ordered(space, column)
            codes[:, column] = ordered[np.rint(share * (len(ordered) - 1)).astype(np.int64)]
    return space.canonical(codes)


def _ordered(space: Space, column: int) -> Codes:
    """The allowed codes of a choice, from the smallest option to the largest."""
    choice, allowed = space.choices[column], set(space.allowed_codes[column].tolist())
    codes = [choice.position(option) for option in choice.order]
    return np.asarray([code for code in codes if code in allowed], dtype=np.int16)
