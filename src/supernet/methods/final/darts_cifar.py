"""The final training of cells on CIFAR (Liu et al., ICLR 2019), and its variants of other papers."""

from __future__ import annotations

from typing import Any

from supernet.data import AllImages, Chained, Cutout
from supernet.paper import Paper
from supernet.train import (
    Auxiliary,
    Cosine,
    CrossEntropy,
    PerEpoch,
    Recipe,
    Rise,
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

WEIGHTS = sgd(0.025, weight_decay=3e-4, schedule=Cosine(), clip_norm=5.0)

SGAS: dict[str, Any] = {}
"""SGAS and DOTS (batches of 96): the defaults."""

P_DARTS: dict[str, Any] = {"drop_path": 0.3}
"""P-DARTS (batches of 128)."""

PC_DARTS: dict[str, Any] = {"drop_path": 0.3}
"""PC-DARTS (batches of 96)."""

DRNAS: dict[str, Any] = {"drop_path": 0.3}
"""DrNAS (batches of 64)."""

CDARTS: dict[str, Any] = {"drop_path": 0.3, "weights": WEIGHTS.with_settings(weight_decay=5e-4)}
"""CDARTS (batches of 128), networks above 3.5 million parameters; up to there the weight decay is 3e-4."""

GDAS: dict[str, Any] = {
    "weights": sgd(0.025, nesterov=True, weight_decay=5e-4, schedule=Warmup(5 / 300, Cosine())),
}
"""GDAS (batches of 96): 300 epochs, 5 of which the learning rate rises; no clipping."""


def darts_cifar(
    *,
    drop_path: float = 0.2,
    auxiliary: float = 0.4,
    cutout: int = 16,
    all_images: bool = True,
    label_smoothing: float = 0.0,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """The final training of a cell on CIFAR: drop-path that rises from epoch to epoch, an auxiliary head, cutout.

    [arXiv 1806.09055](https://arxiv.org/abs/1806.09055), appendix A.2 and official code. It is a method for
    `supernet retrain` and `deploy.retrained`, for 600 epochs with batches of 96, of a network such as
    `zoo.darts(channels=36, layers=20, affine=True, auxiliary=True)`; as a method for a supernet it trains uniform
    paths. Other papers' variants are the presets of this module: `darts_cifar(**PC_DARTS)`.

    Args:
        drop_path: The probability p of drop-path; it is p · e / E in epoch e of E. 0: none, for networks without it.
        auxiliary: The factor on the loss of auxiliary heads, in networks that have some; 0: none.
        cutout: The side of the square that is cut out of training images; 0: none.
        all_images: Whether validation images are trained on too, as in the papers. Their accuracy then says nothing of
            new images; read that of the test images.
        label_smoothing: The label smoothing of the cross-entropy.
        weights: How the weights are stepped.

    Raises:
        UsageError: a value outside its range.
    """
    check_value("The probability of drop-path", drop_path, at_least=0, at_most=0.99)
    check_value("The side of cutout", cutout, at_least=0)
    loss = CrossEntropy(label_smoothing)
    changes = ((AllImages(),) if all_images else ()) + ((Cutout(cutout),) if cutout else ())
    return Recipe(
        name="darts_cifar",
        program=TrainPaths(sampler=Uniform(), objective=Auxiliary(loss, auxiliary) if auxiliary else loss),
        weights=weights,
        data=Chained(changes) if changes else None,
        settings={"drop_path": PerEpoch(Rise(drop_path))} if drop_path else {},
    )
