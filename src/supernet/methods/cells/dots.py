"""DOTS: Decoupling Operation and Topology in Differentiable Architecture Search (Gu et al., CVPR 2021)."""

from __future__ import annotations

from itertools import accumulate

from supernet.data import AllImages
from supernet.errors import UsageError
from supernet.methods.cells.darts import ARCHITECTURE, WEIGHTS
from supernet.paper import Paper
from supernet.train import (
    Bilevel,
    GroupSoftmax,
    KeepWinners,
    OfPart,
    OperationsAndInputs,
    PerEpoch,
    Phase,
    Ramp,
    Recipe,
    SingleLevel,
    Softmax,
    Strongest,
    Updates,
    adam,
)
from supernet.train.optimisers._protocol import check_number
from supernet.train.parametrisations.option_logits import option_logits
from supernet.train.relaxations.group_softmax import PARAMETER_FREE

PAPER = Paper(
    name="DOTS",
    title="DOTS: Decoupling Operation and Topology in Differentiable Architecture Search",
    authors=("Gu", "Wang", "Liu", "Yang", "Wu", "Lu", "Cheng"),
    venue="CVPR",
    year=2021,
    arxiv="2010.00969",
    provenance="official code",
)

TOPOLOGY = adam(3e-4, weight_decay=1e-3)  # β (0.9, 0.999), torch's own


def dots(
    *,
    parameter_free: tuple[str, ...] = PARAMETER_FREE,
    exclude: tuple[str, ...] = ("none",),
    epochs: tuple[float, float, float, float] = (15, 15, 20, 20),
    temperatures: tuple[float, float] = (10.0, 0.02),
    balance: float = 1e-3,
    divide: bool = False,
    weights: Updates = WEIGHTS,
    architecture: Updates = ARCHITECTURE,
    topology: Updates = TOPOLOGY,
) -> Recipe:
    """DOTS: operations are searched in two groups that do not compete, then pairs of edges, with fresh weights.

    [arXiv 2010.00969](https://arxiv.org/abs/2010.00969). First DARTS with a softmax per group of options
    (`GroupSoftmax`); the winner of each group goes on (`KeepWinners`). Then every node has a logit β per set of inputs,
    an edge weighs Σ softmax(β / T) over the sets it is in, and T falls exponentially while β, the balance of the two
    operations left and the weights learn at once from all training images. Of every node the strongest set is derived,
    and of every edge the stronger operation. Defaults are those of the released code for CIFAR-10. Split the training
    images in half (`validation=0.5`).

    Args:
        parameter_free: The options that make the first group; all others make the second. Those that the space does not
            have are passed over.
        exclude: The options that may not be derived.
        epochs: The epochs in which weights learn, then the logits of operations too; afresh weights, then topology too.
            The first three are epochs of the training images, the last of all of them, twice as many.
        temperatures: The temperature T of topologies in the first and in the last epoch of their search.
        balance: The temperature of the two operations left, as a factor on T.
        divide: Whether the weight of a set is divided by the number of its edges, as in the paper: the edges of a node
            weigh 1 together then, and 2 as in the released code.
        weights: How the supernet's weights are stepped, by one schedule over all epochs.
        architecture: How the logits of operations are stepped.
        topology: How the logits of topologies, and of the two operations left, are stepped.

    Raises:
        UsageError: a number of epochs, a temperature or a factor that is not positive, or too many or too few of them.
            Before the training: of some choice all winners may be excluded.
    """
    if len(epochs) != 4 or len(temperatures) != 2:
        raise UsageError(
            f"DOTS has four phases and two temperatures; got epochs={epochs} and temperatures={temperatures}. Give one "
            "number of epochs per phase, and the first and the last temperature."
        )
    for number in epochs:
        check_number("A number of epochs", number, above=0)
    begin, after_operations, after_warmup, _ = (end / sum(epochs) for end in accumulate(epochs))
    groups = (parameter_free,)

    def annealed(factor: float) -> OfPart:
        start, end = (factor * temperature for temperature in temperatures)
        return OfPart(PerEpoch(Ramp(start, end, shape="exponential")), begin=after_warmup)

    phases = (
        Phase(
            name="operations",
            share=epochs[0] + epochs[1],
            part=(0.0, after_operations),
            program=Bilevel(relaxation=GroupSoftmax(groups), begin=begin),
        ),
        Phase(
            name="topology, weights alone",
            share=epochs[2],
            part=(after_operations, after_warmup),
            program=Bilevel(
                relaxation=OperationsAndInputs(Softmax(balance), divide=divide), begin=1.0, part="topology"
            ),
            enter=KeepWinners(groups=groups, exclude=exclude),
        ),
        Phase(
            name="topology",
            share=2 * epochs[3],
            part=(after_warmup, 1.0),
            program=SingleLevel(
                relaxation=OperationsAndInputs(Softmax(annealed(balance)), Softmax(annealed(1.0)), divide=divide),
                part="topology",
            ),
            data=AllImages(),
            restart=False,
        ),
    )
    return Recipe(
        name="dots",
        program=phases,
        weights=weights,
        parts={
            "architecture": option_logits(architecture, scale=0.0),
            "topology": option_logits(topology, scale=0.0, inputs="options"),
        },
        derive=Strongest(exclude, part="topology"),
    )
