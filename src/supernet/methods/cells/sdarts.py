"""SDARTS: Stabilizing Differentiable Architecture Search by perturbations (Chen and Hsieh, ICML 2020)."""

from __future__ import annotations

from typing import Literal

from supernet.errors import UsageError
from supernet.methods.cells.darts import ARCHITECTURE, WEIGHTS
from supernet.paper import Paper
from supernet.train import Adversarial, Bilevel, CrossEntropy, Perturbed, Ramp, Recipe, Softmax, Strongest, Updates
from supernet.train.parametrisations.option_logits import option_logits

PAPER = Paper(
    name="SDARTS",
    title="Stabilizing Differentiable Architecture Search via Perturbation-based Regularization",
    authors=("Chen", "Hsieh"),
    venue="ICML",
    year=2020,
    arxiv="2002.05283",
    provenance="official code",
)

RADIUS = Ramp(0.03, 0.3)
RANDOM = Perturbed(Softmax(), RADIUS)
ADVERSARIAL = Adversarial(radius=RADIUS, steps=7)


def sdarts(
    *,
    perturbation: Perturbed | Adversarial = RANDOM,
    order: Literal[1, 2] = 1,
    exclude: tuple[str, ...] = (),
    weights: Updates = WEIGHTS,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """SDARTS: DARTS whose weights are trained with perturbed mixtures, at random (RS) or against them (ADV).

    [arXiv 2002.05283](https://arxiv.org/abs/2002.05283), algorithm 1. α learns on validation data from softmax(α)
    itself, and the weights on training data from softmax(α) + δ, so that the loss is flat around the architecture.
    Split the training images in half for the two moves. SDARTS-ADV is `sdarts(perturbation=ADVERSARIAL)`, and takes
    nine more forwards and seven more backwards a step. The DARTS space bans `none` with `exclude=("none",)`.

    Args:
        perturbation: Where δ comes from: `Perturbed`, uniform noise, or `Adversarial`, the worst that seven steps find.
        order: The order of the approximation of the architecture's gradient, 1 or 2.
        exclude: The options that may not be derived.
        weights: How the supernet's weights are stepped.
        architecture: How the architecture parameters α are stepped.

    Raises:
        UsageError: a perturbation of another kind.
    """
    if not isinstance(perturbation, (Perturbed, Adversarial)):
        raise UsageError(f"SDARTS has a perturbation by Perturbed or Adversarial; got {perturbation!r}.")
    program = Bilevel(
        relaxation=perturbation.relaxation if isinstance(perturbation, Perturbed) else Softmax(),
        objective=CrossEntropy(),
        order=order,
        weights_relaxation=perturbation if isinstance(perturbation, Perturbed) else None,
        weights_gradient=perturbation if isinstance(perturbation, Adversarial) else None,
    )
    return Recipe(
        name="sdarts_rs" if isinstance(perturbation, Perturbed) else "sdarts_adv",
        program=program,
        weights=weights,
        parts={"architecture": option_logits(architecture)},
        derive=Strongest(exclude),
    )
