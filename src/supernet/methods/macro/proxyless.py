"""ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware (Cai, Zhu and Han, ICLR 2019)."""

from __future__ import annotations

from typing import Literal

from supernet.errors import UsageError
from supernet.paper import Paper
from supernet.train import (
    BinaryGates,
    Cosine,
    CrossEntropy,
    FromLogits,
    Objective,
    PathsAndGates,
    Phase,
    Recipe,
    Strongest,
    TrainPaths,
    Updates,
    adam,
    sgd,
)
from supernet.train.parametrisations.option_logits import option_logits

PAPER = Paper(
    name="ProxylessNAS",
    title="ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware",
    authors=("Cai", "Zhu", "Han"),
    venue="ICLR",
    year=2019,
    arxiv="1812.00332",
    provenance="official code",
)

WEIGHTS = sgd(0.025, nesterov=True, weight_decay=4e-5, schedule=Cosine())
WARM_UP = WEIGHTS.with_settings(lr=0.05)
ARCHITECTURE = adam(1e-3, betas=(0.0, 0.999))
PLAIN = CrossEntropy()


def proxyless(
    *,
    gates: Literal["two", "all"] = "two",
    warm_up: float = 40 / 160,
    every: int = 5,
    begin: float = 1 / 120,
    label_smoothing: float = 0.1,
    architecture_objective: Objective = PLAIN,
    weights: Updates = WEIGHTS,
    warm_up_weights: Updates = WARM_UP,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """ProxylessNAS: one path trains the weights; now and then a gate between two paths says which is better.

    [arXiv 1812.00332](https://arxiv.org/abs/1812.00332), eq. 3–6; settings of the released code. Paths are drawn by
    softmax(α), of every choice by itself. After a warm-up of the weights, α moves in every fifth step on validation
    images: of each choice two options are drawn and computed, and the others keep their probabilities. The option with
    the largest α is derived for every choice. Its space is `zoo.mobilenetv2(variant="proxyless")`; any space of
    operations will do.

    Args:
        gates: The options that α learns from in a step: `"two"` that are drawn, as in the paper, or `"all"`, as in the
            default of the code.
        warm_up: The share of the training in which only the weights learn, with a schedule of its own; 0: none.
        every: The number of steps from one move of α to the next.
        begin: The share of the rest in which α waits.
        label_smoothing: Share of the target that is spread evenly over the classes; the weights' loss has it alone.
        architecture_objective: The loss of α, such as a `TimesCost` or a `PlusCost`, which put a price on latency.
        weights: How the supernet's weights are stepped.
        warm_up_weights: How they are stepped in the warm-up.
        architecture: How the architecture parameters α are stepped. Without momentum an option that is not drawn stays
            where it is.

    Raises:
        UsageError: a value outside its range.
    """
    if not 0 <= warm_up < 1:
        raise UsageError(f"The warm-up takes a share of {warm_up} of the training; give one in [0, 1).")
    smoothed = CrossEntropy(label_smoothing)
    search = PathsAndGates(
        gates=BinaryGates(gates),
        objective=smoothed,
        architecture_objective=architecture_objective,
        every=every,
        begin=begin,
    )
    first = Phase(
        name="warm-up",
        share=warm_up or 1.0,
        program=TrainPaths(sampler=FromLogits(), objective=smoothed),
        updates={"weights": warm_up_weights},
    )
    rest = Phase(name="search", share=1.0 - warm_up, program=search, restart=False)
    return Recipe(
        name="proxyless",
        program=(first, rest) if warm_up else (rest,),
        weights=weights,
        parts={"architecture": option_logits(architecture)},
        derive=Strongest(),
    )
