"""BigNAS: Scaling Up Neural Architecture Search with Big Single-Stage Models (Yu et al., ECCV 2020)."""

from __future__ import annotations

from typing import Any, Literal

from supernet.paper import Paper
from supernet.train import (
    Exponential,
    InPlaceDistillation,
    Recipe,
    RMSpropTF,
    Sandwich,
    TrainPaths,
    Updates,
    Warmup,
    sgd,
)
from supernet.train.values._protocol import check_value

PAPER = Paper(
    name="BigNAS",
    title="BigNAS: Scaling Up Neural Architecture Search with Big Single-Stage Models",
    authors=("Yu", "Jin", "Liu", "Bender", "Kindermans", "Tan", "Huang", "Song", "Pang", "Le"),
    venue="ECCV",
    year=2020,
    arxiv="2003.11142",
    provenance="reconstruction",
)

WEIGHTS = Updates(
    optimiser=RMSpropTF(lr=0.256, weight_decay=1e-5, per=4096),
    schedule=Exponential(factor=0.97, epochs=2.4, floor=0.05),
    decay_vectors=False,
)

XFEY: dict[str, Any] = {
    "weights": sgd(
        0.128,
        nesterov=True,
        weight_decay=3e-6,
        schedule=Warmup(5 / 365, Exponential(factor=0.97, epochs=2.4, floor=0.05, begin=5), start=0.1),
        clip_norm=5.0,
        decay_vectors=False,
        per=640,
    )
}
"""The re-implementation xfey/pytorch-BigNAS as its reported run was (batches of 640, 5 + 360 epochs)."""


def bignas(
    *,
    random: int = 2,
    drop_path: float = 0.2,
    label_smoothing: float = 0.1,
    regularise: Literal["all", "first"] = "first",
    weights: Updates = WEIGHTS,
) -> Recipe:
    """BigNAS: the sandwich rule with in-place distillation, the largest subnet alone regularised, a constant ending.

    [arXiv 2003.11142](https://arxiv.org/abs/2003.11142), §3.1. The largest subnet learns from the labels, two random
    ones and the smallest from its softmax alone; the four gradients are summed. Dropout (an option of the space) and
    drop-path act on the largest only, and so does weight decay: it is added once per step, to weights that are all
    the largest subnet's. The learning rate decays exponentially until 5 % remain. Blocks that begin as their shortcut
    are the space's matter, see `zoo.bignas`. No code was released; `bignas(**XFEY)`, a preset of this module, has the
    settings of a re-implementation.

    Args:
        random: The number of random subnets per step.
        drop_path: The setting `drop_path`, which the space spreads over its blocks; 0: none, for spaces without it.
        label_smoothing: Share of the target of the largest subnet's cross-entropy that is spread over the classes.
        regularise: Whether dropout and drop-path act on the `"first"` (largest) subnet or on `"all"`.
        weights: How the supernet's weights are stepped.

    Raises:
        UsageError: a value outside its range.
    """
    check_value("The probability of drop-path", drop_path, at_least=0, at_most=0.99)
    program = TrainPaths(
        sampler=Sandwich(random), objective=InPlaceDistillation(label_smoothing), regularise=regularise
    )
    return Recipe(
        name="bignas", program=program, weights=weights, settings={"drop_path": drop_path} if drop_path else {}
    )
