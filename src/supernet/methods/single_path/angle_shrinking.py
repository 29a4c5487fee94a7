"""ABS: Angle-based Search Space Shrinking for Neural Architecture Search (Hu et al., ECCV 2020)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.methods.single_path.rlnas import WEIGHTS
from supernet.nn import Supernet
from supernet.paper import Paper
from supernet.space import Space
from supernet.train import CopyOfNet, CrossEntropy, Part, Phase, Recipe, Sampler, TrainPaths, Uniform, Updates
from supernet.train.context import Context
from supernet.train.edits.cells import operations_of
from supernet.train.edits.drop_options import DropOptions
from supernet.train.move import FINISHED
from supernet.train.optimisers._protocol import check_number
from supernet.train.ratings.scored import Scored
from supernet.train.scores.angle import Angle

PAPER = Paper(
    name="ABS",
    title="Angle-based Search Space Shrinking for Neural Architecture Search",
    authors=("Hu", "Liang", "Guo", "Wan", "Zhang", "Wei", "Gu", "Sun"),
    venue="ECCV",
    year=2020,
    arxiv="2004.13431",
    provenance="official code",
)

DROP = DropOptions(rating=Scored(Angle(ends="last")), max_macs=600e6)


def angle_shrinking(
    *,
    sampler: Sampler = Uniform(),
    drop: DropOptions = DROP,
    threshold: float = 1e6,
    first_epochs: float = 100,
    stage_epochs: float = 5,
    schedule_epochs: float = 250,
    rebase: int | None = 50,
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """ABS: single paths; after each stage the options whose subnets have turned least are dropped.

    [arXiv 2004.13431](https://arxiv.org/abs/2004.13431), algorithm 2. The training ends when at most `threshold`
    architectures are left; searches then take these alone. The defaults are the released code's for SPOS on the
    MobileNet space of ImageNet: a first stage of 100 epochs and further ones of 5, along one schedule of 250; 7 options
    per stage, each rated by 1,000 subnets of at most 600 M MACs. On FairNAS's space it is
    `sampler=StrictFair()` with `count=None` and 330 M, on DARTS's `count=None`, stages of 150 and 20, no limit and
    `rebase=None`.

    Args:
        sampler: The rule that draws paths.
        drop: What is dropped after a stage.
        threshold: The number of architectures at which the space is small enough.
        first_epochs: The length of the first stage, relative to the others.
        stage_epochs: The length of each further stage.
        schedule_epochs: The length that the schedule of the learning rate is stretched over; no less than all stages.
        rebase: Once more options than this have been dropped, angles are measured from the weights of that time; None:
            always from the initial ones.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How the supernet's weights are stepped.

    Raises:
        UsageError: a number outside its range.
    """
    program = ShrinkByStages(
        program=TrainPaths(sampler=sampler, objective=CrossEntropy(label_smoothing)),
        shrink=Shrink(drop=drop, threshold=threshold, rebase=rebase),
        first=first_epochs,
        further=stage_epochs,
        schedule=schedule_epochs,
    )
    initial = Part(build=CopyOfNet(), mode="eval")
    return Recipe(name="angle_shrinking", program=program, weights=weights, parts={"initial": initial})


@dataclass(frozen=True, kw_only=True)
class Shrink:
    """What ends a stage: options are dropped, and the training ends once few enough architectures are left."""

    drop: DropOptions
    threshold: float
    rebase: int | None

    def __post_init__(self) -> None:
        check_number("The number of architectures that are left", self.threshold, above=0)
        if self.rebase is not None and self.rebase < 0:
            raise UsageError(f"rebase is {self.rebase}; give the number of dropped options, or None.")

    def __call__(self, context: Context) -> None:
        before = context.memory.get("dropped", 0)
        dropped = context.memory["dropped"] = before + int(self.drop(context)["dropped"])
        if self.rebase is not None and before <= self.rebase < dropped:
            context.step.part("initial", Supernet).load_state_dict(context.net.state_dict())
        left = context.restriction.space.size
        if left <= self.threshold:
            context.memory[FINISHED] = f"{left:,} architectures are left"

    def rounds(self, space: Space) -> int:
        """The largest number of stages it can take."""
        operations = {choice.name for choice in operations_of(space)}
        others = math.prod(len(space.allowed(name)) for name in space.names if name not in operations)
        left = [len(space.allowed(name)) for name in operations]
        found = 0
        while others * math.prod(left) > self.threshold and max(left, default=1) > 1:
            found += 1
            if self.drop.count is None:
                left = [max(1, options - 1) for options in left]
            else:
                for _ in range(self.drop.count):  # from the largest choice, which loses least
                    left[left.index(max(left))] = max(1, max(left) - 1)
        return found


@dataclass(frozen=True, kw_only=True)
class ShrinkByStages:
    """Stages of a training, each of which drops options at its end, along one schedule of the learning rate."""

    program: TrainPaths
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
