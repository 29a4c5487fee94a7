"""HR-NAS: Searching Efficient High-Resolution Architectures with Lightweight Transformers (Ding et al., CVPR 2021)."""

from __future__ import annotations

from typing import Any, Literal

from supernet.paper import Paper
from supernet.train import (
    CrossEntropy,
    CutChannels,
    Edit,
    Milestones,
    OneCycle,
    Phase,
    Ramp,
    Recipe,
    RMSpropTF,
    ScaleCost,
    StepDecay,
    Term,
    Terms,
    TrainPaths,
    Uniform,
    Updates,
    Warmup,
    adam,
)
from supernet.train.values._protocol import Number

PAPER = Paper(
    name="HR-NAS",
    title="HR-NAS: Searching Efficient High-Resolution Neural Architectures with Lightweight Transformers",
    authors=("Ding", "Lian", "Yang", "Wang", "Jin", "Lu", "Luo"),
    venue="CVPR",
    year=2021,
    arxiv="2106.06560",
    provenance="official code",
)

# Batches of 2048 reach 0.128 in 5 epochs, from 0.016.
WEIGHTS = Updates(
    optimiser=RMSpropTF(lr=0.016, weight_decay=1e-5, per=256),
    schedule=Warmup(5 / 350, StepDecay(0.97, epochs=2.4), start=1 / 8),
    decay_vectors=False,
)
SEGMENTATION = adam(0.04, eps=1e-3, weight_decay=1e-5, per=32, schedule=OneCycle(), decay_vectors=False)
KEYPOINTS = adam(1e-3, weight_decay=1e-8, per=384, schedule=Milestones(at=(170 / 210, 200 / 210)), decay_vectors=False)

IMAGENET: dict[str, Any] = {}
"""The search on ImageNet, 350 epochs (`zoo.hr_nas`): the defaults."""

CITYSCAPES: dict[str, Any] = {
    "weight": Ramp(0.0, 1.4e-4, until=25 / 430),
    "every": 10,
    "label_smoothing": 0.0,
    "weights": SEGMENTATION,
}
"""The search on Cityscapes, 430 epochs of batches of 32 (`zoo.hr_nas(variant="cityscapes")`)."""

ADE20K: dict[str, Any] = {
    **CITYSCAPES,
    "weight": Ramp(0.0, 1.4e-4, until=25 / 200),
    "every": 25,
    "weights": SEGMENTATION.with_settings(per=64),
}
"""The search on ADE20K, 200 epochs of batches of 64 (`zoo.hr_nas(variant="ade20k")`)."""

COCO: dict[str, Any] = {
    **CITYSCAPES,
    "weight": Ramp(0.0, 1e-6, until=25 / 210),
    "every": 30,
    "weights": KEYPOINTS,
}
"""The search for keypoints on COCO, 210 epochs of batches of 384 (`zoo.hr_nas(variant="coco")`)."""


def hr_nas(
    *,
    weight: Number = Ramp(0.0, 1.8e-4, until=25 / 350),
    quadratic: float = 0.5,
    threshold: float = 1e-3,
    every: int = 5,
    worth: float = 1e6,
    empty: Literal["keep", "remove", "refuse"] = "remove",
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """HR-NAS: channels and tokens are charged for what they cost, and cut along the training once their scale is 0.

    [arXiv 2106.06560](https://arxiv.org/abs/2106.06560), by the released code. The loss is the cross-entropy and the
    weight ρ times the scales |γ| of channels and tokens, each by its multiply-accumulates (`ScaleCost`); a token's are
    those of the tokens that are left. What is dead after some epochs is taken out of weights, optimiser and average
    (`CutChannels`), and in the end whatever its cost. There is nothing to search afterwards: the network that is left
    is the one.

    The defaults are those on ImageNet, 350 epochs with an average of the weights of 0.9999 to the power of batch size /
    4096. `hr_nas(**CITYSCAPES)`, `ADE20K` and `COCO` are those of other tasks. Any network will do that names its
    channels by a method `atoms()`; where it has choices too, each step trains one uniform path.

    Args:
        weight: The weight ρ, which rises to its value over the first 25 epochs.
        quadratic: Share of the cost of attention by what the next token would save, see `ScaleCost`.
        threshold: The largest |γ| of a dead channel or token.
        every: Epochs from one look at dead channels to the next.
        worth: The least multiply-accumulates of all of them, at which they are cut.
        empty: What becomes of a group of channels, or a transformer, of which nothing is alive, see `CutChannels`.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How the network's weights are stepped.
    """
    cost = ScaleCost(quadratic=quadratic, threshold=threshold)
    objective = Terms((Term("loss", CrossEntropy(label_smoothing)), Term("cost", cost, weight)))
    cut = CutChannels(threshold=threshold, worth=worth, empty=empty)
    phase = Phase(
        name="hr_nas",
        share=1.0,
        program=TrainPaths(sampler=Uniform(), objective=objective),
        edits=(Edit(name="cut", apply=cut, every=every, unit="epochs"),),
        leave=CutChannels(threshold=threshold, by="end", empty=empty),
    )
    return Recipe(name="hr_nas", program=(phase,), weights=weights)
