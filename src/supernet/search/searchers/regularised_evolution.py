"""Regularised (ageing) evolution (Real et al., AAAI 2019, algorithm 1)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from supernet.errors import UsageError
from supernet.paper import Paper
from supernet.search.sampler import FeasibleSampler, step
from supernet.search.task import Task
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


class RegularisedEvolution:
    """A queue of architectures: the best of a random sample gets a mutant, and the oldest dies. One objective.

    The first `population` architectures are random. From then on each child is the best of `sample` members drawn
    with replacement, with one decision changed; it joins at the young end and the oldest member leaves, however
    good it is. As in the paper a child may be one that is known already.

    Args:
        task: What to search.
        population: Members of the queue.
        sample: Members drawn for each tournament.
        children: Children per ask; 1 is the paper's algorithm, more are for evaluation in parallel.
        attempts: Mutants tried per child until one is feasible. If none is (a narrow band of costs, where one change
            must make up for another), as many with two and then three changes; if none is again, the parent is asked
            for once more.

    Raises:
        UsageError: several objectives, or a number below 1.
    """

    name = "regularised_evolution"

    def __init__(
        self,
        task: Task,
        *,
        population: int = 100,
        sample: int = 25,
        children: int = 1,
        attempts: int = 64,
    ) -> None:
        task.require_one_objective("Regularised evolution")
        if min(population, sample, children, attempts) < 1:
            raise UsageError("Regularised evolution needs population, sample, children and attempts of at least 1.")
        self.task, self.sample, self.children, self.attempts = task, sample, children, attempts
        self._rng = np.random.default_rng(task.seed)
        sampler = FeasibleSampler(task.space, task.feasible, known=task.known, rng=self._rng, first=task.initial)
        self._queue = task.space.wrap(sampler.draw(population))
        self._members: deque[tuple[tuple[float, ...], Arch]] = deque(maxlen=population)

    def ask(self, n: int) -> list[Arch]:
        if not self._queue and self._members:
            self._queue = [self._child() for _ in range(self.children)]
        asked, self._queue = self._queue[:n], self._queue[n:]
        return asked

    def tell(self, archs: Sequence[Arch], values: Sequence[Mapping[str, float]]) -> None:
        self._members.extend((self.task.rank(told), arch) for arch, told in zip(archs, values, strict=True))

    def _child(self) -> Arch:
        space = self.task.space
        drawn = [self._members[place] for place in self._rng.integers(len(self._members), size=self.sample)]
        _, parent = min(drawn, key=lambda member: member[0])
        mutants = np.repeat(space.codes([parent]), self.attempts, axis=0)
        for _ in range(3):
            mutants = step(space, mutants, self._rng)
            allowed = mutants[self.task.feasible(mutants)]
            if len(allowed):
                return space.wrap(allowed[:1])[0]
        return parent
