"""DARTS: Differentiable Architecture Search (Liu, Simonyan and Yang, ICLR 2019)."""

from __future__ import annotations

from typing import Any, Literal

from supernet.paper import Paper
from supernet.train import Bilevel, Cosine, CrossEntropy, Recipe, Softmax, Strongest, Updates, adam, sgd
from supernet.train.objectives.slowness import Slowness
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

PENN_TREEBANK: dict[str, Any] = {
    "edges": 1,
    "exclude": ("none",),
    "slowness": 1e-3,
    "weights": sgd(20.0, momentum=0.0, weight_decay=5e-7, clip_norm=0.25),
    "architecture": adam(3e-3, weight_decay=1e-3),
}
"""The search of recurrent cells (`zoo.darts_rnn(none=True)`); second order adds `order=2, clip_ahead=0.25`."""


def darts(
    *,
    order: Literal[1, 2] = 1,
    temperature: float = 1.0,
    first: Literal["architecture", "weights"] = "architecture",
    begin: float = 0.0,
    exclude: tuple[str, ...] = (),
    edges: int = 2,
    slowness: float = 0.0,
    clip_ahead: float | None = None,
    weights: Updates = WEIGHTS,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """DARTS: every candidate runs, weighted by softmax(α); α learns on validation data, the weights on training data.

    [arXiv 1806.09055](https://arxiv.org/abs/1806.09055), algorithm 1; the defaults are the paper's. Split the training
    images in half for the two moves (`validation=0.5` of the data loaders). The architecture with the largest α per
    choice is derived; the DARTS space bans `none` with `exclude=("none",)`. First-order DARTS in the protocol of
    NAS-Bench-201 is `darts(first="weights", weights=WEIGHTS_NAS_BENCH_201)`, with Nesterov momentum and a weight decay
    of 5e-4; its second-order DARTS moves α first. `darts(**PENN_TREEBANK)` is the authors' search of recurrent cells
    (`zoo.darts_rnn`), with batches of 256 blocks for 50 epochs.

    Args:
        order: The order of the approximation of the architecture's gradient, 1 or 2.
        temperature: The temperature of the softmax.
        first: The family of parameters that moves first in a step.
        begin: The share of the training before α starts to learn.
        exclude: The options that may not be derived.
        edges: The edges that a node keeps, where nodes choose their inputs; the recurrent cells keep 1.
        slowness: The factor β on how fast the states of a recurrent network change, in the loss of the weights; 0: such
            a term is not there.
        clip_ahead: The largest norm of the weights' gradients in the step that the second order unrolls; None: they are
            not clipped.
        weights: How the supernet's weights are stepped.
        architecture: How the architecture parameters α are stepped.
    """
    loss = CrossEntropy()
    program = Bilevel(
        relaxation=Softmax(temperature),
        objective=Slowness(loss, slowness) if slowness else loss,
        architecture_objective=loss if slowness else None,
        order=order,
        clip_ahead=clip_ahead,
        first=first,
        begin=begin,
    )
    return Recipe(
        name="darts" if order == 1 else "darts_second_order",
        program=program,
        weights=weights,
        parts={"architecture": option_logits(architecture)},
        derive=Strongest(exclude, edges=edges),
    )
