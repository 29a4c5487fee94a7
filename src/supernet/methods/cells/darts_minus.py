"""DARTS-: Robustly Stepping out of Performance Collapse Without Indicators (Chu et al., ICLR 2021)."""

from __future__ import annotations

from typing import Literal

from supernet.methods.cells.darts import ARCHITECTURE, WEIGHTS
from supernet.paper import Paper
from supernet.train import Bilevel, CrossEntropy, PerEpoch, Phase, Ramp, Recipe, Strongest, Updates
from supernet.train.parametrisations.option_logits import option_logits
from supernet.train.values._protocol import Number, check_value

PAPER = Paper(
    name="DARTS-",
    title="DARTS-: Robustly Stepping out of Performance Collapse Without Indicators",
    authors=("Chu", "Wang", "Zhang", "Lu", "Wei", "Yan"),
    venue="ICLR",
    year=2021,
    arxiv="2009.01027",
    provenance="official code",
)

BETA = Ramp(1.0, 0.0)
BETA_BY_EPOCH = PerEpoch(Ramp(1.0, 1 / 50))  # 1 − e / 50 in epoch e of 50
BETA_COSINE = Ramp(1.0, 0.0, shape="cosine")


def darts_minus(
    *,
    beta: Number = BETA,
    order: Literal[1, 2] = 1,
    exclude: tuple[str, ...] = (),
    weights: Updates = WEIGHTS,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """DARTS-: DARTS with a skip connection beside the operations of every edge, whose weight decays to nothing.

    [arXiv 2009.01027](https://arxiv.org/abs/2009.01027). An edge computes β x + Σₒ softmax(α)ₒ · o(x): what makes a
    deep network easy to train comes from β x, and the candidate skip connection competes for what it is worth itself.
    The space has to have the auxiliary skip: `zoo.darts(aux_skip=True)`, or `zoo.nasbench201(aux_skip=True)`. Split the
    training images in half for the two moves. The architecture is derived as in DARTS, without the auxiliary skip; the
    DARTS space bans `none` with `exclude=("none",)`.

    Args:
        beta: The weight β of the auxiliary skip over the training; 0: none, which is DARTS. By the step it reaches 0 in
            the last one; the released code's steps from epoch to epoch, `BETA_BY_EPOCH` in 50 epochs, and ends at 1/50.
        order: The order of the approximation of the architecture's gradient, 1 or 2.
        exclude: The options that may not be derived.
        weights: How the supernet's weights are stepped.
        architecture: How the architecture parameters α are stepped.

    Raises:
        UsageError: a negative β.
    """
    check_value("The weight beta of the auxiliary skip", beta, at_least=0)
    program = Bilevel(objective=CrossEntropy(), order=order)
    settings = {"aux_skip": beta} if callable(beta) or beta else {}
    return Recipe(
        name="darts_minus",
        program=(Phase(name="search", share=1, program=program, settings=settings),),
        weights=weights,
        parts={"architecture": option_logits(architecture)},
        derive=Strongest(exclude),
    )
