"""Rounds of a search that comes back to architectures it knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from supernet.search.problem import Problem
from supernet.space import Arch

_IDLE_ROUNDS = 200


class Remembering:
    """An `AskTell` that proposes whole rounds, of which only what is new is asked for; the rest is answered at once.

    So the number of a round on record does not depend on how many were asked for twice. After 200 rounds in a row
    without anything new there is nothing more to propose. Where values go stale nothing is remembered.

    Args:
        problem: The problem.
        propose: Makes the next round, in which an architecture may occur twice; empty: the search is over.
        learn: Takes in a whole round, with the value of each place.
    """

    def __init__(
        self,
        problem: Problem,
        propose: Callable[[], list[Arch]],
        learn: Callable[[Sequence[Arch], Sequence[Mapping[str, float]]], None],
    ) -> None:
        self._problem, self._propose, self._learn = problem, propose, learn
        self._known: dict[Arch, Mapping[str, float]] = {}
        self._round: list[Arch] = []
        self._queue: list[Arch] = []
        self._over = False

    def ask(self, n: int) -> list[Arch]:
        """At most `n` of the new architectures of the present round; none while some of them have not been told."""
        for _ in range(_IDLE_ROUNDS):
            if self._queue or self._round or self._over:
                break
            if self._problem.keep is not None:
                self._known.clear()
            self._round = self._propose()
            self._queue = [arch for arch in dict.fromkeys(self._round) if arch not in self._known]
            self._over = not self._round
            self._finish()
        asked, self._queue = self._queue[:n], self._queue[n:]
        return asked

    def tell(self, archs: Sequence[Arch], values: Sequence[Mapping[str, float]]) -> None:
        """The values of architectures; once all of a round are there it is learned."""
        self._known.update(zip(archs, values, strict=True))
        self._finish()

    def _finish(self) -> None:
        if self._round and all(arch in self._known for arch in self._round):
            told, self._round = self._round, []
            self._learn(told, [self._known[arch] for arch in told])
