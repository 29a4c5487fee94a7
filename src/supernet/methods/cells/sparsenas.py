"""SparseNAS: Neural Architecture Search as Sparse Supernet (Wu et al., AAAI 2021)."""

from __future__ import annotations

from typing import Literal

from supernet.methods.cells.darts import WEIGHTS
from supernet.paper import Paper
from supernet.train import HAPG, Bilevel, NonZero, Part, Recipe, Updates, WeightPerOperation

PAPER = Paper(
    name="SparseNAS",
    title="Neural Architecture Search as Sparse Supernet",
    authors=("Wu", "Liu", "Huang", "Zhang", "Van Gool"),
    venue="AAAI",
    year=2021,
    arxiv="2007.16112",
    provenance="reconstruction",
)

ARCHITECTURE = Updates(optimiser=HAPG(lr=3e-4, penalty=0.01))


def sparsenas(
    *,
    initial: float | None = None,
    revive: bool = False,
    order: Literal[1, 2] = 1,
    weights: Updates = WEIGHTS,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """SparseNAS: a sparse group lasso removes operations and nodes; what has a weight other than 0 is the architecture.

    [arXiv 2007.16112](https://arxiv.org/abs/2007.16112). Operations have weights of their own, without a softmax, and
    those of a node are a group. The weights minimise the validation loss and λ Σ_g [(1 − μ) √|g| ‖A_g‖₂ + μ ‖A_g‖₁] by
    accelerated proximal steps with Adam's direction (`HAPG`), in turn with the supernet's weights, as in DARTS. Nodes
    keep any number of edges with any operations, or nothing: the space is `zoo.darts(inputs="any", several_ops=True)`.
    The paper has no code; λ, μ (`architecture.penalty`, `architecture.l1_share`) and all other numbers are a
    reconstruction with the settings of DARTS.

    Args:
        initial: The weight that every operation begins with; None: 1 / (operations of its edge).
        revive: Whether operations of the weight 0 run in the moves on the architecture, so that they may return;
            otherwise they are out for good.
        order: The order of the approximation of the architecture's gradient, 1 or 2.
        weights: How the supernet's weights are stepped.
        architecture: How the weights of operations are stepped; its optimiser removes them.
    """
    return Recipe(
        name="sparsenas",
        program=Bilevel(order=order),
        weights=weights,
        parts={
            "architecture": Part(build=WeightPerOperation(initial=initial, revive=revive), updates=architecture),
        },
        derive=NonZero(),
    )
