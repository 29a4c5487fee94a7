"""The sandwich rule with in-place distillation (US-Nets, Yu and Huang, ICCV 2019; BigNAS, Yu et al., ECCV 2020)."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch

from supernet.train import Cosine, InPlaceDistillation, Recipe, Sandwich, Sum, TrainPaths, Updates, Warmup
from supernet.train.combines._protocol import Combine
from supernet.train.schedules._protocol import LearningRate
from supernet.train.updates import Inactive


def sandwich(
    *,
    random: int = 2,
    temperature: float = 1.0,
    hard: float = 0.0,
    learning_rate: float = 0.1,
    momentum: float = 0.9,
    weight_decay: float = 1e-5,
    label_smoothing: float = 0.1,
    schedule: LearningRate | None = None,
    warmup: float = 0.014,
    combine: Combine | None = None,
    regularise: Literal["all", "first"] = "first",
    inactive: Inactive = "freeze",
    clip_norm: float | None = None,
    clip_value: float | None = 1.0,
    reference_batch: int | None = 256,
) -> Recipe:
    """Largest, random and smallest subnets each step; all but the largest learn from the largest.

    The largest subnet learns from the labels, the others from its softmax only; gradients are summed; dropout acts on
    the largest alone. The rule is the papers'. The optimiser is AttentiveNAS's, whose code is released: Nesterov SGD,
    0.1 per 256 images, cosine, 5 of 360 epochs of warm-up, weight decay 1e-5 on weights, gradient values clipped at 1.

    Args:
        random: Random subnets per step.
        temperature: Of the distillation.
        hard: Weight of the labels in the loss of the others.
        learning_rate: For batches of `reference_batch` images.
        momentum: Of SGD (Nesterov).
        weight_decay: On weights; biases and norms have none.
        label_smoothing: Of the largest subnet's cross-entropy.
        schedule: Factor on the learning rate after warm-up; default `Cosine()`.
        warmup: Share of the training in which the learning rate rises.
        combine: How the gradients become one; default `Sum()`.
        regularise: Whether dropout acts on the `"first"` (largest) subnet or on `"all"`.
        inactive: Treatment of parameters that no path used.
        clip_norm: Largest gradient norm.
        clip_value: Largest absolute gradient entry.
        reference_batch: Images per batch that `learning_rate` is meant for; None: any.
    """
    return Recipe(
        name="sandwich",
        program=TrainPaths(
            sampler=Sandwich(random),
            objective=InPlaceDistillation(label_smoothing, temperature, hard),
            combine=combine or Sum(),
            regularise=regularise,
        ),
        weights=Updates(
            optimizer=partial(
                torch.optim.SGD, lr=learning_rate, momentum=momentum, nesterov=momentum > 0, weight_decay=weight_decay
            ),
            schedule=Warmup(warmup, schedule or Cosine()),
            clip_norm=clip_norm,
            clip_value=clip_value,
            inactive=inactive,
            decay_vectors=False,
            reference_batch=reference_batch,
        ),
    )
