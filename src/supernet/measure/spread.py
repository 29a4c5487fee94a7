"""Architectures that are measured by workers, ahead of being asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from supernet.measure.scores.scores import Scores
from supernet.space import Arch
from supernet.workers import Crew, Work, Workers


@dataclass(frozen=True)
class Measured:
    """What a worker has found out about one architecture; None: that was not asked for.

    Attributes:
        scores: The scores of the task.
        scores_in_int8: Those of the subnet in eight bits.
        value: What subnets are ranked by, where that is no score of the task.
    """

    scores: Scores | None = None
    scores_in_int8: Scores | None = None
    value: float | None = None


class Spread:
    """Has workers measure architectures; a result waits here until it is collected.

    The workers start with the first architecture and compute with as many threads as this process, whose every bit
    their results are to have.

    Args:
        workers: The kind of workers.
        begin: Makes, in a worker, what measures: called with (code, names), it returns what is `Measured`.
        given: What `begin` is called with, asked for when the workers start.
        on_gpu: Whether an accelerator is needed.
    """

    def __init__(
        self,
        workers: Workers,
        begin: Callable[[Any], Callable[[Any], Any]],
        given: Callable[[], Any],
        *,
        on_gpu: bool = False,
    ) -> None:
        self._workers, self._begin, self._given, self._on_gpu = workers, begin, given, on_gpu
        self._crew: Crew | None = None
        self._numbers: dict[tuple[int, ...], int] = {}

    @property
    def count(self) -> int | None:
        """Number of workers; None before they have started."""
        return None if self._crew is None else self._crew.count

    @property
    def lost(self) -> list[str]:
        """Why workers died, one sentence each."""
        return [] if self._crew is None else self._crew.lost

    def start(self) -> None:
        """Start the workers, if they have not been; what they cannot do is known before anything is asked of them.

        Raises:
            UsageError: network or images cannot be sent to another process, or there are too few places.
            RunError: a package is missing, or a cluster does not answer.
        """
        if self._crew is None:
            work = Work(
                self._begin,
                self._given(),
                threads=torch.get_num_threads(),
                on_gpu=self._on_gpu,
                to_do="measure architectures",
            )
            self._crew = Crew(self._workers, work)

    def ask(self, archs: Sequence[Arch], names: Sequence[str]) -> None:
        """Have these architectures measured, unless they are being measured already; errors are those of `start`."""
        if archs:
            self.start()
        for arch in archs:
            if self._crew is not None and arch.code not in self._numbers:
                self._numbers[arch.code] = self._crew.submit((arch.code, tuple(names)))

    def collect(self, arch: Arch) -> Measured | None:
        """What was found out about an architecture, once it is; None if nobody was asked.

        Raises:
            RunError: an output is not finite, or workers died.
        """
        number = self._numbers.pop(arch.code, None)
        if number is None or self._crew is None:
            return None
        found: Measured = self._crew.result(number)
        return found

    def close(self) -> None:
        """End the workers and forget what they measured; they start anew, with what is given then."""
        crew, self._crew = self._crew, None
        self._numbers.clear()
        if crew is not None:
            crew.close()
