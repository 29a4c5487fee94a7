"""HeteroFL and FedRolex: which widths clients train, and averages over those who have an entry."""

from __future__ import annotations

from typing import Any

from method_trials import digits, published
from small_nets import elastic_net, sgd, step
from supernet import zoo
from supernet.methods import heterofl
from supernet.space import Arch
from supernet.train import (
    ByClient,
    FederatedAverage,
    FederatedRounds,
    IIDClients,
    Move,
    Recipe,
    RollingWindow,
    ShardClients,
    WidthRatio,
)
from supernet.train.laws import Trial


def small(**options: Any) -> Recipe:
    given: dict[str, Any] = {"clients": IIDClients(clients=36), "fraction": 0.06, "local_epochs": 1}
    return heterofl(**given | options)


TRIALS = {"heterofl": lambda: Trial(recipe=small(), net=elastic_net(), data=digits(), steps=120)}
ALTERNATIVES = {
    "clients": ShardClients(),
    "fraction": 0.2,
    "local_epochs": 1,
    "levels": WidthRatio(0.5),
    "window": RollingWindow(places=512),
    "average": FederatedAverage(),
    "label_smoothing": 0.1,
    "weights": sgd(0.1),
}
LEVELS = (1.0, 0.5, 0.25, 0.125, 0.0625)
SETTINGS = {
    "clients": IIDClients(clients=100),
    "fraction": 0.1,
    "local_epochs": 5,
    "levels": ByClient(tiers=tuple(map(WidthRatio, LEVELS))),
    "window": None,
    "average": FederatedAverage(weigh="clients", entries="trained"),
}
REFUSED_BY = {"distilled", "dynas", "few_shot", "gm_nas", "k_shot", "mean_teacher", "sum_nas"}


def test_the_weights_are_stepped_as_the_paper_says() -> None:
    assert published(heterofl().weights) == {
        "lr": 0.1,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 5e-4,
        "per": None,
        "clip": None,
        "inactive": "freeze",
        "decay_vectors": True,
        "end": None,
    }


def test_levels_are_ratios_of_all_widths_and_of_nothing_else() -> None:
    net = zoo.fedsup()
    program = heterofl().program
    assert isinstance(program, FederatedRounds)
    found = []
    for client in (0, 20, 40):
        (move,) = program.of_client(client, 100).moves(step(net))
        assert isinstance(move, Move)
        (path,) = move.paths
        assert isinstance(path.decisions, Arch)
        found.append({name: path.decisions[name] for name in net.space.names})
    widths = [[arch[f"stage{n}.width"] for n in range(1, 5)] for arch in found]
    assert widths == [[64, 128, 256, 1024], [32, 64, 128, 512], [32, 64, 128, 512]]  # no narrower ones than there are
    assert all(arch["stage2.depth"] == 2 and arch["stage1.kernel"] == 7 for arch in found)
