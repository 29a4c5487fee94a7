"""One stage of the network alone, fed by a teacher or by the stages before it (DNA, DONNA, BossNAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.batch import Fields
from supernet.nn.output import Output
from supernet.nn.stage_modules import StageNames, as_names, stage_choices, stage_names, stages_module
from supernet.train.move import Path
from supernet.train.step import Step

Source: TypeAlias = Literal["teacher", "own"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Runs one stage: (B, C, H, W) images -> its feature maps (B, c, h, w), in the place of the logits.

    The first stage is given the images. A later one is given what a teacher has at the end of the stage before
    (DNA, [arXiv 1911.13053](https://arxiv.org/abs/1911.13053), §3.2), or what the network's own earlier stages make of
    the images, as the path decides them (BossNAS). Nothing else of the network runs: one stage, and with `"own"` those
    before it.

    Args:
        index: Number of the stage, from 0.
        source: Where its input comes from: the `"teacher"`, whose features `Move.prepare` has made, or the network's
            `"own"` earlier stages.
        gradient: Whether the own earlier stages have a gradient; otherwise they run without, but their batch norms
            use the statistics of the batch as in all of training.
        stages: The stages of the network, see `nn.stage_modules.stage_names`; None: those that it says it has.
        part: The name of the teacher among the parts, under which `Step.given` has its features.
        count: The number of stages that the network must have, all of which are to be trained; None: any number.
        through: What the features of the teacher go through on their way in, a part with a module for each stage
            (`Projections`); None: nothing.

    Raises:
        UsageError: a value outside its range, or a gradient of a teacher; before the training, a network without this
            stage, or whose stage has no choice.
    """

    index: int
    source: Source = "teacher"
    gradient: bool = False
    stages: StageNames | None = None
    part: str = "teacher"
    through: str | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", as_names(self.stages))
        if self.source not in get_args(Source):
            raise UsageError(f"A stage is fed by one of {get_args(Source)}; got source={self.source!r}.")
        if self.index < 0:
            raise UsageError(f"Stages are numbered from 0; got {self.index}.")
        if self.source == "teacher" and self.gradient:
            raise UsageError("A teacher has no gradient; leave gradient=True out, or take source='own'.")

    def check(self, net: Supernet) -> None:
        """Refuse a network without this stage, or whose stage has no choice."""
        names, choices = stage_names(net, self.stages), stage_choices(net, self.stages)
        if self.count not in (None, len(names)):
            raise UsageError(
                f"{self.count} stages are to be trained, but {type(net.module).__name__} has {len(names)}: "
                f"{' | '.join(', '.join(stage) for stage in names)}. Give as many rates as there are stages."
            )
        if self.index >= len(names):
            raise UsageError(
                f"Stage {self.index} was to run, but {type(net.module).__name__} has the stages 0 to {len(names) - 1}."
            )
        if not choices[self.index]:
            raise UsageError(
                f"Stage {self.index}, the modules {', '.join(names[self.index])}, has no choice, so there is nothing "
                "to choose by training it. Leave it out of the stages, or put it into the one before it."
            )

    def __call__(self, step: Step, path: Path, batch: Batch) -> Output:
        """One pass of the stage, which the log counts as one."""
        settings = path.settings
        if self.source == "own" or self.index == 0:
            return step.forward(path.decisions, batch, settings=settings, through=self._own)
        given = self.fed(step)
        return step.forward(path.decisions, Batch(given, batch.y), settings=settings, through=self._alone)

    def fed(self, step: Step) -> Tensor:
        """What a stage behind the first is given by the teacher.

        Raises:
            UsageError: nothing was prepared.
        """
        features: Sequence[Tensor] | None = step.given.get(self.part)
        if features is None:
            raise UsageError(
                f"Stage {self.index} is fed by the teacher {self.part!r}, but nothing has prepared its features. Give "
                "the move prepare=…, such as that of the objective FeatureDistance."
            )
        given = features[self.index - 1]
        if self.through is None:
            return given
        module: Any = step.parts[self.through]
        projected: Tensor = module.inputs[self.index](given)
        return projected

    def _alone(self, net: Supernet, x: Fields) -> Tensor:
        found: Tensor = stages_module(net, [stage_names(net, self.stages)[self.index]])(x)
        return found

    def _own(self, net: Supernet, x: Fields) -> Tensor:
        names = stage_names(net, self.stages)
        if self.index:
            with torch.set_grad_enabled(self.gradient and torch.is_grad_enabled()):
                x = stages_module(net, names[: self.index])(x)
        return self._alone(net, x)
