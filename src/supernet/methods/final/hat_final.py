"""The final training of a translation transformer that HAT has found (Wang et al., ACL 2020)."""

from __future__ import annotations

from typing import Any

from supernet.paper import Paper
from supernet.train import (
    Cosine,
    CrossEntropy,
    InverseSquareRoot,
    Recipe,
    TrainPaths,
    Uniform,
    Updates,
    WarmupThen,
    adam,
)

PAPER = Paper(
    name="HAT",
    title="HAT: Hardware-Aware Transformers for Efficient Natural Language Processing",
    authors=("Wang", "Wu", "Liu", "Cai", "Zhu", "Gan", "Han"),
    venue="ACL",
    year=2020,
    arxiv="2005.14187",
    provenance="official code",
)

# From 1e-7 to 1e-3 in 4,000 of 40,000 updates, and back along half a cosine.
WEIGHTS = adam(1e-3, betas=(0.9, 0.98), decoupled=True, schedule=WarmupThen(0.1, Cosine(floor=1e-4)))

WMT: dict[str, Any] = {}
"""WMT'14 and WMT'19, 40,000 updates of about 524,000 tokens: the defaults."""

IWSLT: dict[str, Any] = {
    "weights": adam(
        5e-4, betas=(0.9, 0.98), weight_decay=1e-4, decoupled=True, schedule=InverseSquareRoot(0.08), clip_norm=25.0
    ),
}
"""IWSLT'14, 50,000 updates of about 4,096 tokens, in 4,000 of which the learning rate rises."""


def hat_final(*, label_smoothing: float = 0.1, weights: Updates = WEIGHTS) -> Recipe:
    """HAT's final training of the network it has found: from fresh weights, with a shorter warm-up than the supernet's.

    Wang et al., ACL 2020, [arXiv 2005.14187](https://arxiv.org/abs/2005.14187), §4.2 and official code. It is a method
    for `supernet retrain` and `deploy.retrained`; as a method for a supernet it trains uniform paths.
    `hat_final(**IWSLT)` are the settings of IWSLT'14.

    Args:
        label_smoothing: Share of the target of the cross-entropy that is spread over the vocabulary.
        weights: How the weights are stepped.
    """
    program = TrainPaths(sampler=Uniform(), objective=CrossEntropy(label_smoothing))
    return Recipe(name="hat_final", program=program, weights=weights)
