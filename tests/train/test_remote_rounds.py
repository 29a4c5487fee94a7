"""Rounds whose clients are elsewhere: the same as in one process to the last bit, and nothing lost by a bad client."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest
import torch

from small_nets import elastic_net, images, sgd
from supernet import Supernet
from supernet.data import Clients
from supernet.errors import RunError, UsageError
from supernet.methods import spos
from supernet.train import (
    Cosine,
    Edit,
    FederatedAverage,
    FederatedRounds,
    ListedClients,
    LocalWork,
    PerRound,
    PerVisit,
    Recipe,
    TrainPaths,
    Uniform,
    fit,
)
from supernet.train.programs._remote_rounds import Answer, Order, of_server, rounds_of, visit
from supernet.train.programs.federated_rounds import ClientLeftOut, federation_parts

LISTS = (tuple(range(40)), tuple(range(40, 100)), tuple(range(100, 144)))


def recipe(*, entries: Any = "trained", fraction: float = 0.7) -> Recipe:
    average = FederatedAverage(entries=entries)
    program = FederatedRounds(
        program=TrainPaths(sampler=PerVisit(Uniform())),
        work=LocalWork(epochs=1),
        fraction=fraction,
        average=average,
    )
    return Recipe(
        name="federation",
        program=program,
        weights=sgd(0.1, momentum=0.9, schedule=PerRound(Cosine())),
        parts=dict(federation_parts(average)),
        data=Clients(ListedClients(lists=LISTS)),
    )


train = partial(fit, batch_size=16, accelerator="cpu", progress=False, log_every=1)


@dataclass
class InProcess:
    """Clients that train when they are asked, from the last to the first; some do something else instead."""

    made: Recipe
    instead: Mapping[int, Any] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.data = Clients(ListedClients(lists=LISTS))(images(n=300))

    def examples(self, clients: int) -> Sequence[int]:
        assert clients == 3
        return [len(numbers) for numbers in LISTS]

    def visit(self, orders: Sequence[Order], server: Mapping[str, torch.Tensor]) -> dict[int, Answer | str]:
        found: dict[int, Answer | str] = {}
        for order in reversed(orders):
            self.orders.append(order)
            own = replace(self.data, train=self.data.split(f"client/{order.client}").split, more={})  # type: ignore[attr-defined]
            answer = visit(elastic_net(), self.made, own, order, copy.deepcopy(dict(server)))
            found[order.client] = self.instead.get(order.client, lambda same: same)(answer)
        return found


def same(one: Supernet, other: Supernet) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize("entries", ["all", "trained"])
def test_rounds_elsewhere_are_those_of_one_process_to_the_last_bit(entries: Any) -> None:
    made = recipe(entries=entries)
    one = train(elastic_net(), made, images(n=300), steps=30)
    peers = InProcess(made)
    other = train(elastic_net(), of_server(made, 3, peers), images(n=300), steps=30)
    assert same(one.net, other.net)
    assert one.steps == other.steps
    assert [order.drawn for order in peers.orders].count(0) <= 3, "streams go on where they were"
    shared = ("round", "rounds", "visit", "of", "clients", "left out")
    before, after = (trained.memory["federation"] for trained in (one, other))
    assert {name: before[name] for name in shared} == {name: after[name] for name in shared}
    assert other.history[-1]["forwards"] == one.history[-1]["forwards"]


def test_a_server_resumes_in_the_middle_of_a_round(tmp_path: Any) -> None:
    made = recipe()
    whole = train(elastic_net(), made, images(n=300), steps=30)
    for stop in (2, 9):
        server = of_server(made, 3, InProcess(made))
        train(elastic_net(), server, images(n=300), steps=30, out=tmp_path / f"{stop}", stop_after=stop)
        peers = InProcess(made)
        resumed = train(
            elastic_net(), of_server(made, 3, peers), images(n=300), steps=30, out=tmp_path / f"{stop}", resume=True
        )
        assert same(whole.net, resumed.net)
        assert all(order.start > 0 for order in peers.orders), "the round that was under way is not asked for again"


def broken(answer: Answer) -> Answer:
    tensors = {name: t * float("nan") if t.is_floating_point() else t for name, t in answer.tensors.items()}
    return answer._replace(tensors=tensors)


def whole_numbers(answer: Answer) -> Answer:
    return answer._replace(tensors={name: t.long() for name, t in answer.tensors.items()})


def reshaped(answer: Answer) -> Answer:
    return answer._replace(tensors={name: t[None] for name, t in answer.tensors.items()})


@pytest.mark.parametrize(
    ("instead", "reason"),
    [
        (broken, "holds numbers that are not finite"),
        (reshaped, "and the server's"),
        (whole_numbers, "holds torch.int64, and the server's torch.float32"),
        (lambda answer: "its connection ended", "its connection ended"),
        (lambda answer: answer._replace(trained=[[[99, 99], None]]), "it trained what there is not"),
        (lambda answer: answer._replace(tensors={}), "is missing"),
    ],
)
def test_a_client_that_returns_no_model_is_left_out_and_the_others_go_on(instead: Any, reason: str) -> None:
    made = recipe(fraction=1.0)
    peers = InProcess(made, {1: instead})
    with pytest.warns(ClientLeftOut, match=f"client/1 returned in round . is left out .*{reason}"):
        trained = train(elastic_net(), of_server(made, 3, peers), images(n=300), steps=20)
    assert [out[:2] for out in trained.memory["federation"]["left out"]] == [[0, "client/1"], [1, "client/1"]]
    assert all(torch.isfinite(parameter).all() for parameter in trained.net.parameters())
    assert not same(trained.net, elastic_net())


def test_what_cannot_be_elsewhere_is_refused() -> None:
    with pytest.raises(UsageError, match="spos is no training by clients"):
        rounds_of(spos())
    with pytest.raises(UsageError, match="has 'note' beside its rounds"):
        rounds_of(replace(recipe(), edits=(Edit(name="note", apply=lambda context: None),)))
    order = Order(0, 3, 0, 1, 0, 1, 0, 9, 0, 0, 16, "32-true")
    with pytest.raises(UsageError, match="not those of this network"):
        visit(elastic_net(), recipe(), images(n=300), order, {"w": torch.ones(1)})
    server = elastic_net().state_dict()
    lost = {name: t * float("nan") if t.is_floating_point() else t for name, t in server.items()}
    with pytest.raises(RunError, match=r"(The loss became|not finite)"):
        visit(elastic_net(), recipe(), images(n=300), order, lost)
