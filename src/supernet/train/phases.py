"""Phases: stretches of a training, each with its own program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Space
from supernet.train.executor import Executor
from supernet.train.programs._protocol import Program
from supernet.train.updates import Stepper

__all__ = ["Entry", "Phase"]


@dataclass(frozen=True)
class Entry:
    """What the beginning of a phase may look at and change.

    Attributes:
        executor: Runs the supernet; what it is asked at the beginning of a phase counts like any other pass.
        seed: A seed that depends on the training's and on the phase.
    """

    executor: Executor
    seed: int

    @property
    def net(self) -> Supernet:
        """The supernet, on its device."""
        return self.executor.net

    @property
    def steppers(self) -> Mapping[str, Stepper]:
        """How each family of parameters is stepped."""
        return self.executor.steppers

    def batch(self, number: int) -> Batch:
        """The training batch (B, C, H, W) with this number, augmented; the same whenever it is asked for."""
        executor = self.executor
        return executor.placed(next(executor.data.train.stream(executor.batch_size, seed=self.seed, start=number)))


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of the training. Steps, progress and so all schedules count from its beginning, unless it is a `part`.

    Args:
        name: The name by which logs and errors call the phase.
        share: The phase's share of all steps, relative to those of the other phases.
        program: The program that yields the moves of a step.
        enter: Called before its first step, to change the network or to start from weights of an earlier phase. A
            training that is resumed just there calls it again on the same state, so it must depend on nothing else.
        restart: Whether optimisers forget their state (momentum) at the beginning.
        part: The shares of a longer training at which it begins and ends, as schedules and all that asks for the
            progress see it: one half of a cosine is (0, 0.5). The default is a whole training of its own.

    Raises:
        UsageError: the share is not positive, or the part is none.
    """

    name: str
    share: float
    program: Program
    enter: Callable[[Entry], None] | None = None
    restart: bool = True
    part: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if not self.share > 0:
            raise UsageError(f"The phase {self.name!r} has a share of {self.share}; give a positive number.")
        begin, end = self.part
        if not 0 <= begin < end <= 1:
            raise UsageError(
                f"The phase {self.name!r} goes from {begin} to {end} of a longer training; give two shares between 0 "
                "and 1, the smaller one first."
            )


@runtime_checkable
class PhasesBySpace(Protocol):
    """Phases that depend on the space, such as one for each part of it."""

    def phases(self, space: Space) -> tuple[Phase, ...]:
        """The phases on this space."""
        ...


class Stretch(NamedTuple):
    """A phase with its place in a training."""

    phase: Phase
    start: int
    steps: int

    def place(self, done: int) -> tuple[int, int]:
        """The index and the total (see `Step`) of the step that comes after `done` steps of the whole training."""
        begin, end = self.phase.part
        total = round(self.steps / (end - begin))
        return min(round(begin * total), total - self.steps) + done - self.start, total


def plan(phases: Sequence[Phase], steps: int) -> tuple[Stretch, ...]:
    """The phases with their first steps and lengths, which add up to `steps`.

    Raises:
        UsageError: there are fewer steps than phases, or a phase would get none.
    """
    shares = np.cumsum([phase.share for phase in phases])
    ends = np.round(steps * shares / shares[-1]).astype(int).tolist()
    starts = [0, *ends[:-1]]
    stretches = tuple(Stretch(p, a, b - a) for p, a, b in zip(phases, starts, ends, strict=True))
    for stretch in stretches:
        if stretch.steps < 1:
            raise UsageError(
                f"The phase {stretch.phase.name!r} gets none of {steps} steps (share "
                f"{stretch.phase.share / float(shares[-1]):.3g}). Train for more steps."
            )
    return stretches
