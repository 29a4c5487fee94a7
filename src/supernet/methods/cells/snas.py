"""SNAS: Stochastic Neural Architecture Search (Xie, Zheng, Liu and Lin, ICLR 2019)."""

from __future__ import annotations

from typing import Literal

from supernet.errors import UsageError
from supernet.methods.cells.darts import WEIGHTS
from supernet.paper import Paper
from supernet.train import (
    Bilevel,
    CrossEntropy,
    ExpectedCost,
    GumbelOneHot,
    GumbelSoftmax,
    LogitsAround,
    Part,
    PerEpoch,
    Ramp,
    Recipe,
    SingleLevel,
    Strongest,
    Term,
    Terms,
    Updates,
    adam,
    sgd,
)
from supernet.train.values._protocol import Number

PAPER = Paper(
    name="SNAS",
    title="SNAS: Stochastic Neural Architecture Search",
    authors=("Xie", "Zheng", "Liu", "Lin"),
    venue="ICLR",
    year=2019,
    arxiv="1812.09926",
    provenance="official code",
)

ARCHITECTURE = adam(3e-4, betas=(0.5, 0.999), weight_decay=1e-3, clip_norm=10.0)
ARCHITECTURE_ONE_GPU = sgd(3e-4, momentum=0.0, clip_norm=10.0)  # the code's command for 8 cells
TEMPERATURE = PerEpoch(Ramp(1.0, 0.03))
TEMPERATURE_NAS_BENCH_201 = PerEpoch(Ramp(10.0, 1.09))  # 10 − 9 e / 100 in epoch e of 100
COSTS = tuple(ExpectedCost(cost, weight=1.5e-3 / 3, logarithm="choices") for cost in ("params", "macs"))


def snas(
    *,
    levels: Literal[1, 2] = 1,
    samples: Literal["soft", "hard", "drawn"] = "soft",
    temperature: Number = TEMPERATURE,
    costs: tuple[ExpectedCost, ...] = (),
    drop_path: float = 0.0,
    exclude: tuple[str, ...] = (),
    weights: Updates = WEIGHTS,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """SNAS: weights and α by one gradient, through samples of the concrete distribution that grow cold.

    [arXiv 1812.09926](https://arxiv.org/abs/1812.09926), eq. 4–7; settings of the released code. Every candidate is
    computed, weighted by a Gumbel-softmax sample, which all cells share. Weights and α learn on the same training
    images: leave few for validation, or `dataclasses.replace(snas(), data=supernet.data.AllImages())`. The option with
    the largest α is derived for every choice, `none` included, and every edge is kept: in the DARTS space take
    `zoo.darts(inputs="all", none=True)`. On NAS-Bench-201 the published figures are those of
    `snas(levels=2, temperature=TEMPERATURE_NAS_BENCH_201)` with the initial α of DARTS (`parts=darts().parts`).

    Args:
        levels: 1: one loss for weights and α; 2: α on validation images, then the weights.
        samples: `"soft"` samples; `"hard"` ones, one-hot with the gradient of the soft ones; or `"drawn"`, for which
            the drawn candidate alone is computed, at the cost of one path (GDAS's approximation of that gradient).
        temperature: The temperature λ of the samples; 1 → 0.03 from epoch to epoch.
        costs: Expected costs that are added to the loss of α, such as `COSTS`.
        drop_path: The probability of drop-path in the search, for networks that have it; the code's is 0.3.
        exclude: The options that may not be derived.
        weights: How the supernet's weights are stepped.
        architecture: How the architecture parameters α are stepped.

    Raises:
        UsageError: a value outside its range.
    """
    if levels not in (1, 2) or samples not in ("soft", "hard", "drawn"):
        raise UsageError(
            f"SNAS has 1 level or 2, and samples are 'soft', 'hard' or 'drawn'; got {levels!r} and {samples!r}."
        )
    if not 0 <= drop_path < 1:
        raise UsageError(f"The probability of drop-path is {drop_path}; give one in [0, 1).")
    one_hot = GumbelOneHot(temperature, run="drawn" if samples == "drawn" else "all")
    relaxation = GumbelSoftmax(temperature) if samples == "soft" else one_hot
    loss = CrossEntropy()
    both = Terms((Term("loss", loss), *(Term(f"cost/{one.cost}", one) for one in costs))) if costs else None
    program = (
        SingleLevel(relaxation=relaxation, objective=both or loss)
        if levels == 1
        else Bilevel(relaxation=relaxation, objective=loss, architecture_objective=both)
    )
    return Recipe(
        name="snas",
        program=program,
        weights=weights,
        parts={"architecture": Part(build=LogitsAround(1.0, 0.01), updates=architecture)},
        derive=Strongest(exclude),
        settings={"drop_path": drop_path} if drop_path else {},
    )
