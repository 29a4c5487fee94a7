"""GDAS: Searching for a Robust Neural Architecture in Four GPU Hours (Dong and Yang, CVPR 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from supernet.errors import UsageError
from supernet.methods.cells.darts import ARCHITECTURE, WEIGHTS_NAS_BENCH_201
from supernet.paper import Paper
from supernet.space import Option, Space
from supernet.train import Bilevel, CrossEntropy, GumbelOneHot, PerEpoch, Phase, Ramp, Recipe, Strongest, Updates
from supernet.train.parametrisations.option_logits import option_logits
from supernet.train.values._protocol import Number

PAPER = Paper(
    name="GDAS",
    title="Searching for a Robust Neural Architecture in Four GPU Hours",
    authors=("Dong", "Yang"),
    venue="CVPR",
    year=2019,
    arxiv="1910.04465",
    provenance="official code",
)

TEMPERATURE = PerEpoch(Ramp(10.0, 0.1))
FIXED = ("sep_conv_3x3", "max_pool_3x3")


def gdas(
    *,
    temperature: Number = TEMPERATURE,
    reduction: Literal["searched", "fixed"] = "searched",
    first: Literal["architecture", "weights"] = "weights",
    exclude: tuple[str, ...] = (),
    weights: Updates = WEIGHTS_NAS_BENCH_201,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """GDAS: one candidate per choice is drawn and runs; α learns through the Gumbel-softmax on validation data.

    [arXiv 1910.04465](https://arxiv.org/abs/1910.04465), eq. 3–7 and algorithm 1; settings of the released code. Every
    pass draws anew, and of each choice only the drawn candidate is computed. Split the training images in half for the
    two moves (`validation=0.5` of the data loaders). The architecture with the largest α per choice is derived; the
    DARTS space bans `none` with `exclude=("none",)`.

    Args:
        temperature: The temperature τ of the Gumbel-softmax; 10 → 0.1 from epoch to epoch.
        reduction: Whether the reduction cell of `zoo.darts` is searched, or `"fixed"` (GDAS with FRC), see
            `fixed_reduction_cell`.
        first: The family of parameters that moves first in a step.
        exclude: The options that may not be derived.
        weights: How the supernet's weights are stepped.
        architecture: How the architecture parameters α are stepped.

    Raises:
        UsageError: a temperature that is not positive, or an unknown value of `reduction` or `first`.
    """
    if reduction not in ("searched", "fixed"):
        raise UsageError(f"The reduction cell is 'searched' or 'fixed'; got {reduction!r}.")
    program = Bilevel(relaxation=GumbelOneHot(temperature), objective=CrossEntropy(), first=first)
    fixed = Phase(name="gdas", share=1.0, program=program, restrict=fixed_reduction_cell)
    return Recipe(
        name="gdas" if reduction == "searched" else "gdas_frc",
        program=program if reduction == "searched" else (fixed,),
        weights=weights,
        parts={"architecture": option_logits(architecture)},
        derive=Strongest(exclude),
    )


def fixed_reduction_cell(space: Space) -> Mapping[str, Sequence[Option]]:
    """The reduction cell of GDAS (FRC) in the space of `zoo.darts`: a reconstruction.

    In the released code two nodes are a convolution of each input, and two a max pooling of each. In the DARTS space
    nodes sum two edges; here every node sums one from each input, and nodes differ in which of the two edges are
    3 × 3 separable convolutions and which max poolings: both, none, and either.

    Raises:
        UsageError: the space has no reduction cell whose nodes choose their inputs.
    """
    names = [name for name in space.names if name.startswith("reduce.")]
    if not any(name.endswith(".inputs") for name in names):
        raise UsageError(
            "The reduction cell was to be fixed, but the space has no choices 'reduce.3.inputs', 'reduce.3<-0' … of "
            "the inputs and operations of its nodes. Use zoo.darts(), or reduction='searched'."
        )
    found: dict[str, Sequence[Option]] = {}
    for name in names:
        node, edge, source = name.removeprefix("reduce.").partition("<-")
        if not edge:
            found[name] = [(0, 1)]
        elif int(source) < 2:
            found[name] = [FIXED[(int(node) - 2) >> int(source) & 1]]
    return found
