"""DrNAS: Dirichlet Neural Architecture Search (Chen, Wang, Cheng, Tang and Hsieh, ICLR 2021)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from supernet.methods.cells import darts
from supernet.paper import Paper
from supernet.train import (
    Bilevel,
    Context,
    Cosine,
    CrossEntropy,
    Dirichlet,
    DirichletAnchor,
    KeepStrongest,
    Phase,
    Recipe,
    Strongest,
    Term,
    Terms,
    Updates,
    WidenPartial,
    sgd,
)
from supernet.train.parametrisations.option_logits import option_logits
from supernet.train.values._protocol import Number, check_value

PAPER = Paper(
    name="DrNAS",
    title="DrNAS: Dirichlet Neural Architecture Search",
    authors=("Chen", "Wang", "Cheng", "Tang", "Hsieh"),
    venue="ICLR",
    year=2021,
    arxiv="2006.10355",
    provenance="official code",
)

WEIGHTS = darts.WEIGHTS
ARCHITECTURE = darts.ARCHITECTURE  # its weight decay of 1e-3 draws x to 0, and the concentration to 1
WEIGHTS_DARTS = sgd(0.1, weight_decay=3e-4, schedule=Cosine(), clip_norm=5.0)
ARCHITECTURE_DARTS = ARCHITECTURE.with_settings(lr=6e-4)
BEGIN_DARTS = 10 / 50  # epochs

PROGRESSIVE_DARTS: dict[str, Any] = {
    "begin": 10 / 25,
    "stages": (WidenPartial(partial=4, keep=KeepStrongest(4, clear=True)),),
    "weights": WEIGHTS_DARTS,
    "architecture": ARCHITECTURE_DARTS,
}
"""Two stages of 25 epochs on CIFAR-10, in batches of 64."""

PROGRESSIVE_IMAGENET: dict[str, Any] = {
    **PROGRESSIVE_DARTS,
    "stages": (WidenPartial(partial=3, keep=KeepStrongest(4, clear=True)),),
    "weights": WEIGHTS_DARTS.with_settings(lr=0.5),
    "architecture": ARCHITECTURE.with_settings(lr=6e-3),
}
"""Two stages of 25 epochs on ImageNet, in batches of 512, on `zoo.darts(channels=48, layers=14, partial=6)`."""

PROGRESSIVE_NAS_BENCH_201: dict[str, Any] = {
    "begin": 10 / 50,
    "stages": (WidenPartial(partial=2, keep=KeepStrongest(3, clear=True)),),
}
"""Two stages of 50 epochs on NAS-Bench-201, in batches of 64."""


def drnas(
    *,
    divergence: Number = 0.0,
    order: Literal[1, 2] = 1,
    begin: float = 0.0,
    stages: tuple[Callable[[Context], None], ...] = (),
    exclude: tuple[str, ...] = (),
    weights: Updates = WEIGHTS,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """DrNAS: every candidate runs, with weights drawn from a Dirichlet distribution whose concentration is learned.

    [arXiv 2006.10355](https://arxiv.org/abs/2006.10355). θ ~ Dir(ELU(x) + 1) for each choice; x learns on validation
    data by the gradient of the sample, the weights on training data. x is drawn to the anchor, the uniform
    distribution over the simplex, by weight decay or by the divergence from it. The defaults are those of
    NAS-Bench-201; in the space of DARTS it is `drnas(begin=BEGIN_DARTS, weights=WEIGHTS_DARTS,
    architecture=ARCHITECTURE_DARTS)`. The architecture of the largest mean is derived.

    Progressive learning is `drnas(**PROGRESSIVE_DARTS)` on `zoo.darts(channels=36, layers=20, partial=6)`, on ImageNet
    `drnas(**PROGRESSIVE_IMAGENET)`, and `drnas(**PROGRESSIVE_NAS_BENCH_201)` on `zoo.nasbench201(partial=4)`: halfway
    every choice keeps its strongest options, and operations run on a larger part of the channels (`WidenPartial`);
    learning rate and states of optimisers go on.

    Args:
        divergence: The factor λ on Σ KL(Dir(ELU(x) + 1) ‖ Dir(1)); 0: none, and weight decay alone.
        order: The order of the approximation of the architecture's gradient, 1 or 2.
        begin: The share of the training, or of each stage, before x starts to learn.
        stages: What changes at the beginning of each stage but the first, such as `WidenPartial`; empty: the training
            has one stage. Stages are equally long.
        exclude: The options that may not be derived.
        weights: How the supernet's weights are stepped.
        architecture: How x is stepped; give it no weight decay where the divergence takes its place.

    Raises:
        UsageError: a negative divergence.
    """
    check_value("The weight of the divergence", divergence, at_least=0)
    labels = CrossEntropy()
    anchored = Terms((Term("loss", labels), Term("divergence", DirichletAnchor(), divergence)))
    program = Bilevel(
        relaxation=Dirichlet(),
        objective=labels,
        architecture_objective=anchored if divergence else None,
        order=order,
        begin=begin,
    )
    changes = (None, *stages)
    phases = tuple(
        Phase(
            name=f"stage {number + 1}",
            share=1.0,
            part=(number / len(changes), (number + 1) / len(changes)),
            program=replace(program, begin=(number + begin) / len(changes)),
            enter=change,
            restart=False,
        )
        for number, change in enumerate(changes)
    )
    return Recipe(
        name="drnas",
        program=phases if stages else program,
        weights=weights,
        parts={"architecture": option_logits(architecture)},
        derive=Strongest(exclude),
    )
