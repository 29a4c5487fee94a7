"""HAT's training of translation transformers (Wang et al., ACL 2020): the supernet, and what it finds."""

from __future__ import annotations

from typing import Any

from supernet.paper import Paper
from supernet.train import (
    Cosine,
    InverseSquareRoot,
    Recipe,
    TokenCrossEntropy,
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

# From 1e-7 to 1e-3 in 10,000 of 40,000 updates, and back along half a cosine.
WEIGHTS = adam(1e-3, betas=(0.9, 0.98), decoupled=True, schedule=WarmupThen(0.25, Cosine(floor=1e-4)))

IWSLT_WEIGHTS = adam(
    5e-4, betas=(0.9, 0.98), weight_decay=1e-4, decoupled=True, schedule=InverseSquareRoot(0.2), clip_norm=25.0
)

WMT: dict[str, Any] = {}
"""WMT'14 and WMT'19, 40,000 updates of 524,288 tokens at most: the defaults."""

WMT_FINAL: dict[str, Any] = {"weights": WEIGHTS.with_settings(schedule=WarmupThen(0.1, Cosine(floor=1e-4)))}
"""The final training of what was found: the learning rate rises in 4,000 of 40,000 updates."""

IWSLT: dict[str, Any] = {"weights": IWSLT_WEIGHTS}
"""IWSLT'14, 50,000 updates of 4,096 tokens at most, in 10,000 of which the learning rate rises."""

IWSLT_FINAL: dict[str, Any] = {"weights": IWSLT_WEIGHTS.with_settings(schedule=InverseSquareRoot(0.08))}
"""The final training of what was found: the learning rate rises in 4,000 of 50,000 updates."""


def hat(*, label_smoothing: float = 0.1, weights: Updates = WEIGHTS) -> Recipe:
    """HAT: one uniform subnet a step, every token weighs the same, Adam with a long warm-up.

    Wang et al., ACL 2020, [arXiv 2005.14187](https://arxiv.org/abs/2005.14187), §3.1, §4.2 and official code, for
    spaces such as `zoo.hat`, whose dropout follows the width. What a search finds is trained from fresh weights
    (`supernet retrain`, `deploy.retrained`) by `hat(**WMT_FINAL)`. The presets of this module are those of the code.

    Args:
        label_smoothing: Share of the target of the cross-entropy that is spread over the vocabulary.
        weights: How the weights are stepped.
    """
    program = TrainPaths(sampler=Uniform(), objective=TokenCrossEntropy(label_smoothing))
    return Recipe(name="hat", program=program, weights=weights)
