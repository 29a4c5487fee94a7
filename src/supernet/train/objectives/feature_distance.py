"""The distance of a stage's feature maps from those of a teacher (DNA, DONNA)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.train.alone import alone
from supernet.train.move import Objective, Outcome, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.parts.tapped_teacher import Tapped
from supernet.train.step import Step

Kind: TypeAlias = Literal["mse", "normalised", "rating"]
"""`"mse"`: the mean over all K entries of (s − t)². `"normalised"`: that divided by the variance of t, so that stages
can be added up. `"rating"`: mean |s − t| / std t, the standard deviation with K − 1, as DNA's released code rates."""


@dataclass(frozen=True, kw_only=True)
class FeatureDistance:
    """The distance of what a path returned, one stage's features s (B, C, H, W), from the teacher's t.

    DNA, [arXiv 1911.13053](https://arxiv.org/abs/1911.13053), eq. 5. The teacher runs once per batch for all paths of a
    move, and `Step.given` has the features of all its stages, by the name of the part, which feed `forwards.Stage` too.

    Args:
        stage: Number of the stage, from 0.
        kind: The distance: `"mse"`, `"normalised"` by the variance of t, or DNA's `"rating"`.
        part: The name of the teacher among the parts of the recipe, a `TappedTeacher`.
        through: The part whose `outputs` the features of the path go through first (`Projections`); None: none.
        labels: The loss of an architecture that is trained alone, without a teacher.

    Raises:
        UsageError: a value outside its range; while it runs, features of another shape.
    """

    stage: int
    kind: Kind = "mse"
    part: str = "teacher"
    through: str | None = None
    labels: Objective = field(default_factory=CrossEntropy)

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise UsageError(f"Features are compared by one of {get_args(Kind)}; got {self.kind!r}.")
        if self.stage < 0:
            raise UsageError(f"Stages are numbered from 0; got {self.stage}.")

    def chance(self, of_task: float) -> None:
        """None: how far apart features begin is not known beforehand."""

    def alone(self) -> Objective:
        """The loss of the labels."""
        return alone(self.labels)

    def prepare(self, paths: Sequence[Path], step: Step, batch: Batch) -> Mapping[str, Any]:
        """The features of the teacher's stages up to this one, by the name of the part."""
        return {self.part: step.part(self.part, Tapped)(batch.x, self.stage + 1)}

    def __call__(self, outcome: Outcome) -> Tensor:
        found = outcome.logits
        if self.through is not None:
            module: Any = outcome.step.parts[self.through]
            found = module.outputs[self.stage](found)
        return feature_distance(found, outcome.given[self.part][self.stage], self.kind)


def feature_distance(student: Tensor, teacher: Tensor, kind: Kind) -> Tensor:
    """The distance (a scalar) of features s from t, of one shape (B, …), see `Kind`.

    A teacher that is constant has no variance; then the smallest positive number of its type stands for it.

    Raises:
        UsageError: the shapes differ.
    """
    if student.shape != teacher.shape:
        raise UsageError(
            f"Features of the shape {tuple(student.shape)} were compared with a teacher's of {tuple(teacher.shape)}; "
            "give taps whose maps have that shape, or project=True where only the channels differ."
        )
    least = torch.finfo(teacher.dtype).tiny
    if kind == "rating":
        return (student - teacher).abs().mean() / teacher.std().clamp_min(least)
    squared = (student - teacher).square().mean()
    return squared if kind == "mse" else squared / teacher.var(correction=0).clamp_min(least)
