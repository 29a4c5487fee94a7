"""AttentiveNAS: Improving Neural Architecture Search via Attentive Sampling (Wang et al., CVPR 2021)."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch

from supernet.train import (
    BatchLoss,
    BestOf,
    Cosine,
    EqualCost,
    InPlaceDistillation,
    Predicted,
    Recipe,
    Sandwich,
    TrainPaths,
    Updates,
    Warmup,
)
from supernet.train.ratings.predicted import Predictor
from supernet.train.schedules._protocol import LearningRate
from supernet.train.updates import Inactive


def attentivenas(
    *,
    mode: Literal["best", "worst"] = "best",
    candidates: int = 3,
    bins: int = 70,
    predictor: Predictor | None = None,
    random: int = 2,
    learning_rate: float = 0.1,
    momentum: float = 0.9,
    weight_decay: float = 1e-5,
    label_smoothing: float = 0.1,
    schedule: LearningRate | None = None,
    warmup: float = 0.014,
    regularise: Literal["all", "first"] = "first",
    inactive: Inactive = "freeze",
    clip_norm: float | None = None,
    clip_value: float | None = 1.0,
    reference_batch: int | None = 256,
) -> Recipe:
    """AttentiveNAS: the sandwich rule, its random subnets the best (or worst) of three of the same cost.

    For each of the two a bin of MACs is drawn as often as the space has it, then `candidates` subnets within; the one
    with the lowest loss on the batch (BestUp) or the highest (WorstUp) is trained. The defaults are those of the
    released code. Batch norm statistics are never updated there: build the space with `statistics="calibrate"`.

    Args:
        mode: Whether the `"best"` or the `"worst"` candidate is trained.
        candidates: Subnets to choose from; the paper has 3 by loss and 50 by predictor.
        bins: Equal bins of MACs between the smallest and the largest subnet.
        predictor: Scores of a sequence of architectures, the higher the better; default: the loss on the batch decides.
        random: Subnets between the largest and the smallest.
        learning_rate: For batches of `reference_batch` images.
        momentum: Of SGD (Nesterov).
        weight_decay: On weights; biases and norms have none.
        label_smoothing: Of the largest subnet's cross-entropy; the others learn from its softmax.
        schedule: Factor on the learning rate after warm-up; default `Cosine()`.
        warmup: Share of the training in which the learning rate rises.
        regularise: Whether dropout acts on the `"first"` (largest) subnet or on `"all"`.
        inactive: Treatment of parameters that no path used.
        clip_norm: Largest gradient norm.
        clip_value: Largest absolute gradient entry.
        reference_batch: Images per batch that `learning_rate` is meant for; None: any.
    """
    attentive = BestOf(
        sampler=EqualCost(count=candidates, bins=bins),
        rating=BatchLoss() if predictor is None else Predicted(predictor),
        pick=mode,
    )
    return Recipe(
        name="attentivenas",
        program=TrainPaths(
            sampler=Sandwich(random, between=attentive),
            objective=InPlaceDistillation(label_smoothing),
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
