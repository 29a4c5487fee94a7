"""FedSup: Supernet Training for Federated Image Classification (Kim and Yun, ICML-W 2022)."""

from __future__ import annotations

from supernet.data import Clients
from supernet.paper import Paper
from supernet.train import (
    ByClient,
    Cosine,
    FederatedAverage,
    FederatedRounds,
    InPlaceDistillation,
    LocalWork,
    Partition,
    PerRound,
    PerVisit,
    Recipe,
    Sampler,
    Sandwich,
    ShardClients,
    TrainPaths,
    Updates,
    Warmup,
    sgd,
)
from supernet.train.programs.federated_rounds import federation_parts

PAPER = Paper(
    name="FedSup",
    title="Supernet Training for Federated Image Classification under System Heterogeneity",
    authors=("Kim", "Yun"),
    venue="ICML-W",
    year=2022,
    arxiv="2206.01366",
    provenance="official code",
)

WEIGHTS = sgd(
    0.1,
    weight_decay=1e-4,
    schedule=PerRound(Warmup(10 / 500, Cosine(), start=0.001)),
    clip_value=1.0,
    decay_vectors=False,
)
E_FEDSUP = PerVisit(ByClient())
"""What E-FedSup's clients train: the net of their tier, the same in all steps of a visit."""


def fedsup(
    *,
    clients: Partition | None = ShardClients(),
    fraction: float = 0.1,
    local_epochs: int = 5,
    paths: Sampler = Sandwich(2),
    average: FederatedAverage = FederatedAverage(),
    label_smoothing: float = 0.0,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """FedSup: clients train the supernet by the sandwich rule, or one tier's net each, and the server averages.

    [arXiv 2206.01366](https://arxiv.org/abs/2206.01366) and the released code (Kthyeon/FedSup). FedSup sends the whole
    supernet: each step of a client trains the largest, random and the smallest subnet, and all but the largest learn
    from the largest's softmax. E-FedSup (`paths=PerVisit(ByClient())`) sends one subnet to each client of a round, by
    the tier of the client, and trains it by the labels. The server averages all weights; those that a client does not
    train it returns as they were.

    100 clients, a tenth of them in each of 500 rounds, 5 local epochs of batches of 32 by SGD at 0.1 with momentum 0.9,
    weight decay 1e-4 on what is no vector, gradient values clipped at 1, no dropout. The learning rate goes from round
    to round: 10 of warm-up, cosine. In the released code that schedule has no effect and the rate is constant
    (`schedule=Constant()`); its second tier is meant to be the largest subnet and draws a random one, as does its
    evaluation of "the largest". Here both are the largest. How many random subnets FedSup trains beside the extremes is
    a reconstruction: the sandwich rule's two, while the released configuration names two subnets in all
    (`paths=Sandwich(0)`).

    Args:
        clients: How the training examples are divided; None: the data has clients already.
        fraction: The share of the clients in a round.
        local_epochs: How often a client goes through its examples.
        paths: What a client trains in a step: the first path learns from the labels, the others from the first.
        average: What the server makes of what clients return. The released code has `weigh="clients"`.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How a client steps the weights.
    """
    program = TrainPaths(sampler=paths, objective=InPlaceDistillation(label_smoothing))
    return Recipe(
        name="fedsup",
        program=FederatedRounds(
            program=program, work=LocalWork(epochs=local_epochs), fraction=fraction, average=average
        ),
        weights=weights,
        parts=dict(federation_parts(average)),
        data=None if clients is None else Clients(clients),
    )
