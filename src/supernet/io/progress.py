"""Progress of long work: a bar in a terminal, plain lines elsewhere, nothing for what is over at once."""

from __future__ import annotations

import sys
import time
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PATIENCE_SECONDS = 2.0
_LINE_EVERY_SECONDS = 10.0
_AROUND: ContextVar[ProgressBar | None] = ContextVar("around", default=None)


def within(title: str, total: int, *, unit: str) -> ProgressBar:
    """The progress of something long that is done as a part of other work, such as a measurement along a training.

    In a terminal it stands below the bar of that work. It shows nothing where that shows nothing, or there is none.
    """
    around = _AROUND.get()
    return ProgressBar(title, total, unit=unit, enabled=around is not None and around.enabled)


class ProgressBar:
    """Shows rate, remaining time and a short status on standard error, once the work has taken two seconds.

    Args:
        title: Name of the work, such as "train".
        total: Number of units of work.
        unit: Name of a unit, in the plural.
        start: Number of units that were done before (a resumed run).
        enabled: Whether to show anything.
    """

    def __init__(self, title: str, total: int, *, unit: str = "steps", start: int = 0, enabled: bool = True) -> None:
        self.title, self.total, self.unit, self.enabled = title, total, unit, enabled
        self._first = self.done = start
        self._began = time.monotonic()
        self._spoke = self._began + _PATIENCE_SECONDS - _LINE_EVERY_SECONDS
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._around: ProgressBar | None = None
        self._entered: Token[ProgressBar | None] | None = None

    def update(self, done: int, status: str = "") -> None:
        """Report that `done` units are complete."""
        self.done = done
        now = time.monotonic()
        if not self.enabled or now - self._began < _PATIENCE_SECONDS:
            return
        if sys.stderr.isatty():
            bar, task = self._shown()
            bar.update(task, completed=done, total=self.total, status=status, rate=self._rate())
        elif now - self._spoke >= _LINE_EVERY_SECONDS or (done == self.total and self._spoke > self._began):
            self._spoke = now
            left = (self.total - done) / max(self._speed(), 1e-9)
            self.say(
                f"{self.title}: {done}/{self.total} {self.unit}, {self._rate()}, {left:.0f} s left  {status}".rstrip()
            )

    def say(self, sentence: str) -> None:
        """A sentence of its own, above the bar."""
        if self._bar is not None:
            self._bar.console.print(sentence)
        elif self.enabled:
            sys.stderr.write(sentence + "\n")
            sys.stderr.flush()

    def _speed(self) -> float:
        return (self.done - self._first) / max(time.monotonic() - self._began, 1e-9)

    def _rate(self) -> str:
        speed = self._speed()
        return f"{speed:.1f} {self.unit}/s" if speed >= 1 or speed == 0 else f"{1 / speed:.1f} s each"

    def _shown(self) -> tuple[Progress, TaskID]:
        """The bar in the terminal, which work shares with what is done as a part of it, and the line of this work."""
        if self._bar is None or self._task is None:
            self._bar = self._opened() if self._around is None else self._around._shown()[0]
            self._task = self._bar.add_task(self.title, total=self.total, completed=self.done, status="", rate="")
        return self._bar, self._task

    @staticmethod
    def _opened() -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[status]}"),
            console=Console(stderr=True),
            refresh_per_second=4,
        )
        bar.start()
        return bar

    def __enter__(self) -> ProgressBar:
        around = _AROUND.get()
        self._around = around if around is not None and around.enabled else None
        self._entered = _AROUND.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._entered is not None:
            _AROUND.reset(self._entered)
        if self._bar is None or self._task is None:
            return
        if self._around is None:
            self._bar.stop()
        else:
            self._bar.remove_task(self._task)
