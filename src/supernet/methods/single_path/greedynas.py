"""GreedyNAS: Towards Fast One-Shot NAS with Greedy Supernet (You et al., CVPR 2020)."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch

from supernet.errors import UsageError
from supernet.train import (
    Budget,
    Cosine,
    CrossEntropy,
    Greedy,
    Recipe,
    TrainInTurn,
    Uniform,
    Updates,
    ValidationError,
    ValidationLoss,
)
from supernet.train.schedules._protocol import LearningRate
from supernet.train.updates import Inactive


def greedynas(
    *,
    candidates: int = 10,
    keep: int = 5,
    pool: int = 1000,
    images: int | None = 1000,
    rate_by: Literal["loss", "accuracy"] = "loss",
    epsilon: float = 0.8,
    warmup: float = 0.07,
    max_macs: float | None = None,
    stop_turnover: float | None = None,
    learning_rate: float = 0.12,
    momentum: float = 0.9,
    nesterov: bool = True,
    weight_decay: float = 4e-5,
    label_smoothing: float = 0.1,
    schedule: LearningRate | None = None,
    inactive: Inactive = "freeze",
    clip_norm: float | None = None,
    reference_batch: int | None = 1024,
) -> Recipe:
    """GreedyNAS: of ten paths rated on validation images, the best five are trained one after another.

    Each candidate comes from a pool of the best seen so far with probability ε, else it is uniform. Training code was
    not released: beyond the rule the settings are a reconstruction. A step makes `keep` updates on as many batches and
    rates `candidates` architectures on `images` images; compare with other methods at equal updates, or equal time.

    The labels of the validation images decide what is trained. Accuracies on them flatter the supernet: report on test
    images.

    Args:
        candidates: Paths that are rated per step (m).
        keep: Paths that are trained per step (k), each on a batch of its own.
        pool: Largest number of architectures in the candidate pool.
        images: Validation images for the rating; None: all.
        rate_by: What is rated; the paper prefers the loss, which tells more architectures apart on few images.
        epsilon: Final probability of drawing from the pool.
        warmup: Share of the training without the pool.
        max_macs: Largest MACs of the paths that are trained; default: any.
        stop_turnover: End the training when at most this share of the pool was replaced while as many paths were rated
            as it holds (the paper's α is 0.08); default: train to the end.
        learning_rate: For batches of `reference_batch` images.
        momentum: Of SGD.
        nesterov: Whether the momentum is Nesterov's.
        weight_decay: On all parameters.
        label_smoothing: Of the cross-entropy; the rating has none.
        schedule: Factor on the learning rate; default `Cosine()`.
        inactive: Treatment of unsampled parameters.
        clip_norm: Largest gradient norm.
        reference_batch: Images per batch that `learning_rate` is meant for; None: any.
    """
    if rate_by not in ("loss", "accuracy"):
        raise UsageError(f"GreedyNAS rates by 'loss' or 'accuracy'; got {rate_by!r}.")
    sampler = Greedy(
        candidates=candidates,
        keep=keep,
        capacity=pool,
        epsilon=epsilon,
        warmup=warmup,
        explore=Uniform() if max_macs is None else Budget(high=max_macs),
        rating=ValidationLoss(images) if rate_by == "loss" else ValidationError(images),
        stop_turnover=stop_turnover,
    )
    return Recipe(
        name="greedynas",
        program=TrainInTurn(sampler=sampler, objective=CrossEntropy(label_smoothing)),
        weights=Updates(
            optimizer=partial(
                torch.optim.SGD, lr=learning_rate, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay
            ),
            schedule=schedule or Cosine(),
            clip_norm=clip_norm,
            inactive=inactive,
            reference_batch=reference_batch,
        ),
    )
