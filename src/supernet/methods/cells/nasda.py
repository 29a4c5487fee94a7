"""NASDA: Network Architecture Search for Domain Adaptation (Li and Peng, arXiv 2020)."""

from __future__ import annotations

from typing import Literal

from supernet.data.derived.with_target import WithTarget
from supernet.methods.cells.darts import ARCHITECTURE, WEIGHTS
from supernet.paper import Paper
from supernet.train import Bilevel, CrossEntropy, Recipe, Softmax, Strongest, Updates
from supernet.train.objectives.kernel_discrepancy import Estimator, KernelDiscrepancy
from supernet.train.objectives.plus_discrepancy import PlusDiscrepancy
from supernet.train.parametrisations.option_logits import option_logits
from supernet.train.values._protocol import Number

PAPER = Paper(
    name="NASDA",
    title="Network Architecture Search for Domain Adaptation",
    authors=("Li", "Peng"),
    venue="arXiv",
    year=2020,
    arxiv="2008.05706",
    provenance="reconstruction",
)


def nasda(
    *,
    weight: Number = 1.0,
    estimator: Estimator = "linear",
    kernels: int = 5,
    factor: float = 2.0,
    width: float | Literal["mean", "median"] = "mean",
    order: Literal[1, 2] = 2,
    temperature: float = 1.0,
    exclude: tuple[str, ...] = (),
    edges: int = 2,
    weights: Updates = WEIGHTS,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """NASDA: DARTS whose α also draws together the features of labelled images and of those of an unlabelled domain.

    [arXiv 2008.05706](https://arxiv.org/abs/2008.05706), phase I. The weights learn on labelled training images of the
    source, as in DARTS; α learns by the loss of validation images of the source plus `weight` times the squared maximum
    mean discrepancy, with several Gaussian kernels, between their features and those of images of the target. Labels of
    the target are never read. What it derives is trained by `mcd`, phase II: `supernet retrain … --method mcd`.

    It needs data with a split `target`, such as `supernet.data.digit_domains(adapt=0.5)`. No code was released: what
    the paper does not say is that of DARTS, and of DAN for the discrepancy (reconstruction).

    Args:
        weight: The factor λ on the discrepancy (reconstruction: 1).
        estimator: The estimator of the discrepancy: `"linear"` (DAN's paper), `"cyclic"` (its code), `"unbiased"` or
            `"biased"`; see `KernelDiscrepancy`.
        kernels: The number of kernels.
        factor: The factor from the width of one kernel to that of the next.
        width: The width of the middle kernel: a number, or the `"mean"` or `"median"` of all squared distances.
        order: The order of the approximation of the architecture's gradient, 1 or 2.
        temperature: The temperature of the softmax.
        exclude: The options that may not be derived.
        edges: The edges that a node keeps, where nodes choose their inputs.
        weights: How the supernet's weights are stepped.
        architecture: How the architecture parameters α are stepped.

    Raises:
        UsageError: a value outside its range; before the first step, data without a target.
    """
    loss = CrossEntropy()
    discrepancy = KernelDiscrepancy(kernels=kernels, factor=factor, width=width, estimator=estimator)
    program = Bilevel(
        relaxation=Softmax(temperature),
        objective=loss,
        architecture_objective=PlusDiscrepancy(objective=loss, discrepancy=discrepancy, weight=weight),
        order=order,
    )
    return Recipe(
        name="nasda",
        program=program,
        weights=weights,
        parts={"architecture": option_logits(architecture)},
        derive=Strongest(exclude, edges=edges),
        data=WithTarget(),
    )
