"""FairNAS: Rethinking Evaluation Fairness of Weight Sharing NAS (Chu, Zhang and Xu, ICCV 2021)."""

from __future__ import annotations

from supernet.paper import Paper
from supernet.train import Combine, Cosine, CrossEntropy, Recipe, StrictFair, Sum, TrainPaths, Updates, sgd

PAPER = Paper(
    name="FairNAS",
    title="FairNAS: Rethinking Evaluation Fairness of Weight Sharing Neural Architecture Search",
    authors=("Chu", "Zhang", "Xu"),
    venue="ICCV",
    year=2021,
    arxiv="1907.01845",
    provenance="reconstruction",
)

WEIGHTS = sgd(0.045, weight_decay=4e-5, schedule=Cosine(), per=256)  # reconstruction: no training code was released


def fairnas(*, combine: Combine = Sum(), label_smoothing: float = 0.0, weights: Updates = WEIGHTS) -> Recipe:
    """FairNAS: m paths per step that use every option of every choice once, gradients summed, one update.

    [arXiv 1907.01845](https://arxiv.org/abs/1907.01845), algorithm 1. A step costs m forward and backward passes:
    compare with single-path methods at equal passes. The optimiser's defaults (SGD 0.045 at batch 256, cosine, weight
    decay 4e-5) are a reconstruction; the supernet's training code was not released.

    Args:
        combine: How the m gradients become one; the paper's algorithm adds them.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How the supernet's weights are stepped.
    """
    program = TrainPaths(sampler=StrictFair(), combine=combine, objective=CrossEntropy(label_smoothing))
    return Recipe(name="fairnas", program=program, weights=weights)
