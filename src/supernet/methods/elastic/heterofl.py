"""HeteroFL: Computation and Communication Efficient Federated Learning (Diao et al., ICLR 2021)."""

from __future__ import annotations

from supernet.data import Clients
from supernet.paper import Paper
from supernet.train import (
    ByClient,
    CrossEntropy,
    FederatedAverage,
    FederatedRounds,
    IIDClients,
    LocalWork,
    Milestones,
    Partition,
    PerRound,
    Recipe,
    RollingWindow,
    Sampler,
    TrainPaths,
    Updates,
    WidthRatio,
    sgd,
)
from supernet.train.programs.federated_rounds import federation_parts

PAPER = Paper(
    name="HeteroFL",
    title="HeteroFL: Computation and Communication Efficient Federated Learning for Heterogeneous Clients",
    authors=("Diao", "Ding", "Tarokh"),
    venue="ICLR",
    year=2021,
    arxiv="2010.01264",
    provenance="reconstruction",
)

WEIGHTS = sgd(0.1, weight_decay=5e-4, schedule=PerRound(Milestones(at=(0.5,), factor=0.1)))
LEVELS = ByClient(tiers=tuple(WidthRatio(ratio) for ratio in (1.0, 0.5, 0.25, 0.125, 0.0625)))
AVERAGE = FederatedAverage(weigh="clients", entries="trained")


def heterofl(
    *,
    clients: Partition | None = IIDClients(),
    fraction: float = 0.1,
    local_epochs: int = 5,
    levels: Sampler = LEVELS,
    window: RollingWindow | None = None,
    average: FederatedAverage = AVERAGE,
    label_smoothing: float = 0.0,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """HeteroFL: each client trains the first channels of every layer, as many as it can; averages where it has them.

    [arXiv 2010.01264](https://arxiv.org/abs/2010.01264), §3.2. The client's ratio of widths is fixed. An entry of the
    weights is averaged over the clients of the round that have it, and stays the server's where none has. 100 clients,
    a tenth in each round, 5 local epochs of SGD at 0.1 with momentum 0.9 and weight decay 5e-4, a tenth of the rate
    from half of the rounds on. Settings are a reconstruction from the paper's CIFAR-10 rows; its scaler, its
    masked loss and its static batch norm are not part of it.

    Args:
        clients: How the training examples are divided; None: the data has clients already.
        fraction: The share of the clients in a round.
        local_epochs: How often a client goes through its examples.
        levels: What a client trains; the paper's five levels have 1, 1/2, 1/4, 1/8 and 1/16 of all widths.
        window: Which channels the levels use in a round; None: the first. `RollingWindow(places=512)`, for a widest
            layer of 512 channels, is FedRolex ([arXiv 2212.01548](https://arxiv.org/abs/2212.01548)), by which all
            channels are trained; it needs a network without batch norm of elastic width, such as `zoo.fedsup`.
        average: What the server makes of what clients return; the paper counts all of them alike.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How a client steps the weights.
    """
    program = FederatedRounds(
        program=TrainPaths(sampler=levels, objective=CrossEntropy(label_smoothing)),
        work=LocalWork(epochs=local_epochs),
        fraction=fraction,
        average=average,
        window=window,
    )
    return Recipe(
        name="heterofl",
        program=program,
        weights=weights,
        parts=dict(federation_parts(average)),
        data=None if clients is None else Clients(clients),
    )
