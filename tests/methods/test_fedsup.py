"""FedSup and E-FedSup: what clients train, on whose images, and what the released settings are."""

from __future__ import annotations

from functools import cache
from typing import Any

from method_trials import digits, published
from small_nets import elastic_net, sgd, step
from supernet.methods import fedsup
from supernet.methods.elastic.fedsup import E_FEDSUP
from supernet.settings import build
from supernet.train import (
    ByClient,
    CrossEntropy,
    Extreme,
    FederatedAverage,
    FederatedRounds,
    IIDClients,
    InPlaceDistillation,
    Move,
    PerVisit,
    Recipe,
    Sandwich,
    ShardClients,
    TrainPaths,
    Uniform,
)
from supernet.train.alone import alone
from supernet.train.laws import Trial
from supernet.train.schedules.per_round import PerRound


def small(**options: Any) -> Recipe:
    """Rounds of two steps: two of 36 clients with 31 or 32 digits."""
    given: dict[str, Any] = {"clients": IIDClients(clients=36), "fraction": 0.06, "local_epochs": 1}
    return fedsup(**given | options).with_weights(lr=0.1)


def trial(recipe: Recipe, steps: int) -> Trial:
    return Trial(recipe=recipe, net=elastic_net(), data=digits(), steps=steps)


TRIALS = {
    "fedsup": lambda: trial(small(), 80),
    "fedsup, one net each": lambda: trial(
        small(paths=PerVisit(ByClient(tiers=(Extreme("smallest"), Extreme("largest"), Uniform())))), 160
    ),
}
ALTERNATIVES = {
    "clients": IIDClients(),
    "fraction": 0.2,
    "local_epochs": 1,
    "paths": E_FEDSUP,
    "average": FederatedAverage(weigh="clients"),
    "label_smoothing": 0.1,
    "weights": sgd(0.1),
}
SETTINGS = {
    "clients": ShardClients(clients=100, shards=10),
    "fraction": 0.1,
    "local_epochs": 5,
    "paths": Sandwich(2),
    "average": FederatedAverage(weigh="examples", entries="all", keep=()),
}
REFUSED_BY = {"distilled", "dynas", "few_shot", "gm_nas", "k_shot", "mean_teacher", "sum_nas"}


@cache
def rounds(recipe: Recipe) -> FederatedRounds:
    assert isinstance(recipe.program, FederatedRounds)
    return recipe.program


def test_the_weights_are_stepped_as_released() -> None:
    weights = fedsup().weights
    assert published(weights) == {
        "lr": 0.1,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 1e-4,
        "per": None,
        "clip": None,
        "inactive": "freeze",
        "decay_vectors": False,
        "end": None,
    }
    assert weights.clip_value == 1.0


def test_the_rate_rises_in_ten_rounds_and_falls_by_a_cosine() -> None:
    schedule = fedsup().weights.schedule
    assert isinstance(schedule, PerRound)
    now = step(elastic_net())
    found = []
    for number in (0, 5, 10, 250, 499):
        now.memory["federation"] = {"round": number, "rounds": 500}
        found.append(round(schedule(now, []), 5))
    assert found == [0.001, 0.50038, 0.99901, 0.5, 0.00001]


def test_fedsup_trains_a_sandwich_and_e_fedsup_one_net() -> None:
    program, efficient = fedsup().program, fedsup(paths=E_FEDSUP).program
    assert isinstance(program, FederatedRounds)
    assert isinstance(efficient, FederatedRounds)
    assert program.program == TrainPaths(sampler=Sandwich(2), objective=InPlaceDistillation(0.0))
    assert alone(program.objective) == CrossEntropy(0.0)
    (move,) = efficient.of_client(30, 100).moves(step(elastic_net()))
    assert isinstance(move, Move)
    assert [path.decisions for path in move.paths] == [elastic_net().space.largest()], "the second tier is the largest"
    (move,) = efficient.of_client(24, 100).moves(step(elastic_net()))
    assert isinstance(move, Move)
    assert [path.decisions for path in move.paths] == [elastic_net().space.smallest()]


def test_tiers_have_nets_of_the_released_sizes() -> None:
    bounds = [(tier.low, tier.high) for tier in ByClient().tiers[2:]]  # type: ignore[attr-defined]
    counted = 3.082  # M, of the largest for 100 classes, with shortcut convolutions that never run
    assert [[round(share * counted, 2) for share in pair] for pair in bounds] == [[0.75, 1.0], [2.0, 2.75]]


def test_the_command_line_names_e_fedsup_in_a_word() -> None:
    assert build("methods", "fedsup", {"paths": "PerVisit"}) == fedsup(paths=E_FEDSUP)
