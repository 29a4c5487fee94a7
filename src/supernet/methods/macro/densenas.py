"""DenseNAS: Densely Connected Search Space for More Flexible Neural Architecture Search (Fang et al., CVPR 2020)."""

from __future__ import annotations

from typing import Any

from supernet.paper import Paper
from supernet.train import (
    ChainedCost,
    Cosine,
    CrossEntropy,
    Edit,
    EpochsInTurn,
    LikeliestRoute,
    Objective,
    OfBestEpoch,
    Recipe,
    RememberDerived,
    RoutesAndOperations,
    Softmax,
    TrainPaths,
    Uniform,
    Updates,
    adam,
    sgd,
)
from supernet.train.parametrisations.option_logits import option_logits

PAPER = Paper(
    name="DenseNAS",
    title="Densely Connected Search Space for More Flexible Neural Architecture Search",
    authors=("Fang", "Sun", "Zhang", "Li", "Liu", "Wang"),
    venue="CVPR",
    year=2020,
    arxiv="1906.09607",
    provenance="official code",
)

WEIGHTS = sgd(0.2, weight_decay=4e-5, schedule=Cosine(floor=1e-4 / 0.2))
ARCHITECTURE = adam(3e-4, betas=(0.5, 0.999), weight_decay=1e-3)
PRICE = ChainedCost()
FINAL = sgd(0.5, weight_decay=4e-5, schedule=Cosine(floor=1e-5 / 0.5))

RESNET: dict[str, Any] = {
    "begin": 10 / 70,
    "select_from": 50 / 70,
    "temperature": 0.9,
    "architecture_objective": ChainedCost(weight=0.2, base=3500.0, skip_share=0.1),
}
"""The search among ResNets, of 70 epochs with batches of 512."""


def densenas(
    *,
    begin: float = 50 / 150,
    select_from: float | None = 120 / 150,
    temperature: float = 1.0,
    share: float = 0.25,
    architecture_objective: Objective = PRICE,
    weights: Updates = WEIGHTS,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """DenseNAS: routes through densely connected blocks, weighed by β, with a cost that is chained along them.

    [arXiv 1906.09607](https://arxiv.org/abs/1906.09607), §3; settings of the released code: 150 epochs with batches of
    352, of which the architecture rests in the first 50. Then epochs of α and β, on validation images through two
    drawn operations per layer, and epochs of the weights, through one, take turns. The likeliest route by β is derived
    with the strongest operations on it. Its space is `zoo.densenas`, and any other with `nn.Routes` will do.

    Args:
        begin: Share of the training in which only the weights learn, through uniform operations.
        select_from: Share of the training from which on the supernet is rated after every epoch; derived is what would
            have been after the best one, and the two best are remembered. None: nothing is rated, and what the end
            says is derived.
        temperature: What β are divided by before their softmax (ResNets: 0.9). α have no temperature.
        share: The moves in an epoch of the architecture as a share of those of the weights.
        architecture_objective: The loss of α and β. The paper's price is a latency, `ChainedCost("latency", table=…)`;
            without a table it is that of MACs.
        weights: How the supernet's weights are stepped.
        architecture: How α and β are stepped.

    Raises:
        UsageError: a value outside its range.
    """
    ways = Softmax(temperature)
    derive = LikeliestRoute()
    remember = (
        None
        if select_from is None
        else RememberDerived(begin=select_from, relaxation=RoutesAndOperations(ways, Softmax()), derive=derive)
    )
    return Recipe(
        name="densenas",
        program=EpochsInTurn(
            relaxation=RoutesAndOperations(ways),
            architecture_objective=architecture_objective,
            begin=begin,
            share=share,
        ),
        weights=weights,
        parts={"architecture": option_logits(architecture)},
        edits=() if remember is None else (Edit(name="derived architectures", apply=remember, unit="epochs"),),
        derive=derive if remember is None else OfBestEpoch(derive),
    )


def densenas_final(*, label_smoothing: float = 0.1, weights: Updates = FINAL) -> Recipe:
    """How a derived network is trained for use: 240 epochs with batches of 1024, no warm-up.

    It is a method for `supernet retrain`, of a network of `zoo.densenas(affine=True)`.

    Args:
        label_smoothing: Share of the target that is spread evenly over the classes.
        weights: How the weights are stepped.
    """
    program = TrainPaths(sampler=Uniform(), objective=CrossEntropy(label_smoothing))
    return Recipe(name="densenas_final", program=program, weights=weights)
