"""Random search: the baseline every other searcher must beat at equal budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from supernet.io.config import Positive, Section
from supernet.search.sampler import Code, sampler_of
from supernet.search.task import Rounds, Task
from supernet.space import Arch


@dataclass(frozen=True, kw_only=True)
class RandomSearch(Section, place="random."):
    """Distinct feasible architectures, drawn uniformly over the options of every choice. Any number of objectives.

    Where values go stale (`Task.keep`) those of one batch are distinct.

    Args:
        batch: Number of architectures that are drawn at once; one batch is one generation.

    Raises:
        UsageError: batch below 1.
    """

    name: ClassVar[str] = "random"

    batch: Positive = 50

    def begin(self, task: Task) -> Rounds:
        """Start a search, see `Searcher`."""
        sampler = sampler_of(task, np.random.default_rng(task.seed))
        visited: set[Code] = set()

        def draw() -> list[Arch]:
            if task.keep is not None:
                visited.clear()
            drawn = task.space.wrap(sampler.draw(self.batch, visited))
            visited.update(arch.code for arch in drawn)
            return drawn

        return Rounds(draw)
