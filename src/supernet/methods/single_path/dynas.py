"""DYNAS: Subnet-Aware Dynamic Supernet Training for Neural Architecture Search (Jeon et al., CVPR 2025)."""

from __future__ import annotations

from dataclasses import replace

from supernet.errors import UsageError
from supernet.methods._wrapping import around
from supernet.methods.single_path.spos import spos
from supernet.paper import Paper
from supernet.train import ComplexityAwareLR, MomentumSeparation, OneGroup, OnLoss, Recipe, sgd
from supernet.train.schedules.complexity_aware import Complexity

PAPER = Paper(
    name="DYNAS",
    title="Subnet-Aware Dynamic Supernet Training for Neural Architecture Search",
    authors=("Jeon", "Oh", "Lee", "Baek", "Kim", "Eom", "Ham"),
    venue="CVPR",
    year=2025,
    arxiv="2503.10740",
    provenance="official code",
)

WEIGHTS = sgd(0.025, nesterov=True, weight_decay=5e-4, clip_norm=5.0, inactive="decay", per=64)  # NAS-Bench-201
BASELINE = replace(spos(label_smoothing=0.0, weights=WEIGHTS), name="dynas")


def dynas(
    recipe: Recipe = BASELINE,
    *,
    gamma_max: float = 4.0,
    complexity: Complexity = "params",
    states: MomentumSeparation = MomentumSeparation(),
) -> Recipe:
    """DYNAS: any method that samples architectures, with a complexity-aware learning rate and separate momentum.

    [arXiv 2503.10740](https://arxiv.org/abs/2503.10740). With one path per update CaLR scales the learning rate. With
    several it scales the loss of each path, so that weight decay is not annealed, and all paths take one random option
    on the edge that separates momentum (`OneGroup`); `dynas(fairnas())` is strictly fair on the others. Both as
    released, and so are the updates of the default: SGD with Nesterov momentum at 0.025 for batches of 64, weight decay
    5e-4, gradients clipped at norm 5, unsampled parameters decaying as in the torch version of the published figures.

    Args:
        recipe: The method that is made subnet-aware; it keeps its updates but for schedule and states. Where they have
            no momentum, there is none to separate. Default: one uniform path per step, as in SPOS.
        gamma_max: The exponent γ of the smallest subnet, see `ComplexityAwareLR`.
        complexity: The measure C(α) of a subnet's complexity.
        states: How momentum is separated; by default by one edge, drawn from the seed.

    Raises:
        UsageError: the recipe does not sample architectures, its paths belong together so that no choice can be set
            alike in all of them, or it is subnet-aware already.
    """
    if recipe.weights.states is not None:
        raise UsageError(f"dynas separates momentum, but {recipe.name!r} does so already; leave one of the two out.")
    drawn = recipe.draws
    if not drawn <= {"one", "independent"}:
        raise UsageError(
            f"dynas needs single architectures, or several in which one choice can be set alike, but {recipe.name!r} "
            "trains mixtures or paths that belong together. Take a method such as spos() or fairnas()."
        )
    rate = ComplexityAwareLR(gamma_max=gamma_max, complexity=complexity)
    single = drawn == {"one"}
    aligned = recipe if single else recipe.with_sampler(lambda sampler: OneGroup(sampler, states))
    weights = replace(recipe.weights, schedule=rate if single else OnLoss(rate), states=states)
    return replace(aligned, name=around("dynas", recipe), weights=weights)
