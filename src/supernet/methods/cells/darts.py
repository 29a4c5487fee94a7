"""DARTS: Differentiable Architecture Search (Liu, Simonyan and Yang, ICLR 2019)."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch

from supernet.train import Bilevel, Cosine, CrossEntropy, Recipe, Softmax, Strongest, Updates
from supernet.train.schedules._protocol import LearningRate


def darts(
    *,
    order: Literal[1, 2] = 1,
    temperature: float = 1.0,
    first: Literal["architecture", "weights"] = "architecture",
    begin: float = 0.0,
    exclude: tuple[str, ...] = (),
    learning_rate: float = 0.025,
    momentum: float = 0.9,
    weight_decay: float = 3e-4,
    schedule: LearningRate | None = None,
    clip_norm: float | None = 5.0,
    architecture_learning_rate: float = 3e-4,
    architecture_betas: tuple[float, float] = (0.5, 0.999),
    architecture_weight_decay: float = 1e-3,
) -> Recipe:
    """DARTS: every candidate runs, weighted by softmax(α); α learns on validation data, the weights on training data.

    Defaults are the paper's. Split the training images in half for the two moves (`validation=0.5` of the data
    loaders). The architecture with the largest α per choice is derived. `first="weights"` and no `exclude` is the
    protocol of NAS-Bench-201; the DARTS space bans `none` with `exclude=("none",)`.

    Args:
        order: 1 or 2, the approximation of the architecture's gradient.
        temperature: Of the softmax.
        first: Family that moves first in a step.
        begin: Share of the training before α starts to learn.
        exclude: Options that may not be derived.
        learning_rate: Of SGD on the weights.
        momentum: Of SGD.
        weight_decay: On the weights.
        schedule: Factor on the weights' learning rate; default cosine from 0.025 to 0.001.
        clip_norm: Largest norm of the weights' gradient.
        architecture_learning_rate: Of Adam on α, constant.
        architecture_betas: Of Adam.
        architecture_weight_decay: On α.
    """
    return Recipe(
        name="darts" if order == 1 else "darts_second_order",
        program=Bilevel(
            relaxation=Softmax(temperature), objective=CrossEntropy(), order=order, first=first, begin=begin
        ),
        weights=Updates(
            optimizer=partial(torch.optim.SGD, lr=learning_rate, momentum=momentum, weight_decay=weight_decay),
            schedule=schedule or Cosine(floor=0.04),
            clip_norm=clip_norm,
        ),
        architecture=Updates(
            optimizer=partial(
                torch.optim.Adam,
                lr=architecture_learning_rate,
                betas=architecture_betas,
                weight_decay=architecture_weight_decay,
            ),
        ),
        derive=Strongest(exclude),
    )
