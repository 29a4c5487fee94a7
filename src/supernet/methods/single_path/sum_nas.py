"""SUM-NAS: Supernet with Unbiased Meta-Features for Neural Architecture Search (Ha, Kim, Park and Chun, ICLR 2022)."""

from __future__ import annotations

from functools import partial

import torch

from supernet.train import (
    Cosine,
    CrossEntropy,
    Mean,
    MomentumSeparation,
    Recipe,
    Reptile,
    StrictFair,
    TrainPaths,
    Updates,
)
from supernet.train.samplers import OneGroup, Sampler
from supernet.train.schedules._protocol import LearningRate
from supernet.train.updates import Inactive


def sum_nas(
    *,
    inner_steps: int = 2,
    inner_learning_rate: float = 0.05,
    inner_momentum: float = 0.9,
    inner_clip_norm: float | None = 5.0,
    learning_rate: float = 1.0,
    momentum: float = 0.0,
    weight_decay: float = 4e-5,
    label_smoothing: float = 0.0,
    schedule: LearningRate | None = None,
    sampler: Sampler | None = None,
    states: MomentumSeparation | None = None,
    inactive: Inactive = "decay",
) -> Recipe:
    """SUM-NAS: m strictly fair paths per step each train by themselves for r steps; the weights go to where they end.

    θ ← θ − η (1/m) Σᵢ (θ − φᵢ), φᵢ being θ after r steps of SGD through path i. So the weights come to be near to what
    every subnet wants, where one subnet after another would overwrite what the last has learned. A step costs r · m
    forward and backward passes on one batch. There is no official code: the defaults, for batches of 256, are those of
    the implementation that PA&DA (Lu et al., CVPR 2023) compares with.

    Args:
        inner_steps: r, the steps of each path.
        inner_learning_rate: Of these steps.
        inner_momentum: Of these steps; it starts from zero in every path.
        inner_clip_norm: Largest gradient norm in these steps; None: any.
        learning_rate: η at the beginning.
        momentum: Of the outer steps.
        weight_decay: On all parameters, in the outer steps.
        label_smoothing: Of the cross-entropy.
        schedule: Factor on η; default `Cosine()`. `OnLoss(ComplexityAwareLR())` acts on the inner steps of each path.
        sampler: Rule that draws the paths; default `StrictFair()`.
        states: Separate momentum of the outer steps, which then has to be positive. Default: one momentum.
        inactive: Treatment of parameters that no path of a step used: they have come no way, and `"decay"` decays them.
    """
    paths = sampler or StrictFair()
    return Recipe(
        name="sum_nas",
        program=TrainPaths(
            sampler=paths if states is None else OneGroup(paths, states),
            objective=CrossEntropy(label_smoothing),
            combine=Mean(),
            gradient=Reptile(
                steps=inner_steps,
                learning_rate=inner_learning_rate,
                momentum=inner_momentum,
                clip_norm=inner_clip_norm,
            ),
        ),
        weights=Updates(
            optimizer=partial(torch.optim.SGD, lr=learning_rate, momentum=momentum, weight_decay=weight_decay),
            schedule=schedule or Cosine(),
            inactive=inactive,
            states=states,
        ),
    )
