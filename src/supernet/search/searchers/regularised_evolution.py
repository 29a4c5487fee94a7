"""Regularised (ageing) evolution (Real et al., AAAI 2019, algorithm 1, https://arxiv.org/abs/1802.01548)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from supernet.io.section import Positive, Section
from supernet.paper import Paper
from supernet.search.problem import Problem, Rounds
from supernet.search.sampler import sampler_of, step
from supernet.space import Arch

PAPER = Paper(
    name="Regularised evolution",
    title="Regularized Evolution for Image Classifier Architecture Search",
    authors=("Real", "Aggarwal", "Huang", "Le"),
    venue="AAAI",
    year=2019,
    arxiv="1802.01548",
    provenance="reconstruction",
)


@dataclass(frozen=True, kw_only=True)
class RegularisedEvolution(Section, place="regularised_evolution."):
    """A queue of architectures: the best of a random sample gets a mutant, and the oldest dies. One objective.

    Real et al., *Regularized Evolution for Image Classifier Architecture Search*, AAAI 2019, algorithm 1
    ([arXiv 1802.01548](https://arxiv.org/abs/1802.01548)).

    The first `population` architectures are random. From then on each child is the best of `sample` members drawn
    with replacement, with one decision changed; it joins at the young end and the oldest member leaves, however
    good it is. As in the paper a child may be one that is known already.

    Args:
        population: Number of members of the queue.
        sample: Number of members drawn for each tournament.
        children: Number of children per ask; 1 is the paper's algorithm, more are for evaluation in parallel.
        attempts: Number of mutants tried per child until one is feasible. If none is (a narrow band of costs, where
            one change must make up for another), as many with two and then three changes; if none is again, the
            parent is asked for once more.

    Raises:
        UsageError: a number below 1.
    """

    name: ClassVar[str] = "regularised_evolution"
    most_objectives: ClassVar[int] = 1

    population: Positive = 100
    sample: Positive = 25
    children: Positive = 1
    attempts: Positive = 64

    def begin(self, problem: Problem) -> Rounds:
        """Start a search, see `Searcher`.

        Raises:
            UsageError: several objectives.
        """
        problem.require_one_objective("Regularised evolution")
        ageing = _Ageing(self, problem)
        return Rounds(ageing.children, ageing.learn)


class _Ageing:
    def __init__(self, settings: RegularisedEvolution, problem: Problem) -> None:
        self.settings, self.problem = settings, problem
        self._rng = np.random.default_rng(problem.seed)
        self._first = problem.space.wrap(sampler_of(problem, self._rng).draw(settings.population))
        self._members: deque[tuple[tuple[float, ...], Arch]] = deque(maxlen=settings.population)

    def learn(self, archs: Sequence[Arch], values: Sequence[Mapping[str, float]]) -> None:
        self._members.extend((self.problem.rank(told), arch) for arch, told in zip(archs, values, strict=True))

    def children(self) -> list[Arch]:
        first, self._first = self._first, []
        if first or not self._members:
            return first
        return [self._child() for _ in range(self.settings.children)]

    def _child(self) -> Arch:
        space = self.problem.space
        drawn = [self._members[place] for place in self._rng.integers(len(self._members), size=self.settings.sample)]
        _, parent = min(drawn, key=lambda member: member[0])
        mutants = np.repeat(space.codes([parent]), self.settings.attempts, axis=0)
        for _ in range(3):
            mutants = step(space, mutants, self._rng)
            allowed = mutants[self.problem.feasible(mutants)]
            if len(allowed):
                return space.wrap(allowed[:1])[0]
        return parent
