"""DARTS: Differentiable Architecture Search (Liu, Simonyan and Yang, ICLR 2019)."""

from __future__ import annotations

from typing import Literal

from supernet.paper import Paper
from supernet.train import Bilevel, Cosine, CrossEntropy, Recipe, Softmax, Strongest, Updates, adam, sgd
from supernet.train.parametrisations.option_logits import option_logits

PAPER = Paper(
    name="DARTS",
    title="DARTS: Differentiable Architecture Search",
    authors=("Liu", "Simonyan", "Yang"),
    venue="ICLR",
    year=2019,
    arxiv="1806.09055",
    provenance="official code",
)

WEIGHTS = sgd(0.025, weight_decay=3e-4, schedule=Cosine(floor=0.04), clip_norm=5.0)  # from 0.025 to 0.001
WEIGHTS_NAS_BENCH_201 = WEIGHTS.with_settings(nesterov=True, weight_decay=5e-4)  # as the benchmark's own code has it
ARCHITECTURE = adam(3e-4, betas=(0.5, 0.999), weight_decay=1e-3)


def darts(
    *,
    order: Literal[1, 2] = 1,
    temperature: float = 1.0,
    first: Literal["architecture", "weights"] = "architecture",
    begin: float = 0.0,
    exclude: tuple[str, ...] = (),
    weights: Updates = WEIGHTS,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """DARTS: every candidate runs, weighted by softmax(α); α learns on validation data, the weights on training data.

    [arXiv 1806.09055](https://arxiv.org/abs/1806.09055), algorithm 1; the defaults are the paper's. Split the training
    images in half for the two moves (`validation=0.5` of the data loaders). The architecture with the largest α per
    choice is derived; the DARTS space bans `none` with `exclude=("none",)`. First-order DARTS in the protocol of
    NAS-Bench-201 is `darts(first="weights", weights=WEIGHTS_NAS_BENCH_201)`, with Nesterov momentum and a weight decay
    of 5e-4; its second-order DARTS moves α first.

    Args:
        order: The order of the approximation of the architecture's gradient, 1 or 2.
        temperature: The temperature of the softmax.
        first: The family of parameters that moves first in a step.
        begin: The share of the training before α starts to learn.
        exclude: The options that may not be derived.
        weights: How the supernet's weights are stepped.
        architecture: How the architecture parameters α are stepped.
    """
    program = Bilevel(relaxation=Softmax(temperature), objective=CrossEntropy(), order=order, first=first, begin=begin)
    return Recipe(
        name="darts" if order == 1 else "darts_second_order",
        program=program,
        weights=weights,
        parts={"architecture": option_logits(architecture)},
        derive=Strongest(exclude),
    )
