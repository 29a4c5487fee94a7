"""MAGIC-T: Analyzing and Mitigating Interference in Neural Architecture Search (Xu et al., ICML 2022)."""

from __future__ import annotations

from supernet.methods.single_path.spos import WEIGHTS
from supernet.paper import Paper
from supernet.train import CrossEntropy, Recipe, TrainPaths, Updates
from supernet.train.samplers.hamming_walk import HammingWalk

PAPER = Paper(
    name="MAGIC-T",
    title="Analyzing and Mitigating Interference in Neural Architecture Search",
    authors=("Xu", "Tan", "Song", "Luo", "Leng", "Qin", "Liu", "Li"),
    venue="ICML",
    year=2022,
    arxiv="2108.12821",
    provenance="reconstruction",
)


def magic_t(*, restart: int | None = None, label_smoothing: float = 0.1, weights: Updates = WEIGHTS) -> Recipe:
    """MAGIC-T: one path per step, which differs from that of the step before in exactly one choice.

    [arXiv 2108.12821](https://arxiv.org/abs/2108.12821). The paper finds that two subnets disturb each other's training
    of an operation that they share the more, the more of their other operations differ; so it changes one at a time.
    Its main experiments are on BERT, and no code was released: optimiser and label smoothing are a reconstruction,
    those of SPOS for images, so that beside `spos()` nothing differs but which path follows which. See `HammingWalk`
    for spaces with gated choices.

    Args:
        restart: The number of steps after which the walk begins anew with a path drawn uniformly; None: never. It is
            an addition of this package; with 1 the method is SPOS.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How the supernet's weights are stepped.

    Raises:
        UsageError: the walk is to begin anew after less than one step.
    """
    program = TrainPaths(sampler=HammingWalk(restart=restart), objective=CrossEntropy(label_smoothing))
    return Recipe(name="magic_t", program=program, weights=weights)
