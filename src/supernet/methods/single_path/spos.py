"""SPOS: Single Path One-Shot Neural Architecture Search with Uniform Sampling (Guo et al., ECCV 2020)."""

from __future__ import annotations

from supernet.paper import Paper
from supernet.train import CrossEntropy, Linear, Recipe, Sampler, TrainPaths, Uniform, Updates, sgd

PAPER = Paper(
    name="SPOS",
    title="Single Path One-Shot Neural Architecture Search with Uniform Sampling",
    authors=("Guo", "Zhang", "Mu", "Heng", "Liu", "Wei", "Sun"),
    venue="ECCV",
    year=2020,
    arxiv="1904.00420",
    provenance="official code",
)

WEIGHTS = sgd(0.5, weight_decay=4e-5, schedule=Linear(), decay_vectors=False, per=1024)  # official code, on ImageNet


def spos(*, sampler: Sampler = Uniform(), label_smoothing: float = 0.1, weights: Updates = WEIGHTS) -> Recipe:
    """SPOS: one uniformly sampled path per step.

    [arXiv 1904.00420](https://arxiv.org/abs/1904.00420). The defaults are the paper's ImageNet setting: SGD at 0.5 for
    batches of 1024, linear decay to 0, weight decay 4e-5 on weights only, label smoothing 0.1, unsampled parameters
    left alone. Search with `search.evolution`, calibrating batch normalisation for every candidate.

    Args:
        sampler: The rule that draws paths. The released code spreads MACs evenly: `CostBins(low=…, high=…)`.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How the supernet's weights are stepped.
    """
    program = TrainPaths(sampler=sampler, objective=CrossEntropy(label_smoothing))
    return Recipe(name="spos", program=program, weights=weights)
