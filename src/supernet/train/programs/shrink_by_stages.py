"""Stages of a training that end with a smaller space, as many as the space needs (ABS)."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.space import Space
from supernet.train.edits.shrink import Shrink
from supernet.train.optimisers._protocol import check_number
from supernet.train.phases import Phase
from supernet.train.programs._protocol import Program


@dataclass(frozen=True, kw_only=True)
class ShrinkByStages:
    """Stages of a training, each of which drops options at its end, along one schedule of the learning rate (ABS).

    [arXiv 2004.13431](https://arxiv.org/abs/2004.13431), algorithm 2. There are as many stages as can be needed.

    Args:
        program: The moves of a step, the same in all stages.
        shrink: What ends a stage.
        first: The length of the first stage, in the unit of the other two, such as epochs.
        further: The length of each further stage.
        schedule: The length that the schedule of the learning rate is stretched over; no less than all stages.

    Raises:
        UsageError: a length that is not positive.
    """

    program: Program
    shrink: Shrink
    first: float
    further: float
    schedule: float

    def __post_init__(self) -> None:
        for name in ("first", "further", "schedule"):
            check_number(f"The length of the stages ({name})", getattr(self, name), above=0)

    def phases(self, space: Space) -> tuple[Phase, ...]:
        """The stages on this space.

        Raises:
            UsageError: the space is small enough already.
        """
        rounds = self.shrink.rounds(space)
        if not rounds or space.size <= self.shrink.threshold:
            raise UsageError(
                f"The space has {space.size:,} architectures, and is to be shrunk to {self.shrink.threshold:,.0f}. "
                "Give a smaller threshold."
            )
        ends = [self.first + self.further * number for number in range(rounds)]
        whole = max(self.schedule, ends[-1])
        return tuple(
            Phase(
                name=f"stage {number}",
                share=end - begin,
                program=self.program,
                leave=self.shrink,
                restart=False,
                part=(begin / whole, min(1.0, end / whole)),
            )
            for number, (begin, end) in enumerate(zip([0.0, *ends[:-1]], ends, strict=True), start=1)
        )
