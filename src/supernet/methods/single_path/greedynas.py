"""GreedyNAS: Towards Fast One-Shot NAS with Greedy Supernet (You et al., CVPR 2020)."""

from __future__ import annotations

from typing import Literal

from supernet.errors import UsageError
from supernet.paper import Paper
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
    sgd,
)

PAPER = Paper(
    name="GreedyNAS",
    title="GreedyNAS: Towards Fast One-Shot NAS with Greedy Supernet",
    authors=("You", "Huang", "Yang", "Wang", "Qian", "Zhang"),
    venue="CVPR",
    year=2020,
    arxiv="2003.11236",
    provenance="reconstruction",
)

WEIGHTS = sgd(0.12, nesterov=True, weight_decay=4e-5, schedule=Cosine(), per=1024)  # no training code was released


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
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """GreedyNAS: of ten paths rated on validation images, the best five are trained one after another.

    [arXiv 2003.11236](https://arxiv.org/abs/2003.11236). Each candidate comes from a pool of the best seen so far with
    probability ε, else it is uniform. Training code was not released: beyond the rule the settings are a
    reconstruction. A step makes `keep` updates on as many batches and rates `candidates` architectures on `images`
    images; compare with other methods at equal updates, or equal time.

    The labels of the validation images decide what is trained. Accuracies on them flatter the supernet: report on test
    images.

    Args:
        candidates: The number m of paths that are rated per step.
        keep: The number k of paths that are trained per step, each on a batch of its own.
        pool: The largest number of architectures in the candidate pool.
        images: The number of validation images for the rating; None: all.
        rate_by: What the rating is; the paper prefers the loss, which tells more architectures apart on few images.
        epsilon: The final probability ε of drawing from the pool.
        warmup: The share of the training without the pool.
        max_macs: The largest number of MACs of the paths that are trained; None: any.
        stop_turnover: The training ends when at most this share of the pool was replaced while as many paths were
            rated as it holds (the paper's α is 0.08); None: it goes on to the end.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes; the rating
            has none.
        weights: How the supernet's weights are stepped.

    Raises:
        UsageError: a setting outside its range.
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
    program = TrainInTurn(sampler=sampler, objective=CrossEntropy(label_smoothing))
    return Recipe(name="greedynas", program=program, weights=weights)
