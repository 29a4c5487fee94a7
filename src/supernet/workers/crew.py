"""Tasks for workers: who gets which, and what happens when a worker dies."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from supernet.errors import RunError
from supernet.workers._protocol import Died, Done, Outcome, Ready, Workers
from supernet.workers.work import Work

LIVES = 3
"""Number of workers that a task may cost before it is given up."""


class Crew:
    """Workers with tasks that wait for them. A result is the same whoever worked, so their number changes none.

    A worker that dies is replaced, and its task given to another first of all. A task that has cost `LIVES` workers is
    not tried again, and neither is starting workers of which `LIVES` in a row have died before they were ready.

    Args:
        workers: The kind of workers.
        work: What they do.
        most: Largest number of workers that have something to do; None: any.

    Attributes:
        lost: Why workers died, one sentence each.

    Raises:
        UsageError: as `Workers.open`.
        RunError: as `Workers.open`.
    """

    def __init__(self, workers: Workers, work: Work, *, most: int | None = None) -> None:
        self._to_do = work.to_do
        self._team = workers.open(work, most)
        self._free: list[int] = []
        self._busy: dict[int, int] = {}
        self._tasks: dict[int, Any] = {}
        self._waiting: deque[int] = deque()
        self._outcomes: dict[int, Outcome] = {}
        self._deaths: Counter[int] = Counter()
        self._stillborn = 0
        self._next = 0
        self.lost: list[str] = []
        for seat in range(self._team.count):
            self._team.start(seat)

    @property
    def count(self) -> int:
        """Number of workers."""
        return self._team.count

    def submit(self, task: Any) -> int:
        """Add a task to those that wait; returns the number by which its result is asked for."""
        number, self._next = self._next, self._next + 1
        self._tasks[number] = task
        self._waiting.append(number)
        self._hand_out()
        return number

    def result(self, number: int) -> Any:
        """The result of a task, each asked for once; waits for it.

        Raises:
            RunError: the task has cost too many workers, or none can be started.
            Exception: what the work raised.
        """
        while number not in self._outcomes:
            self._turn()
        outcome = self._outcomes.pop(number)
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def finished(self) -> Iterator[tuple[int, Any]]:
        """All results that have not been asked for, by their numbers, as soon as each is known."""
        while self._tasks or self._outcomes:
            while not self._outcomes:
                self._turn()
            number = next(iter(self._outcomes))
            yield number, self.result(number)

    def _hand_out(self) -> None:
        while self._free and self._waiting:
            seat, number = self._free.pop(), self._waiting.popleft()
            self._busy[seat] = number
            self._team.give(seat, self._tasks[number])

    def _turn(self) -> None:
        """Wait until something happens, and let it be followed by what should."""
        for event in self._team.wait():
            match event:
                case Ready(seat):
                    self._stillborn = 0
                    self._free.append(seat)
                case Done(seat, outcome):
                    number = self._busy.pop(seat)
                    del self._tasks[number]
                    self._outcomes[number] = outcome
                    self._free.append(seat)
                case Died(seat, reason):
                    self._replace(seat, reason)
        self._hand_out()

    def _replace(self, seat: int, reason: str) -> None:
        self.lost.append(reason)
        if seat in self._free:
            self._free.remove(seat)
        elif seat in self._busy:
            number = self._busy.pop(seat)
            self._waiting.appendleft(number)
            self._deaths[number] += 1
            if self._deaths[number] == LIVES:
                raise RunError(self._given_up(f"{LIVES} workers in a row that had the same task", reason))
        else:
            self._stillborn += 1
            if self._stillborn == LIVES:
                raise RunError(self._given_up(f"{LIVES} workers in a row, before their first task,", reason))
        self._team.start(seat)

    def _given_up(self, who: str, reason: str) -> str:
        return (
            f"Processes that {self._to_do} have ended unexpectedly, {who} ({reason}): they were killed, ran out of "
            'memory, or the script that started them lacks `if __name__ == "__main__":`. What is finished is kept; '
            "start again to go on, with fewer workers if memory was short."
        )

    def close(self) -> None:
        """End all workers at once."""
        self._team.close()

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
