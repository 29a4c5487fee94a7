"""AlphaNet: Improved Training of Supernets with Alpha-Divergence (Wang et al., ICML 2021)."""

from __future__ import annotations

from typing import Literal

from supernet.methods.elastic.attentivenas import WEIGHTS
from supernet.paper import Paper
from supernet.train import AdaptiveDivergence, Recipe, Sandwich, TrainPaths, Updates
from supernet.train.values._protocol import check_value

PAPER = Paper(
    name="AlphaNet",
    title="AlphaNet: Improved Training of Supernets with Alpha-Divergence",
    authors=("Wang", "Gong", "Li", "Liu", "Chandra"),
    venue="ICML",
    year=2021,
    arxiv="2102.07954",
    provenance="official code",
)


def alphanet(
    *,
    alphas: tuple[float, float] = (-1.0, 1.0),
    clip: float = 5.0,
    random: int = 2,
    drop_path: float = 0.2,
    label_smoothing: float = 0.1,
    regularise: Literal["all", "first"] = "first",
    weights: Updates = WEIGHTS,
) -> Recipe:
    """AlphaNet: the sandwich rule, its subnets taught by the larger of two clipped α-divergences from the largest.

    [arXiv 2102.07954](https://arxiv.org/abs/2102.07954). The subnets between the extremes are uniform; the largest
    learns from the labels. Space, optimiser and regularisation are those of AttentiveNAS; the defaults are those of the
    released code. Gradients need their clipping by value, which is part of `weights`. Batch norm statistics are never
    updated there: build the space with `statistics="calibrate"`.

    Args:
        alphas: The two α: a negative one minds what a subnet overestimates, a positive one what it underestimates.
        clip: β, at which the powers of the ratio of probabilities are cut.
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
        sampler=Sandwich(random),
        objective=AdaptiveDivergence(label_smoothing=label_smoothing, alphas=alphas, clip=clip),
        regularise=regularise,
    )
    return Recipe(
        name="alphanet", program=program, weights=weights, settings={"drop_path": drop_path} if drop_path else {}
    )
