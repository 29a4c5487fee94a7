"""The final training of what ENAS finds (Pham et al., ICML 2018)."""

from __future__ import annotations

from typing import Any

from supernet.data import AllImages
from supernet.paper import Paper
from supernet.train import Auxiliary, CrossEntropy, Ramp, Recipe, TrainPaths, Uniform, Updates, WarmRestarts, sgd
from supernet.train.values._protocol import check_value

PAPER = Paper(
    name="ENAS",
    title="Efficient Neural Architecture Search via Parameter Sharing",
    authors=("Pham", "Guan", "Zoph", "Le", "Dean"),
    venue="ICML",
    year=2018,
    arxiv="1802.03268",
    provenance="official code",
)

# From 0.05 to 0.0001, restarts after 10, 30, 70, 150 and 310 epochs; the code adds λ‖w‖² to the loss, a decay of 2 λ.
WEIGHTS = sgd(0.05, nesterov=True, weight_decay=4e-4, schedule=WarmRestarts(floor=0.002))

MICRO: dict[str, Any] = {}
"""The final networks of cells (`zoo.enas_micro_final`), 630 epochs of batches of 144: the defaults."""

MACRO: dict[str, Any] = {
    "drop_path": 0.0,
    "auxiliary": 0.0,
    "weights": WEIGHTS.with_settings(schedule=WarmRestarts(floor=0.02)),
}
"""Whole networks, 310 epochs of batches of 100, with a dropout of 0.5 before the classifier."""


def enas_final(
    *, drop_path: float = 0.4, auxiliary: float = 0.4, all_images: bool = True, weights: Updates = WEIGHTS
) -> Recipe:
    """ENAS's final training: restarts of the learning rate, drop-path that rises with depth and time, auxiliary head.

    [arXiv 1802.03268](https://arxiv.org/abs/1802.03268) and official code. It is a method for `supernet retrain` and
    `deploy.retrained`, for 630 epochs with batches of 144, of `zoo.enas_micro_final`; as a method for a supernet it
    trains uniform paths. `enas_final(**MACRO)` is the training of whole networks.

    Args:
        drop_path: The probability of drop-path in the last cell at the end; it rises from 0 along a line, and earlier
            cells have a share of it. 0: none, for networks without it.
        auxiliary: The factor on the loss of auxiliary heads, in networks that have some; 0: none.
        all_images: Whether validation images are trained on too, as by the authors. Their accuracy then says nothing of
            new images; read that of the test images.
        weights: How the weights are stepped.

    Raises:
        UsageError: a value outside its range.
    """
    check_value("The probability of drop-path", drop_path, at_least=0, at_most=0.99)
    loss = CrossEntropy()
    return Recipe(
        name="enas_final",
        program=TrainPaths(sampler=Uniform(), objective=Auxiliary(loss, auxiliary) if auxiliary else loss),
        weights=weights,
        data=AllImages() if all_images else None,
        settings={"drop_path": Ramp(0.0, drop_path)} if drop_path else {},
    )
