"""Measurements along a training: whether the gradients of paths agree with each other, and with the momentum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import combinations

import numpy as np
from torch import Tensor

from supernet.data import Batch, Data
from supernet.errors import UsageError
from supernet.measure.conflict import Agreement, Gradient, agreement, path_gradients
from supernet.nn.memory_layout import image_layout
from supernet.space import Arch
from supernet.train.executor import Executor
from supernet.train.move import Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.step import Step

CONFLICT = "conflict"


@dataclass(frozen=True)
class GradientConflict:
    """Cosines between the gradients of some random subnets, and between these and the momentum of the optimiser.

    For the log, on the same plain training images every time:

    - `conflict/paths`: the mean cosine of a pair of subnets over all parameters that both use, see
      `measure.gradient_conflict`; `conflict/paths, augmented` the same on images as they are augmented for training,
      which makes gradients contradict each other more (NASViT,
      [OpenReview](https://openreview.net/forum?id=Qaw16njk6L)).
    - `conflict/negative`, `conflict/negative, augmented`: the share of pairs with an obtuse angle.
    - `conflict/momentum`, `conflict/momentum, augmented`: the mean cosine of a subnet's gradient with the momentum that
      its update would go on with (the noisy momentum of subnet-aware training,
      [arXiv 2503.10740](https://arxiv.org/abs/2503.10740)). It is missing where the optimiser keeps none.
    - `conflict/layer/NAME`: the cosine of a pair on one layer.

    The loss is that of the task, whatever the method trains by. It costs two gradients for each subnet, which the log
    does not count, and changes nothing.

    Args:
        data: The data; only training images are used.
        every: Number of steps between two measurements.
        paths: Number of subnets, two or more; they stay the same throughout.
        images: Number of training images that gradients are computed on.
        layers: Whether the log has each layer too.
        seed: The seed that subnets and augmentation are drawn with.

    Raises:
        UsageError: fewer than two subnets or images.
    """

    data: Data
    _: KW_ONLY
    every: int
    paths: int = 4
    images: int = 128
    layers: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.paths < 2 or self.images < 2:
            raise UsageError(
                f"Gradients were to be compared between {self.paths} subnets on {self.images} images; give two or more "
                "of both."
            )

    def __call__(self, step: Step) -> Mapping[str, float]:
        archs = step.space.wrap(step.space.population(np.random.default_rng(self.seed), self.paths))
        images = min(self.images, len(self.data.train))
        plain = next(self.data.train.batches(images, limit=images))
        augmented = next(self.data.train.stream(images, seed=self.seed))
        found: dict[str, float] = {}
        for batch, suffix in ((plain, ""), (augmented, ", augmented")):
            gradients = self._gradients(step, archs, batch)
            between = agreement(list(combinations(gradients, 2)))
            found |= _told(between, suffix)
            pairs = [(g, momentum(step, arch)) for g, arch in zip(gradients, archs, strict=True)]
            if (along := agreement(pairs).cosine) is not None:
                found[f"{CONFLICT}/momentum{suffix}"] = along
            if self.layers and not suffix:
                found |= {f"{CONFLICT}/layer/{name}": cosine for name, cosine in between.layers.items()}
        return found

    def _gradients(self, step: Step, archs: Sequence[Arch], batch: Batch) -> list[Gradient]:
        device = next(step.net.parameters()).device
        placed = batch.to(device, image_layout(step.net, device))
        return path_gradients(step.net, archs, placed, task=self.data.task)


def momentum(step: Step, arch: Arch) -> Gradient:
    """What the optimisers remember of past gradients and an update through this subnet would go on with, by parameter.

    It is SGD's and RMSprop's momentum, or Adam's first moment; empty where there is none yet.
    """
    if not isinstance(step.runner, Executor):
        return {}
    names: dict[Tensor, str] = {p: name.removeprefix("module.") for name, p in step.net.named_parameters()}
    found: dict[str, Tensor] = {}
    for stepper in step.runner.steppers.values():
        states = stepper.updates.states
        group = 0 if states is None else states.group(step, [Path(arch, CrossEntropy())])
        for parameter, state in stepper.states.get(group, {}).items():
            kept = state.get("momentum_buffer", state.get("exp_avg"))
            if parameter in names and kept is not None:
                found[names[parameter]] = kept
    return found


def _told(between: Agreement, suffix: str) -> dict[str, float]:
    values = {"paths": between.cosine, "negative": between.negative}
    return {f"{CONFLICT}/{name}{suffix}": value for name, value in values.items() if value is not None}
