"""Phases: stretches of a training, each with its own program."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from supernet.data import Data
from supernet.errors import UsageError
from supernet.space import Option, Space
from supernet.train.context import Context, Edit
from supernet.train.programs._protocol import Program
from supernet.train.updates import Updates
from supernet.train.values._protocol import Number

__all__ = ["Phase"]


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of the training. Steps, progress and so all schedules count from its beginning, unless it is a `part`.

    Args:
        name: The name by which logs and errors call the phase.
        share: The phase's share of all steps, relative to those of the other phases.
        program: The program that yields the moves of a step.
        enter: Called before its first step, to change the network, to decide choices or to start from weights of an
            earlier phase. A training that is resumed just there calls it again on the same state, so it must depend on
            nothing else. If it has a method `check(net)`, that is called before the training, to refuse a supernet.
        leave: Called after its last step, also where `until` has ended it, before a checkpoint holds the step; a
            method `check(net)` of it is called before the training.
        restart: Whether optimisers forget their state (momentum) at the beginning.
        part: The shares of a longer training at which it begins and ends, as schedules and all that asks for the
            progress see it: one half of a cosine is (0, 0.5). The default is a whole training of its own.
        restrict: The options that are allowed from its beginning on, by the names of choices: a function of the whole
            space, which may also give options back. None: the restriction stays as it is.
        updates: How some families of parameters are stepped in this phase, by name; others as the recipe says.
        batch: The size of its batches, as a factor on that of the training.
        data: What it makes of the data of the training, such as other labels; None: nothing.
        settings: Scalars that layers read, beside those of `Recipe.settings`.
        edits: Changes after the moves of a step, after those of `Recipe.edits`.
        until: Asked after each step; the reason that it returns ends the phase. Later phases keep their lengths. It may
            have a method `caution`, see `Edit.apply`.

    Raises:
        UsageError: the share or the batch is not positive, or the part is none.
    """

    name: str
    share: float
    program: Program
    enter: Callable[[Context], None] | None = None
    leave: Callable[[Context], object] | None = None
    restart: bool = True
    part: tuple[float, float] = (0.0, 1.0)
    restrict: Callable[[Space], Mapping[str, Sequence[Option]]] | None = None
    updates: Mapping[str, Updates] = field(default_factory=dict)
    batch: float = 1.0
    data: Callable[[Data], Data] | None = None
    settings: Mapping[str, Number] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()
    until: Callable[[Context], str | None] | None = None

    def __post_init__(self) -> None:
        for what, value in (("share", self.share), ("batch", self.batch)):
            if not 0 < value < float("inf"):
                raise UsageError(f"The phase {self.name!r} has a {what} of {value}; give a positive number.")
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


def rewrites(phase: Phase) -> bool:
    """Whether the phase changes the structure of the network, at its beginning or end or by an edit: it `rewrites`."""
    changes = (phase.enter, phase.leave, *(edit.apply for edit in phase.edits))
    return any(getattr(change, "rewrites", False) for change in changes)


class Stretch(NamedTuple):
    """A phase with its length in a training."""

    phase: Phase
    steps: int

    def place(self, done: int) -> tuple[int, int]:
        """The index and the total (see `Step`) of the step that comes after `done` steps of the phase."""
        begin, end = self.phase.part
        total = round(self.steps / (end - begin))
        return min(round(begin * total), total - self.steps) + done, total

    @property
    def feeds(self) -> bool:
        """Whether the phase has batches of its own."""
        return self.phase.batch != 1 or self.phase.data is not None


def plan(phases: Sequence[Phase], steps: int) -> tuple[Stretch, ...]:
    """The phases with their lengths, which add up to `steps`.

    Raises:
        UsageError: there are fewer steps than phases, or a phase would get none.
    """
    lengths = _lengths(phases, steps)
    whole = sum(phase.share for phase in phases)
    for phase, length in zip(phases, lengths, strict=True):
        if length < 1:
            enough = math.ceil(whole / min(phase.share for phase in phases) - 1e-9)
            enough += min(_lengths(phases, enough)) < 1  # two ends that lie halfway may be rounded to the same step
            raise UsageError(
                f"The phase {phase.name!r} gets none of {steps} steps (share {phase.share / whole:.3g}). Train for "
                f"{enough} steps or more."
            )
    return tuple(map(Stretch, phases, lengths))


def _lengths(phases: Sequence[Phase], steps: int) -> list[int]:
    shares = np.cumsum([phase.share for phase in phases])
    found: list[int] = np.diff(np.round(steps * shares / shares[-1]), prepend=0).astype(int).tolist()
    return found
