"""Stages in which leaf after leaf is trained, with twice as many leaves in each (GM-NAS)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from supernet.errors import UsageError
from supernet.space import Space
from supernet.train.edits.split_by_gradients import SplitByGradients
from supernet.train.phases import Phase
from supernet.train.programs._protocol import Program
from supernet.train.samplers.within import within

Span: TypeAlias = Literal["training", "stage"]


@dataclass(frozen=True, kw_only=True)
class StageAfterStage:
    """Phases: in each stage leaf after leaf, twice as many as in the stage before.

    Args:
        program: The program that trains a leaf.
        epochs: The share of each leaf's training, per stage.
        split: What divides the leaves between stages.
        fresh: Whether the leaves of the last stage start from fresh weights.
        schedule_over: Whether a schedule spans all stages of a leaf's `"training"`, or each `"stage"`.

    Raises:
        UsageError: fewer than two stages, or an unknown `schedule_over`.
    """

    program: Program
    epochs: tuple[float, ...]
    split: SplitByGradients
    fresh: bool
    schedule_over: Span

    def __post_init__(self) -> None:
        if len(self.epochs) < 2:
            raise UsageError(f"GM-NAS was given the stages {self.epochs}; it needs two or more, with a split between.")
        if self.schedule_over not in get_args(Span):
            raise UsageError(f"A schedule is over one of {get_args(Span)}; got schedule_over={self.schedule_over!r}.")

    def phases(self, space: Space) -> tuple[Phase, ...]:
        """The phases; a split stands before the first leaf of every stage but the first."""
        last = len(self.epochs) - 1
        return tuple(
            Phase(
                name=f"stage {stage}, leaf {leaf}",
                share=share,
                program=within(self.program, leaf),
                enter=replace(self.split, fresh=self.fresh and stage == last) if stage > 0 and leaf == 0 else None,
                part=self._part(stage),
            )
            for stage, share in enumerate(self.epochs)
            for leaf in range(2**stage)
        )

    def _part(self, stage: int) -> tuple[float, float]:
        """Of the schedule, what the leaves of a stage go through."""
        if self.schedule_over == "stage":
            return 0.0, 1.0
        begins_anew = self.fresh and stage == len(self.epochs) - 1
        done, total = 0.0 if begins_anew else sum(self.epochs[:stage]), sum(self.epochs)
        return done / total, min(1.0, (done + self.epochs[stage]) / total)
