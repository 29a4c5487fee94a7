"""How far the stages of a subnet are from those of a teacher, summed up (DNA, DONNA)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.measure.scores.batch_statistics import recompute
from supernet.measure.scores.calibration import Calibration
from supernet.measure.scores.score import Subnet
from supernet.measure.untouched import placed_like, untouched
from supernet.nn import Supernet
from supernet.nn.stage_modules import StageNames, as_names, stage_choices, stage_names, stages_module
from supernet.train.objectives.feature_distance import Kind, feature_distance
from supernet.train.parts.projections import ProjectedStages
from supernet.train.parts.tapped_teacher import Tapped

ONE_BATCH = Calibration(mode="cumulative", images=64, batch_size=64)
"""The statistics of one training batch of 64, as DNA's released code resets batch norms with."""


@dataclass(frozen=True, kw_only=True)
class StageLoss:
    """The sum over stages of the distance from the teacher's features, each stage fed by the teacher; less is better.

    DNA, [arXiv 1911.13053](https://arxiv.org/abs/1911.13053), §3.4 and released code. A term depends on the choices of
    its stage alone, so a stage's paths are each rated once, however many architectures are asked for, and `terms` is a
    table for `search.Traversal`. Batch norms have statistics of their own for each path.

    Args:
        kind: How features are compared, see `FeatureDistance`.
        images: Number of validation images, the first ones, never augmented. Default: 19 batches of 64, as in DNA's
            released code, which takes them from ImageNet's validation folder.
        batch_size: Number of images per batch; the distance is the mean of the batches'.
        calibration: How batch norms are given statistics for a path, from training images.
        weights: Factors on the terms, one per stage; None: all count alike.
        names: The stages of the network, see `nn.stage_modules.stage_names`; None: those that it says it has.
        teacher: The part of the recipe that is the teacher, a `TappedTeacher`.
        projections: The part with the learned convolutions between both (`Projections`); None: none.

    Raises:
        UsageError: a number outside its range; while it runs, no such part, no data, or not as many weights as stages.
    """

    kind: Kind = "rating"
    images: int = 19 * 64
    batch_size: int = 64
    calibration: Calibration = field(default_factory=lambda: ONE_BATCH)
    weights: tuple[float, ...] | None = None
    names: StageNames | None = None
    teacher: str = "teacher"
    projections: str | None = None

    name: ClassVar[str] = "stage_loss"
    goal: ClassVar[Literal["max", "min"]] = "min"
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", as_names(self.names))
        if self.images < 1 or self.batch_size < 1:
            raise UsageError(
                f"Stages were to be rated on {self.images} images in batches of {self.batch_size}; give at least 1 of "
                "each."
            )

    def stages(self, net: Supernet) -> tuple[tuple[str, ...], ...]:
        """The choices of each stage, by name."""
        return stage_choices(net, self.names)

    def __call__(self, subnet: Subnet) -> float:
        """The sum of the terms.

        Raises:
            UsageError: see the class.
        """
        return sum(self.terms(subnet))

    def terms(self, subnet: Subnet) -> tuple[float, ...]:
        """The weighted distance of each stage, fed by the teacher."""
        found = []
        for number, choices in enumerate(self.stages(subnet.net)):
            key = (self, number, tuple(subnet.arch.code[subnet.net.space.column(name)] for name in choices))
            if key not in subnet.kept:
                subnet.kept[key] = self._distances(subnet, [number])[0]
            found.append(subnet.kept[key])
        return self._weighted(found)

    def whole(self, subnet: Subnet) -> tuple[float, ...]:
        """The weighted distance of each stage in the whole network, fed by the network's own earlier stages.

        Raises:
            UsageError: features are projected, so that stages do not follow each other; or as in calling it.
        """
        if self.projections is not None:
            raise UsageError(
                "The stages learn through projections, so that none takes what the one before it returns. Rate them "
                "fed by the teacher."
            )
        return self._weighted(self._distances(subnet, range(len(self.stages(subnet.net)))))

    def _weighted(self, found: Sequence[float]) -> tuple[float, ...]:
        weights = (1.0,) * len(found) if self.weights is None else self.weights
        if len(weights) != len(found):
            raise UsageError(f"{len(weights)} weights were given for {len(found)} stages; give one for each.")
        return tuple(weight * one for weight, one in zip(weights, found, strict=True))

    def _distances(self, subnet: Subnet, numbers: Sequence[int]) -> list[float]:
        """The mean distance over the batches of stages that follow each other, the first of them fed by the teacher."""
        net, seen = subnet.net, self._seen(subnet)
        names = stage_names(net, self.names)
        stages = [stages_module(net, [names[number]]) for number in numbers]
        row, first = nn.Sequential(*stages), numbers[0]
        through = self._through(subnet)
        enter: nn.Module = nn.Identity() if through is None else through.inputs[first]
        leave: nn.Module = nn.Identity() if through is None else through.outputs[first]
        found: list[list[Tensor]] = [[] for _ in numbers]
        with torch.no_grad(), untouched(row), net.active(subnet.arch):
            recompute(row, (enter(given[first]) for given, _ in seen.training), self.calibration)
            for given, features in seen.rated:
                x = enter(given[first])
                for number, stage, distances in zip(numbers, stages, found, strict=True):
                    x = stage(x)
                    distances.append(feature_distance(leave(x).float(), features[number], self.kind))
        return [float(torch.stack(distances).mean()) for distances in found]

    def _through(self, subnet: Subnet) -> Any:
        if self.projections is None:
            return None
        found = subnet.parts.get(self.projections)
        if not isinstance(found, ProjectedStages):
            raise UsageError(f"The part {self.projections!r} that projects features is missing; give the recipe one.")
        return found

    def _seen(self, subnet: Subnet) -> _Seen:
        """What the teacher makes of the images, once for all subnets."""
        key = (self, "seen")
        if key not in subnet.kept:
            teacher, data = subnet.parts.get(self.teacher), subnet.data
            if not isinstance(teacher, Tapped):
                known = ", ".join(map(repr, subnet.parts)) or "none"
                raise UsageError(
                    f"Stages are rated by a teacher, but the part {self.teacher!r} that it is, is missing; the parts "
                    f"are: {known}. Give the recipe parts={{{self.teacher!r}: Part(build=TappedTeacher(…))}}."
                )
            if data is None:
                raise UsageError("Stages are rated on images, but no data were given: pass Subnet(…, data=data).")

            def pairs(images: Iterator[Any]) -> list[tuple[list[Tensor], tuple[Tensor, ...]]]:
                placed = (placed_like(subnet.net, x) for x in images)
                features = ((x, teacher(x)) for x in placed)
                return [([x, *found[:-1]], found) for x, found in features]

            rated = (batch.x for batch in data.validation.batches(self.batch_size, limit=self.images))
            subnet.kept[key] = _Seen(pairs(rated), pairs(self.calibration.batches(data)))
        found: _Seen = subnet.kept[key]
        return found


class _Seen(NamedTuple):
    """What each stage is given, and the teacher's features, batch by batch."""

    rated: list[tuple[list[Tensor], tuple[Tensor, ...]]]
    training: list[tuple[list[Tensor], tuple[Tensor, ...]]]
