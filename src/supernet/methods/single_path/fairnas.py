"""FairNAS: Rethinking Evaluation Fairness of Weight Sharing NAS (Chu, Zhang and Xu, ICCV 2021)."""

from __future__ import annotations

from functools import partial

import torch

from supernet.train import (
    Cosine,
    CrossEntropy,
    MomentumSeparation,
    OneGroup,
    Recipe,
    StrictFair,
    Sum,
    TrainPaths,
    Updates,
)
from supernet.train.combines._protocol import Combine
from supernet.train.schedules._protocol import LearningRate
from supernet.train.updates import Inactive


def fairnas(
    *,
    learning_rate: float = 0.045,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 4e-5,
    label_smoothing: float = 0.0,
    schedule: LearningRate | None = None,
    combine: Combine | None = None,
    states: MomentumSeparation | None = None,
    inactive: Inactive = "freeze",
    clip_norm: float | None = None,
    reference_batch: int | None = 256,
) -> Recipe:
    """FairNAS: m paths per step that use every option of every choice once, gradients summed, one update.

    A step costs m forward and backward passes: compare with single-path methods at equal passes. The optimiser's
    defaults (SGD 0.045 at batch 256, cosine, weight decay 4e-5) are a reconstruction; the supernet's training code
    was not released.

    Args:
        learning_rate: For batches of `reference_batch` images.
        momentum: Of SGD.
        nesterov: Whether the momentum is Nesterov's.
        weight_decay: On all parameters.
        label_smoothing: Of the cross-entropy.
        schedule: Factor on the learning rate; default `Cosine()`. `OnLoss(ComplexityAwareLR())` gives each path a
            factor of its own.
        combine: How the m gradients become one; default `Sum()`, as in the paper's algorithm 1.
        states: Separate momentum, by edge. All m paths of a step then take one random option on that edge (`OneGroup`)
            and are strictly fair on the others; default: one momentum.
        inactive: Treatment of unsampled parameters (there are none where every choice picks an operation).
        clip_norm: Largest norm of the combined gradient.
        reference_batch: Images per batch that `learning_rate` is meant for; None: any.
    """
    sampler = StrictFair() if states is None else OneGroup(StrictFair(), states)
    return Recipe(
        name="fairnas",
        program=TrainPaths(sampler=sampler, objective=CrossEntropy(label_smoothing), combine=combine or Sum()),
        weights=Updates(
            optimizer=partial(
                torch.optim.SGD, lr=learning_rate, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay
            ),
            schedule=schedule or Cosine(),
            clip_norm=clip_norm,
            inactive=inactive,
            reference_batch=reference_batch,
            states=states,
        ),
    )
