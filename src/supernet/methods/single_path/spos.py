"""SPOS: Single Path One-Shot Neural Architecture Search with Uniform Sampling (Guo et al., ECCV 2020)."""

from __future__ import annotations

from functools import partial

import torch

from supernet.train import CrossEntropy, Linear, Recipe, TrainPaths, Uniform, Updates
from supernet.train.samplers import Sampler
from supernet.train.schedules._protocol import LearningRate
from supernet.train.states._protocol import StateGroups
from supernet.train.updates import Inactive


def spos(
    *,
    learning_rate: float = 0.5,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 4e-5,
    label_smoothing: float = 0.1,
    schedule: LearningRate | None = None,
    sampler: Sampler | None = None,
    states: StateGroups | None = None,
    inactive: Inactive = "freeze",
    clip_norm: float | None = None,
    reference_batch: int | None = 1024,
) -> Recipe:
    """SPOS: one uniformly sampled path per step.

    The defaults are the paper's ImageNet setting: SGD at 0.5 for batches of 1024, linear decay to 0, weight decay
    4e-5 on weights only, label smoothing 0.1, unsampled parameters left alone. Search with `search.evolution`,
    calibrating batch normalisation for every candidate.

    Args:
        learning_rate: For batches of `reference_batch` images.
        momentum: Of SGD.
        nesterov: Whether the momentum is Nesterov's.
        weight_decay: On weights; biases and norms have none.
        label_smoothing: Of the cross-entropy.
        schedule: Factor on the learning rate; default `Linear()`. `ComplexityAwareLR()` makes it subnet-aware.
        sampler: Rule that draws paths; default `Uniform()`. The released code spreads MACs evenly: `CostBins(…)`.
        states: Which paths share a momentum; default: all. `MomentumSeparation()` separates groups.
        inactive: Treatment of unsampled parameters.
        clip_norm: Largest gradient norm.
        reference_batch: Images per batch that `learning_rate` is meant for; None: any.
    """
    return Recipe(
        name="spos",
        program=TrainPaths(sampler=sampler or Uniform(), objective=CrossEntropy(label_smoothing)),
        weights=Updates(
            optimizer=partial(
                torch.optim.SGD, lr=learning_rate, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay
            ),
            schedule=schedule or Linear(),
            clip_norm=clip_norm,
            inactive=inactive,
            decay_vectors=False,
            reference_batch=reference_batch,
            states=states,
        ),
    )
