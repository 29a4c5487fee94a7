"""Learned convolutions between the channels of a teacher and those of the stages that learn from it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from supernet.errors import UsageError
from supernet.nn.stage_modules import StageNames, as_names, stage_shapes
from supernet.train.part import Setting
from supernet.train.parts.tapped_teacher import TappedTeacher


class ProjectedStages(nn.Module):
    """A 1x1 convolution into each stage but the first, and one out of each: (B, C, H, W) -> (B, C', H, W).

    Args:
        mine: The channels that the stages return.
        theirs: The channels of the teacher's features.

    Attributes:
        inputs: From the teacher's channels to those that a stage takes; nothing for the first, which is given images.
        outputs: From the channels that a stage returns to the teacher's.
    """

    def __init__(self, mine: tuple[int, ...], theirs: tuple[int, ...]) -> None:
        super().__init__()
        before = zip(theirs[:-1], mine[:-1], strict=True)
        self.inputs = nn.ModuleList([nn.Identity(), *(nn.Conv2d(there, here, 1) for there, here in before)])
        self.outputs = nn.ModuleList(nn.Conv2d(here, there, 1) for here, there in zip(mine, theirs, strict=True))


@dataclass(frozen=True, kw_only=True)
class Projections:
    """Builds `ProjectedStages` for a teacher, for a part of a recipe that is stepped with the weights.

    Args:
        teacher: The teacher, whose `project` is set.
        stages: The stages of the supernet, as the teacher has them.

    Raises:
        UsageError: the teacher does not say that features are projected.
    """

    teacher: TappedTeacher
    stages: StageNames | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", as_names(self.stages))
        if not self.teacher.project:
            raise UsageError("Projections stand between a teacher with project=True and the stages; set it there.")

    def __call__(self, setting: Setting) -> ProjectedStages:
        """The convolutions with fresh weights."""
        mine = tuple(shape[0] for shape in stage_shapes(setting.net, self.stages))
        return ProjectedStages(mine, self.teacher(setting).channels)
