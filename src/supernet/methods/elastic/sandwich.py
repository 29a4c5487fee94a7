"""The sandwich rule with in-place distillation (US-Nets, Yu and Huang, ICCV 2019; BigNAS, Yu et al., ECCV 2020)."""

from __future__ import annotations

from typing import Literal

from supernet.paper import Paper
from supernet.train import Combine, Cosine, InPlaceDistillation, Recipe, Sandwich, Sum, TrainPaths, Updates, Warmup, sgd

PAPER = Paper(
    name="US-Nets",
    title="Universally Slimmable Networks and Improved Training Techniques",
    authors=("Yu", "Huang"),
    venue="ICCV",
    year=2019,
    arxiv="1903.05134",
    provenance="others' code",
)

WEIGHTS = sgd(  # AttentiveNAS's released code: 5 of 360 epochs of warm-up
    0.1,
    nesterov=True,
    weight_decay=1e-5,
    schedule=Warmup(0.014, Cosine()),
    clip_value=1.0,
    decay_vectors=False,
    per=256,
)


def sandwich(
    *,
    random: int = 2,
    temperature: float = 1.0,
    hard: float = 0.0,
    label_smoothing: float = 0.1,
    combine: Combine = Sum(),
    regularise: Literal["all", "first"] = "first",
    one_pass: bool = False,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """Largest, random and smallest subnets each step; all but the largest learn from the largest.

    US-Nets ([arXiv 1903.05134](https://arxiv.org/abs/1903.05134), §3.2 and §3.3) and, for architecture search, BigNAS
    ([arXiv 2003.11142](https://arxiv.org/abs/2003.11142), §3.1). The largest subnet learns from the labels, the others
    from its softmax only; gradients are summed; dropout acts on the largest alone. The rule is the papers'. The
    optimiser is AttentiveNAS's, whose code is released: Nesterov SGD, 0.1 per 256 images, cosine, 5 of 360 epochs of
    warm-up, weight decay 1e-5 on weights, gradient values clipped at 1.

    Args:
        random: The number of random subnets per step.
        temperature: The temperature T of both softmaxes of the distillation.
        hard: The weight of the labels in the loss of all subnets but the largest.
        label_smoothing: Share of the target of the largest subnet's cross-entropy that is spread over the classes.
        combine: How the gradients of the subnets become one.
        regularise: Whether dropout acts on the `"first"` (largest) subnet or on `"all"`.
        one_pass: Whether all subnets but the largest share one pass, each on its own examples of the batch: 2 passes
            per step instead of `random` + 2. An approximation of this package, see `TrainPaths`.
        weights: How the supernet's weights are stepped.
    """
    program = TrainPaths(
        sampler=Sandwich(random),
        objective=InPlaceDistillation(label_smoothing, temperature, hard),
        combine=combine,
        regularise=regularise,
        one_pass=one_pass,
    )
    return Recipe(name="sandwich", program=program, weights=weights)
