"""Random search: the baseline every other searcher must beat at equal budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Unpack

import numpy as np

from supernet.data import ImageData
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.search.driver import run
from supernet.search.evaluator import Evaluator
from supernet.search.front import Front
from supernet.search.request import Request
from supernet.search.sampler import Code, FeasibleSampler
from supernet.search.task import Task
from supernet.space import Arch

__all__ = ["RandomSearch", "random"]


@dataclass(frozen=True, kw_only=True)
class RandomSearch:
    """Distinct feasible architectures, drawn uniformly over the options of every choice. Any number of objectives.

    Where values go stale (`Task.keep`) those of one batch are distinct.

    Args:
        batch: Number of architectures that are drawn at once; one batch is one generation.

    Raises:
        UsageError: batch below 1.
    """

    name: ClassVar[str] = "random"

    batch: int = 50

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise UsageError(f"Random search was to draw {self.batch} architectures at once; draw at least 1.")

    def begin(self, task: Task) -> _Drawing:
        """Start a search, see `Searcher`."""
        return _Drawing(self, task)


def random(subject: Supernet | Evaluator, data: ImageData | None = None, **request: Unpack[Request]) -> Front:
    """`run(RandomSearch(), …)`, the baseline; optimises the accuracy unless `objectives` says otherwise."""
    return run(RandomSearch(), subject, data, **request)


class _Drawing:
    def __init__(self, settings: RandomSearch, task: Task) -> None:
        self.settings, self.task = settings, task
        rng = np.random.default_rng(task.seed)
        self._sampler = FeasibleSampler(task.space, task.feasible, known=task.known, rng=rng, first=task.initial)
        self._visited: set[Code] = set()
        self._queue: list[Arch] = []

    def ask(self, n: int) -> list[Arch]:
        if not self._queue:
            if self.task.keep is not None:
                self._visited.clear()
            self._queue = self.task.space.wrap(self._sampler.draw(self.settings.batch, self._visited))
            self._visited.update(arch.code for arch in self._queue)
        asked, self._queue = self._queue[:n], self._queue[n:]
        return asked

    def tell(self, archs: Sequence[Arch], values: Sequence[Mapping[str, float]]) -> None:
        """Nothing is learned."""
