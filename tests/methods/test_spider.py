"""SPIDER: what a client trains and decides, against a loop by hand, and what the released settings are."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from math import cos, pi
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cell_nets import cells_net
from method_trials import digits, published, squares
from small_nets import operations_net, sgd, step
from supernet import Supernet
from supernet.data import Clients, Data
from supernet.errors import UsageError
from supernet.methods import spider
from supernet.methods.cells.spider import OWN
from supernet.train import (
    DirichletClients,
    FederatedAverage,
    FederatedRounds,
    IIDClients,
    ListedClients,
    PerClient,
    Recipe,
    Step,
    TrainPersonal,
    fit,
)
from supernet.train.context import Context, Edit
from supernet.train.executor import Executor
from supernet.train.laws import Trial
from supernet.train.parametrisations.operation_choices import operation_choices
from supernet.train.parametrisations.option_logits import OptionLogits
from supernet.train.programs.federated_rounds import ClientLeftOut, drawn_clients
from supernet.train.programs.train_personal import PERSONAL
from supernet.train.relaxations.softmax import Softmax
from supernet.train.step import RatedBy


def quick(lr: float = 0.1, **options: Any) -> Recipe:
    """Rounds of two steps: two of 36 clients with 31 or 32 digits, a few of which are held out."""
    own = OWN.with_settings(lr=lr)
    given: dict[str, Any] = {"clients": IIDClients(clients=36), "fraction": 0.06, "own": own}
    return spider(**given | options).with_weights(lr=lr)


TRIALS = {"spider": lambda: Trial(recipe=quick(lr=0.5), net=operations_net(), data=digits(), steps=80)}
ALTERNATIVES = {
    "clients": IIDClients(),
    "held_out": 0.5,
    "fraction": 0.5,
    "local_epochs": 2,
    "pull": 2.0,
    "start": 30,
    "interval": 20,
    "measure": "loss",
    "deletion": "released",
    "train_on_all": False,
    "average": FederatedAverage(weigh="clients"),
    "label_smoothing": 0.1,
    "weights": sgd(0.1),
    "own": sgd(0.1),
}
SETTINGS = {
    "clients": DirichletClients(clients=8, beta=0.2),
    "held_out": 0.25,
    "fraction": 1.0,
    "local_epochs": 1,
    "pull": 0.01,
    "start": 1,
    "interval": 1,
    "measure": "error",
    "deletion": "cumulative",
    "train_on_all": True,
    "average": FederatedAverage(weigh="examples", entries="all", keep=()),
}
REFUSED_BY = {"distilled", "dynas", "few_shot", "gm_nas", "k_shot", "mean_teacher", "sum_nas"}

LISTS = (tuple(range(64)), tuple(range(64, 108)))  # 48 and 33 to train on: three batches of 16 each


def fitted(recipe: Recipe, steps: int, *, net: Supernet | None = None, **options: Any) -> Any:
    net = cells_net(nodes=1, options=("skip", "conv1", "conv3")) if net is None else net
    given: dict[str, Any] = {"batch_size": 16, "accelerator": "cpu", "progress": False, "log_every": 1}
    return fit(net, recipe, squares(), steps=steps, **given | options)


def changed(recipe: Recipe) -> Data:
    assert recipe.data is not None
    return recipe.data(squares())


def test_both_nets_are_stepped_as_released() -> None:
    recipe = spider()
    told = {
        "lr": 0.01,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 1e-3,
        "per": None,
        "clip": 5.0,
        "inactive": "freeze",
        "decay_vectors": True,
        "end": None,
    }
    own = recipe.parts["personal"].updates
    assert own is not None
    assert published(recipe.weights) == told
    assert published(own) == {**told, "clip": None}
    now = step(operations_net())
    now.memory["federation"] = {"round": 250, "rounds": 1000, "client": 3}
    assert own.schedule(now, []) == recipe.weights.schedule(now, []) == pytest.approx((1 + cos(pi / 4)) / 2)
    assert recipe.weights.states == PerClient()
    assert PerClient().group(now, []) == 3


# -- a loop by hand ------------------------------------------------------------------------------------------


def test_two_clients_beside_a_loop_by_hand() -> None:
    """Two rounds without a decision: copies, own nets, reference, clipping, momentum of each client, average."""
    pull, clip, lr, rounds = 0.5, 0.7, 0.1, 2
    made = quick(lr, clients=ListedClients(lists=LISTS), fraction=1.0, pull=pull, start=9)
    made = replace(made, weights=replace(made.weights, clip_norm=clip))
    net = cells_net(nodes=1, options=("skip", "conv1", "conv3"))
    found = fitted(made, 12, net=copy.deepcopy(net))
    data = changed(made)

    server, copies, owns = copy.deepcopy(net), *([copy.deepcopy(net) for _ in LISTS] for _ in range(2))
    steps_of = [[torch.optim.SGD(n.parameters(), lr, 0.9, weight_decay=1e-3) for n in nets] for nets in (copies, owns)]
    streams = [data.split(f"client/{number}").stream(16, seed=0) for number in range(2)]
    sizes = [len(data.split(f"client/{number}")) for number in range(2)]
    assert sizes == [48, 33]
    clipped = 0
    for number in range(rounds):
        reference = [parameter.detach().clone() for parameter in server.parameters()]
        returned: dict[int, Mapping[str, torch.Tensor]] = {}
        for client in drawn_clients(0, number, 2, 1.0):
            copies[client].load_state_dict(server.state_dict())
            for x, y in islice(streams[client], 3):
                for of, nets in enumerate((copies, owns)):
                    one, optimiser = nets[client], steps_of[of][client]
                    optimiser.param_groups[0]["lr"] = lr * (1 + cos(pi * number / rounds)) / 2
                    optimiser.zero_grad()
                    with one.active(uniform(one)):
                        loss = F.cross_entropy(one(x), y)
                    if of:
                        away = zip(one.parameters(), reference, strict=True)
                        loss = loss + pull / 2 * sum(((p - r) ** 2).sum() for p, r in away)
                    loss.backward()
                    if not of:
                        clipped += bool(nn.utils.clip_grad_norm_(one.parameters(), clip) > clip)
                    optimiser.step()
            returned[client] = copy.deepcopy(copies[client].state_dict())
        mean = {
            name: sum(sizes[client] * state[name].double() for client, state in returned.items()) / sum(sizes)
            for name in server.state_dict()
            if server.state_dict()[name].is_floating_point()
        }
        server.load_state_dict({**server.state_dict(), **{name: value.float() for name, value in mean.items()}})
    assert clipped > 0
    assert_close(found.net, server)
    for personal, own in zip(found.parts["personal"], owns, strict=True):
        assert_close(personal, own)
    assert not close(owns[0], owns[1])
    assert not close(owns[0], server)


def uniform(net: Supernet) -> Any:
    return OptionLogits(net, scale=0.0).draw(step(net), Softmax(), "weights")


def close(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.named_parameters(), other.parameters(), strict=True)
    return all(torch.allclose(a, b, atol=2e-5) for (_, a), b in pairs)


def assert_close(one: nn.Module, other: nn.Module) -> None:
    for (name, a), b in zip(one.named_parameters(), other.parameters(), strict=True):
        assert torch.allclose(a, b, atol=2e-5), name


# -- decisions -----------------------------------------------------------------------------------------------


def test_a_client_decides_by_its_own_net_and_images_in_every_due_round(monkeypatch: pytest.MonkeyPatch) -> None:
    rated: list[tuple[str, str, int]] = []
    moved: list[tuple[int, str, str]] = []
    rate, execute = Executor.rate, Executor.execute

    def noting(self: Executor, targets: Any, data: str, by: RatedBy, *, net: Any = None) -> list[float]:
        rated.append((data, by.measure, id(net)))
        return rate(self, targets, data, by, net=net)

    def watched(self: Executor, move: Any, now: Any) -> Any:
        moved.append((now.memory["federation"]["round"], str(move.updates), move.data))
        return execute(self, move, now)

    monkeypatch.setattr(Executor, "rate", noting)
    monkeypatch.setattr(Executor, "execute", watched)
    net = cells_net(nodes=2, options=("skip", "conv3"), kinds=("normal", "reduce"))
    made = quick(clients=ListedClients(lists=(tuple(range(22)),)), fraction=1.0, start=1, interval=2)
    found = fitted(made, 16, net=net)  # 16 images to train on: a round is a step
    own = id(found.parts["personal"][0])
    # Five operations of each kind of cell in the rounds 1 · 2, 2 · 2 …, two options each; then a node of three edges.
    assert {(data, net) for data, _, net in rated} == {("client_validation/0", own)}
    assert len(rated) == 2 * 5 + 2
    decided = found.memory[PERSONAL]["decided"]["0"]
    assert set(decided) == set(net.space.names) - {"normal.2", "reduce.2"}
    operations = [row for row in moved if row[0] == 10]  # the fifth decision is made at its beginning
    assert [row[1:] for row in operations] == [("weights", "client_all/0"), ("personal", "client_all/0")]
    before = [row for row in moved if row[0] == 9]
    assert [row[1:] for row in before] == [("weights", "client/0"), ("personal", "client/0")]
    assert found.derived_by_task["client/0"] == found.derived
    options = {name: net.space.choices[net.space.column(name)].options[codes[0]] for name, codes in decided.items()}
    assert {name: found.derived.options()[name] for name in options if name in found.derived.options()}.items() <= (
        options.items()
    )


def test_clients_decide_apart_and_the_supernet_keeps_everything() -> None:
    made = quick(clients=ListedClients(lists=LISTS), fraction=1.0, train_on_all=False)
    found = fitted(made, 18)
    decided = found.memory[PERSONAL]["decided"]
    assert set(decided) == {"0", "1"}
    # Both operations of each kind of cell in the rounds 1 and 2 of three: the first is `start`.
    assert [set(own) for own in decided.values()] == [{choice.name for choice in operation_choices(found.net)}] * 2
    assert decided["0"] != decided["1"]
    net = found.net
    for number, own in decided.items():
        choices = {name: net.space.choices[net.space.column(name)] for name in own}
        assert found.derived_by_task[f"client/{number}"].options().items() >= {
            (name, choices[name].options[code]) for name, (code,) in own.items()
        }
    assert list(found.derived_by_task) == ["client/0", "client/1"]
    assert found.space.size == found.net.space.size
    assert all(
        set(codes) and len(codes) == 1 for own in found.memory[PERSONAL]["decided"].values() for codes in own.values()
    )


class Watch:
    """A monitor that keeps the own net of client 0 after every step."""

    every = 1

    def __init__(self) -> None:
        self.seen: list[dict[str, torch.Tensor]] = []

    def __call__(self, now: Step) -> dict[str, float]:
        own = now.part("personal.0", Supernet)
        self.seen.append({name: p.detach().clone() for name, p in own.named_parameters()})
        return {}


def test_what_is_gone_is_neither_pulled_nor_decayed() -> None:
    """A client's own net keeps the weights of an operation as they were when it went; the others move on."""
    watch, edge = Watch(), "normal.2<-0"
    made = quick(clients=ListedClients(lists=(tuple(range(22)),)), fraction=1.0, pull=0.5, start=0)
    net = cells_net(nodes=1, options=("conv1", "conv3"), kinds=("normal",))
    found = fitted(made, 4, net=net, monitors=[watch])  # one step a round; both edges are decided in two
    kept = found.memory[PERSONAL]["decided"]["0"][edge][0]
    for number, option in enumerate(("conv1", "conv3")):
        of = [name for name in watch.seen[0] if f"edges.0.candidates.{option}" in name]
        assert len(of) == 3
        moved = [not torch.equal(watch.seen[-2][name], watch.seen[-1][name]) for name in of]
        assert all(moved) if number == kept else not any(moved)


# -- what goes wrong -----------------------------------------------------------------------------------------


def spoil(context: Context) -> None:
    now = context.memory["federation"]
    if now["client"] == 1 and now["round"] == 0:
        next(context.parts["personal"][1].parameters()).data.fill_(float("nan"))  # type: ignore[index]


HELD: list[tuple[int, int]] = []


def look(context: Context) -> None:
    """Note the round, and of how many parameters of client 1's own net the optimiser holds something."""
    now, states = context.memory["federation"], context.steppers["personal"].states.values()
    own = context.parts["personal"][1].parameters()  # type: ignore[index]
    if now["client"] == 1:
        HELD.append((now["round"], sum(parameter in state for parameter in own for state in states)))


class Spoils(TrainPersonal):
    """Trains as ever, but the own net of client 1 breaks in the first round."""

    def moves(self, step: Any) -> Any:
        yield Edit(name="look", apply=look)
        yield from super().moves(step)
        yield Edit(name="spoil", apply=spoil)


def test_an_own_net_that_breaks_goes_on_from_the_servers_weights() -> None:
    made = quick(clients=ListedClients(lists=LISTS), fraction=1.0, start=9)
    rounds = made.program
    assert isinstance(rounds, FederatedRounds)
    made = replace(made, program=replace(rounds, program=Spoils(start=9)))
    HELD.clear()
    with pytest.warns(ClientLeftOut, match=r"client/1 returned in round 0 is left out .* not finite"):
        found = fitted(made, 12)
    assert all(torch.isfinite(p).all() for p in found.parts["personal"].parameters())
    first, *later = (held for number, held in HELD if number == 1)
    assert first == 0, "momentum of the weights that are gone is forgotten"
    assert all(held > 0 for held in later)
    assert not close(found.parts["personal"][0], found.parts["personal"][1])


def test_what_makes_no_sense_is_refused_in_a_sentence() -> None:
    with pytest.raises(UsageError, match=r"A share of 1.5 of each client's images"):
        spider(held_out=1.5)
    with pytest.raises(UsageError, match="The pull to the reference"):
        spider(pull=-1.0)
    with pytest.raises(UsageError, match="every 0 rounds; give a round of 0 or more, and 1 round or more"):
        spider(interval=0)
    with pytest.raises(UsageError, match=r"rated by its 'error' or its 'loss'; got 'f1'"):
        spider(measure="f1")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"Give the weights states=PerClient\(\)"):
        fitted(quick(clients=IIDClients(clients=2), weights=sgd(0.1)), 12)
    with pytest.raises(UsageError, match="squares has no clients"):
        fitted(quick(clients=None), 12)
    rounds = spider().program
    assert isinstance(rounds, FederatedRounds)
    with pytest.raises(UsageError, match=r"trains 'personal' beside the weights, .* own=\('personal',\)"):
        replace(rounds, own=())
    with pytest.raises(UsageError, match="to have its own 'other', but TrainPersonal does not train it"):
        replace(rounds, own=("personal", "other"))
    with pytest.raises(UsageError, match="this training has no clients"):
        fitted(replace(quick(), program=TrainPersonal()), 4)
    made = quick(clients=IIDClients(clients=2), fraction=1.0, start=0)
    with pytest.raises(UsageError, match=r"client/. of squares, 2 clients has no validation images to decide by"):
        fitted(replace(made, data=Clients(IIDClients(clients=2))), 12)
