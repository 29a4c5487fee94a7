"""SPIDER: Distributed Architecture Search Over Heterogeneous Distributions (Mushtaq et al., TMLR 2023)."""

from __future__ import annotations

from typing import Literal

from supernet.data import Clients
from supernet.data.derived.chained import Chained
from supernet.data.derived.client_validation import ClientValidation
from supernet.paper import Paper
from supernet.train import (
    Cosine,
    CrossEntropy,
    DecidedPerClient,
    DirichletClients,
    FederatedAverage,
    FederatedRounds,
    LocalWork,
    Part,
    Partition,
    PerClient,
    PerRound,
    Recipe,
    TrainPersonal,
    Updates,
    sgd,
)
from supernet.train.parametrisations.option_logits import LogitPerOption
from supernet.train.parts.copy_per_client import CopyPerClient
from supernet.train.programs.federated_rounds import federation_parts

PAPER = Paper(
    name="SPIDER",
    title="Distributed Architecture Search Over Heterogeneous Distributions",
    authors=("Mushtaq", "He", "Ding", "Avestimehr"),
    venue="TMLR",
    year=2023,
    arxiv="2112.13939",
    provenance="official code",
)

WEIGHTS = sgd(0.01, weight_decay=1e-3, schedule=PerRound(Cosine()), clip_norm=5.0, states=PerClient())
OWN = sgd(0.01, weight_decay=1e-3, schedule=PerRound(Cosine()))  # not clipped: the code's call is given no parameters


def spider(
    *,
    clients: Partition | None = DirichletClients(clients=8, beta=0.2),
    held_out: float = 0.25,
    fraction: float = 1.0,
    local_epochs: int = 1,
    pull: float = 0.01,
    start: int = 1,
    interval: int = 1,
    measure: Literal["error", "loss"] = "error",
    deletion: Literal["cumulative", "released"] = "cumulative",
    train_on_all: bool = True,
    average: FederatedAverage = FederatedAverage(),
    label_smoothing: float = 0.0,
    weights: Updates = WEIGHTS,
    own: Updates = OWN,
) -> Recipe:
    """SPIDER: clients share a supernet, and each thins out a net of its own, held near the supernet's weights.

    [arXiv 2112.13939](https://arxiv.org/abs/2112.13939) and the released code (ErumMushtaq/SPIDER). In a step a client
    trains its copy of the supernet, which the server averages, and on the same batch its own net, under the
    cross-entropy and λ/2 · ‖w_own − w_server‖² over the operations that its own net still has (`TrainPersonal`). No
    architecture parameter is trained: open options weigh alike. From round `start` on, every `interval` rounds, a
    client decides one choice of operations of each kind of cell by what its own net loses without each option on its
    own validation images (DARTS-PT), then the inputs of the nodes: 14 and 3 times on `zoo.darts`. After the operations
    its validation images are trained on too.

    Defaults are those of the command in the released README: 8 clients, all of them in each of 1,000 rounds, one local
    epoch of batches of 32, λ = 0.01, a decision in each of the rounds 1 to 17. Its comment has decisions from round 40
    to 360 (`start=30, interval=20`), its parser λ = 2, `start=60, interval=30`. Both nets are stepped by SGD at 0.01
    with momentum 0.9, which clients keep from round to round, weight decay 1e-3 and a cosine over the rounds to 0; only
    the supernet's gradient is clipped. That own nets begin as the supernet does is a reconstruction.

    Args:
        clients: How the training examples are divided; None: the data has clients already.
        held_out: The share of each client's examples that it decides by; its code has 60 % to train, 20 % to decide by
            and 20 % to test.
        fraction: The share of the clients in a round.
        local_epochs: How often a client goes through its examples.
        pull: λ.
        start: The first round, from 0, in which something is decided.
        interval: The rounds from one decision to the next.
        measure: What falls when an option is left out, see `ProjectOperations`.
        deletion: Whether edges that were deleted stay away while others are rated, see `ProjectInputs`; the code has
            `"released"`.
        train_on_all: Whether what was held out is trained on too, once all operations are decided.
        average: What the server makes of the supernets that clients return.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How a client steps its copy of the supernet.
        own: How it steps its own net.
    """
    program = TrainPersonal(
        objective=CrossEntropy(label_smoothing),
        pull=pull,
        start=start,
        interval=interval,
        measure=measure,
        deletion=deletion,
        train_on_all=train_on_all,
    )
    work = LocalWork(epochs=local_epochs, optimiser="kept")
    held = ClientValidation(share=held_out)
    return Recipe(
        name="spider",
        program=FederatedRounds(program=program, work=work, fraction=fraction, average=average, own=("personal",)),
        weights=weights,
        parts={
            **federation_parts(average),
            "architecture": Part(build=LogitPerOption(0.0)),
            "personal": Part(build=CopyPerClient(), updates=own),
        },
        derive=DecidedPerClient(),
        data=held if clients is None else Chained((Clients(clients), held)),
    )
