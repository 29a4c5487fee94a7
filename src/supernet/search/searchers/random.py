"""Random search: the baseline every other searcher must beat at equal budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from supernet.errors import UsageError
from supernet.search.sampler import Code, FeasibleSampler
from supernet.search.task import Task
from supernet.space import Arch


class RandomSearch:
    """Distinct feasible architectures, drawn uniformly over the options of every choice. Any number of objectives.

    Where values go stale (`Task.keep`) those of one batch are distinct.

    Args:
        task: What to search.
        batch: How many are drawn at once.

    Raises:
        UsageError: batch below 1.
    """

    name = "random"

    def __init__(self, task: Task, *, batch: int = 50) -> None:
        if batch < 1:
            raise UsageError(f"Random search was to draw {batch} architectures at once; draw at least 1.")
        self.task, self.batch = task, batch
        rng = np.random.default_rng(task.seed)
        self._sampler = FeasibleSampler(task.space, task.feasible, known=task.known, rng=rng, first=task.initial)
        self._visited: set[Code] = set()
        self._queue: list[Arch] = []

    def ask(self, n: int) -> list[Arch]:
        if not self._queue:
            if self.task.keep is not None:
                self._visited.clear()
            self._queue = self.task.space.wrap(self._sampler.draw(self.batch, self._visited))
            self._visited.update(arch.code for arch in self._queue)
        asked, self._queue = self._queue[:n], self._queue[n:]
        return asked

    def tell(self, archs: Sequence[Arch], values: Sequence[Mapping[str, float]]) -> None:
        """Nothing is learned."""
