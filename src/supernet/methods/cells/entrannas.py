"""EnTranNAS: Consistency, Efficiency and Flexibility of Differentiable NAS (Yang et al., CVPR 2021)."""

from __future__ import annotations

from supernet.errors import UsageError
from supernet.methods.cells.darts import ARCHITECTURE, WEIGHTS
from supernet.paper import Paper
from supernet.train import (
    Bilevel,
    EngineAndTransit,
    LogitsAndThresholds,
    NonZero,
    Part,
    Recipe,
    ShareFeatures,
    Softmax,
    Strongest,
    Updates,
)
from supernet.train.derivations._protocol import Derivation
from supernet.train.parametrisations.option_logits import option_logits
from supernet.train.values._protocol import Number

PAPER = Paper(
    name="EnTranNAS",
    title=(
        "Towards Improving the Consistency, Efficiency, and Flexibility of Differentiable Neural Architecture Search"
    ),
    authors=("Yang", "You", "Li", "Wang", "Qian", "Lin"),
    venue="CVPR",
    year=2021,
    arxiv="2101.11342",
    provenance="reconstruction",
)


def entrannas(
    *,
    engines: int = 1,
    temperature: Number = 1.0,
    share: bool = True,
    threshold: float | None = None,
    exclude: tuple[str, ...] = (),
    weights: Updates = WEIGHTS,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """EnTranNAS: a few cells mix all operations, all others run the architecture that would be derived now.

    [arXiv 2101.11342](https://arxiv.org/abs/2101.11342). Engine cells are those of DARTS, and α learns through them
    alone; transit cells run the derived edges and operations, which each count once and are derived anew in every pass.
    An operation on a node runs once in its cell, for all nodes after it. With a `threshold` this is EnTranNAS-DST:
    nodes learn thresholds, and keep any number of operations, in `zoo.darts(inputs="subsets", several_ops=True)`. The
    paper has no code; numbers that it leaves open here are a reconstruction with the settings of DARTS.

    Args:
        engines: The number of engine cells of each kind, the first ones of the network.
        temperature: The temperature τ of the softmax.
        share: Whether an operation on a node has one set of weights in its cell, and runs once.
        threshold: The threshold that every node begins with, in (0, 1); None: nodes keep their two strongest edges.
        exclude: The options that may not be derived; only without thresholds.
        weights: How the supernet's weights are stepped.
        architecture: How α is stepped, and the thresholds with it.

    Raises:
        UsageError: a value outside its range, or thresholds with excluded options or a temperature that changes.
    """
    part = option_logits(architecture)
    derive: Derivation = Strongest(exclude)
    if threshold is not None:
        if exclude or callable(temperature):
            raise UsageError(
                f"Thresholds were asked for with exclude={exclude} and temperature={temperature}. They take no options "
                "out and compare at one temperature: leave out exclude, build the space without such options, and give "
                "a number."
            )
        part = Part(build=LogitsAndThresholds(threshold, temperature), updates=architecture)
        derive = NonZero()
    return Recipe(
        name="entrannas",
        program=Bilevel(
            relaxation=Softmax(temperature),
            forward=EngineAndTransit(engines=engines, derive=derive),
        ),
        weights=weights,
        parts={"architecture": part},
        derive=derive,
        adapt=ShareFeatures() if share else None,
    )
