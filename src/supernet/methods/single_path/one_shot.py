"""One-Shot: Understanding and Simplifying One-Shot Architecture Search (Bender et al., ICML 2018)."""

from __future__ import annotations

from supernet.paper import Paper
from supernet.train import Cosine, CrossEntropy, PathDropout, Recipe, TrainPaths, Updates, sgd

PAPER = Paper(
    name="One-Shot",
    title="Understanding and Simplifying One-Shot Architecture Search",
    authors=("Bender", "Kindermans", "Zoph", "Vasudevan", "Le"),
    venue="ICML",
    year=2018,
    url="https://proceedings.mlr.press/v80/bender18a.html",
    provenance="reconstruction",
)

WEIGHTS = sgd(0.1, weight_decay=1e-4, schedule=Cosine(), clip_norm=5.0)  # reconstruction: there is no official code


def one_shot(
    *, rate: float = 0.05, ramp: float = 1.0, ghost_batch: int | None = 32, weights: Updates = WEIGHTS
) -> Recipe:
    """One-Shot: all candidates at once, with a path dropout that rises from 0 to r^(1/k).

    [PMLR 80](https://proceedings.mlr.press/v80/bender18a.html); the paper is not at arXiv. Ghost batch normalisation
    over groups of 32 images and weight decay on the parameters in use only, as the paper describes. There is no
    official code: rate, optimiser and its settings are a reconstruction. The paper scores architectures with the
    statistics of the evaluated batch (`statistics="batch"` in the zoo).

    Args:
        rate: The final probability r that a whole choice block is dropped.
        ramp: The share of the training over which r rises.
        ghost_batch: Number of images that batch normalisation sees together; None: the whole batch.
        weights: How the supernet's weights are stepped.
    """
    program = TrainPaths(sampler=PathDropout(rate, ramp), objective=CrossEntropy(), micro_batch=ghost_batch)
    return Recipe(name="one_shot", program=program, weights=weights)
