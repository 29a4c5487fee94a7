"""What an engine of workers is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from supernet.workers.work import Work


@dataclass(frozen=True)
class Outcome:
    """What came of a task.

    Attributes:
        value: What the work returned.
        error: What it raised; None: nothing.
    """

    value: Any = None
    error: Exception | None = None


@dataclass(frozen=True)
class Ready:
    """A worker has begun and takes tasks."""

    seat: int


@dataclass(frozen=True)
class Done:
    """A worker has finished its task."""

    seat: int
    outcome: Outcome


@dataclass(frozen=True)
class Died:
    """A worker has ended, with the task that it had."""

    seat: int
    reason: str


Event: TypeAlias = Ready | Done | Died


class Team(Protocol):
    """Workers of one kind that do one work. A seat holds a worker, and another one after it when it has died."""

    @property
    def count(self) -> int:
        """Number of seats, 0 … count − 1."""
        ...

    def start(self, seat: int) -> None:
        """Start a worker; `wait` says when it is ready."""
        ...

    def give(self, seat: int, task: Any) -> None:
        """Give a worker that is ready, and has no task, its next one."""
        ...

    def wait(self) -> Sequence[Event]:
        """What has happened since; waits until something has.

        Raises:
            RunError: nothing can happen any more, since no worker can be started.
        """
        ...

    def close(self) -> None:
        """End all workers at once, busy or not."""
        ...


class Workers(Protocol):
    """A kind of workers: a value that opens teams."""

    def check(self) -> None:
        """Raise what `open` would raise for a missing package.

        Raises:
            RunError: a package is not installed.
        """
        ...

    def open(self, work: Work, most: int | None = None) -> Team:
        """A team that does this work; no worker is started yet.

        Args:
            work: What each worker does.
            most: Largest number of workers that have something to do; None: any.

        Raises:
            UsageError: the work cannot be sent to another process, or there are fewer places than were asked for.
            RunError: there is no room for what the workers share, or the cluster does not answer.
        """
        ...
