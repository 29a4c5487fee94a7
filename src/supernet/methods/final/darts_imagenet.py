"""The final training of cells on ImageNet (Liu et al., ICLR 2019), and its variants of other papers."""

from __future__ import annotations

from typing import Any

from supernet.paper import Paper
from supernet.train import (
    Auxiliary,
    Cosine,
    CrossEntropy,
    Linear,
    PerEpoch,
    Recipe,
    Rise,
    StepDecay,
    TrainPaths,
    Uniform,
    Updates,
    Warmup,
    sgd,
)
from supernet.train.values._protocol import check_value

PAPER = Paper(
    name="DARTS",
    title="DARTS: Differentiable Architecture Search",
    authors=("Liu", "Simonyan", "Yang"),
    venue="ICLR",
    year=2019,
    arxiv="1806.09055",
    provenance="official code",
)

WEIGHTS = sgd(0.1, weight_decay=3e-5, schedule=StepDecay(0.97), clip_norm=5.0)
_LARGE = WEIGHTS.with_settings(lr=0.5, schedule=Warmup(5 / 250, Linear()))

PC_DARTS: dict[str, Any] = {"weights": _LARGE}
"""PC-DARTS and SGAS (batches of 1024): 0.5 along a line to 0, after a rise of 5 of 250 epochs."""

DRNAS: dict[str, Any] = {"weights": _LARGE}
"""DrNAS (batches of 768): as PC-DARTS."""

DOTS: dict[str, Any] = {"weights": _LARGE.with_settings(schedule=Warmup(5 / 250, Cosine()))}
"""DOTS (batches of 1024): along half a cosine."""

CDARTS: dict[str, Any] = {"weights": _LARGE.with_settings(schedule=Warmup(5 / 250, Cosine()))}
"""CDARTS (batches of 1024): 0.5 and 5 epochs of rise; that a cosine follows is a reconstruction."""

GDAS: dict[str, Any] = {
    "weights": sgd(0.1, nesterov=True, weight_decay=3e-5, schedule=Warmup(5 / 250, Cosine())),
}
"""GDAS (batches of 256): Nesterov, half a cosine after a rise of 5 epochs; that no norm is clipped and that the weight
decay is 3e-5 are reconstructions."""


def darts_imagenet(
    *,
    drop_path: float = 0.0,
    auxiliary: float = 0.4,
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """The final training of a cell on ImageNet: an auxiliary head, smoothed labels, no drop-path.

    [arXiv 1806.09055](https://arxiv.org/abs/1806.09055), appendix A.3 and official code. It is a method for
    `supernet retrain` and `deploy.retrained`, for 250 epochs with batches of 128, of a network such as
    `zoo.darts(channels=48, layers=14, stem="imagenet", affine=True, auxiliary=True, num_classes=1000)`; as a method for
    a supernet it trains uniform paths. Other papers' variants are the presets of this module:
    `darts_imagenet(**PC_DARTS)`.

    Args:
        drop_path: The probability p of drop-path; it is p · e / E in epoch e of E. 0: none.
        auxiliary: The factor on the loss of auxiliary heads, in networks that have some; 0: none.
        label_smoothing: The label smoothing of the cross-entropy.
        weights: How the weights are stepped.

    Raises:
        UsageError: a value outside its range.
    """
    check_value("The probability of drop-path", drop_path, at_least=0, at_most=0.99)
    loss = CrossEntropy(label_smoothing)
    return Recipe(
        name="darts_imagenet",
        program=TrainPaths(sampler=Uniform(), objective=Auxiliary(loss, auxiliary) if auxiliary else loss),
        weights=weights,
        settings={"drop_path": PerEpoch(Rise(drop_path))} if drop_path else {},
    )
