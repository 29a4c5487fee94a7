"""Random search: the baseline every other searcher must beat at equal budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from supernet.io.section import Positive, Section
from supernet.search.problem import Problem, Rounds
from supernet.search.sampler import Code, sampler_of
from supernet.space import Arch


@dataclass(frozen=True, kw_only=True)
class RandomSearch(Section, place="random."):
    """Distinct feasible architectures, drawn uniformly over the options of every choice. Any number of objectives.

    Where values go stale (`Problem.keep`) those of one batch are distinct.

    Args:
        batch: Number of architectures that are drawn at once; one batch is one generation.

    Raises:
        UsageError: batch below 1.
    """

    name: ClassVar[str] = "random"

    batch: Positive = 50

    def begin(self, problem: Problem) -> Rounds:
        """Start a search, see `Searcher`."""
        sampler = sampler_of(problem, np.random.default_rng(problem.seed))
        visited: set[Code] = set()

        def draw() -> list[Arch]:
            if problem.keep is not None:
                visited.clear()
            drawn = problem.space.wrap(sampler.draw(self.batch, visited))
            visited.update(arch.code for arch in drawn)
            return drawn

        return Rounds(draw)
