"""What a searcher breeds or learns from: the best architectures that it was told of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import nsmallest

from supernet.search.problem import Problem
from supernet.search.sampler import Code
from supernet.space import Arch


class Parents:
    """Remembers the best architectures, and the codes of all that it was told of.

    Where values hold for good, no more than `n` are remembered; where they go stale, all of a round, until `age`.

    Args:
        problem: What is searched.
        n: The number of architectures that are bred or learned from.
    """

    def __init__(self, problem: Problem, n: int) -> None:
        self.problem, self.n = problem, n
        self.visited: set[Code] = set()
        self._ranks: dict[Arch, tuple[float, ...]] = {}

    def __bool__(self) -> bool:
        """Whether any architecture is remembered."""
        return bool(self._ranks)

    def learn(self, archs: Sequence[Arch], values: Sequence[Mapping[str, float]]) -> None:
        """Take in values, as `AskTell.tell`."""
        for arch, told in zip(archs, values, strict=True):
            self.visited.add(arch.code)
            self._ranks[arch] = self.problem.rank(told)
        if self.problem.keep is None:  # no other is a parent again
            self._leave(self.n)

    def age(self) -> None:
        """Where values go stale: remember those that are kept, and have none count as visited."""
        if self.problem.keep is not None:
            self.visited.clear()
            self._leave(self.problem.keep)

    def best(self, n: int | None = None) -> list[Arch]:
        """The best so many, the best first; None: those that are bred or learned from."""
        return nsmallest(self.n if n is None else n, self._ranks, key=self._ranks.__getitem__)

    def _leave(self, n: int) -> None:
        self._ranks = {arch: self._ranks[arch] for arch in self.best(n)}
