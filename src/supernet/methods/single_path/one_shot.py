"""One-Shot: Understanding and Simplifying One-Shot Architecture Search (Bender et al., ICML 2018)."""

from __future__ import annotations

from functools import partial

import torch

from supernet.train import Cosine, CrossEntropy, PathDropout, Recipe, TrainPaths, Updates
from supernet.train.schedules._protocol import LearningRate
from supernet.train.updates import Inactive


def one_shot(
    *,
    rate: float = 0.05,
    ramp: float = 1.0,
    learning_rate: float = 0.1,
    momentum: float = 0.9,
    weight_decay: float = 1e-4,
    schedule: LearningRate | None = None,
    ghost_batch: int | None = 32,
    inactive: Inactive = "freeze",
    clip_norm: float | None = 5.0,
) -> Recipe:
    """One-Shot: all candidates at once, with a path dropout that rises from 0 to r^(1/k).

    Ghost batch normalisation over groups of 32 images and weight decay on the parameters in use only, as the paper
    describes. There is no official code: rate, optimiser and its settings are a reconstruction. The paper scores
    architectures with the statistics of the evaluated batch (`statistics="batch"` in the zoo).

    Args:
        rate: Final probability r that a whole choice block is dropped.
        ramp: Share of the training over which r rises.
        learning_rate: Of SGD.
        momentum: Of SGD.
        weight_decay: On all parameters in use.
        schedule: Factor on the learning rate; default `Cosine()`.
        ghost_batch: Images that batch normalisation sees together; None: the whole batch.
        inactive: Treatment of parameters that no path used.
        clip_norm: Largest gradient norm.
    """
    return Recipe(
        name="one_shot",
        program=TrainPaths(sampler=PathDropout(rate, ramp), objective=CrossEntropy(), micro_batch=ghost_batch),
        weights=Updates(
            optimizer=partial(torch.optim.SGD, lr=learning_rate, momentum=momentum, weight_decay=weight_decay),
            schedule=schedule or Cosine(),
            clip_norm=clip_norm,
            inactive=inactive,
        ),
    )
