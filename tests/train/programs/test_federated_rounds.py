"""Rounds of a federation: against central training, against an average by hand, resumed, and what is refused."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from small_nets import elastic_net, executor, images, operations_net, sgd, step
from supernet import Supernet, zoo
from supernet.data import Clients, Endless, ImageData
from supernet.errors import RunError, UsageError
from supernet.train import (
    Bilevel,
    ByClient,
    Constant,
    Context,
    Cosine,
    Edit,
    Extreme,
    FederatedAverage,
    FederatedRounds,
    Fixed,
    IIDClients,
    ListedClients,
    LocalWork,
    PerRound,
    PerVisit,
    Recipe,
    RollingWindow,
    Sandwich,
    Step,
    TrainPaths,
    Uniform,
    Updates,
    Warmup,
    WidthRatio,
    fit,
)
from supernet.train.checkpoint import load
from supernet.train.context import Moves
from supernet.train.federation.federated_average import Returned
from supernet.train.federation.standing import standing
from supernet.train.move import Move
from supernet.train.processes.seeds import seed_torch
from supernet.train.programs.federated_rounds import ClientLeftOut, drawn_clients, federation_parts
from supernet.zoo.elastic.fedsup import TINY


def squares() -> ImageData:
    """144 images to train on: nine batches of 16."""
    return images(n=300)


def recipe(
    clients: Any = None,
    *,
    sampler: Any = None,
    epochs: int = 1,
    fraction: float = 1.0,
    average: FederatedAverage | None = None,
    window: RollingWindow | None = None,
    weights: Updates | None = None,
) -> Recipe:
    average = FederatedAverage() if average is None else average
    program = FederatedRounds(
        program=TrainPaths(sampler=Uniform() if sampler is None else sampler),
        work=LocalWork(epochs=epochs),
        fraction=fraction,
        average=average,
        window=window,
    )
    return Recipe(
        name="federation",
        program=program,
        weights=sgd(0.1, momentum=0.9) if weights is None else weights,
        parts=dict(federation_parts(average)),
        data=None if clients is None else Clients(clients),
    )


def train(net: Supernet, made: Recipe, data: ImageData, steps: int, **options: Any) -> Any:
    given: dict[str, Any] = {"batch_size": 16, "accelerator": "cpu", "progress": False, "log_every": 1}
    return fit(copy.deepcopy(net), made, data, steps=steps, **given | options)


def same(one: Supernet, other: Supernet) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@cache
def tiny() -> Supernet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = zoo.fedsup(**TINY, image_size=8, in_channels=1)
        for name, parameter in net.named_parameters():
            if name.endswith("weight") and not parameter.any():
                torch.nn.init.ones_(parameter)  # else nothing but shortcuts is trained at first
    return net


def restart(context: Context) -> None:
    for stepper in context.steppers.values():
        stepper.restart()


def note(context: Context) -> None:
    now = context.memory["federation"]
    context.memory.setdefault("seen", []).append((now["visit"], now["client"], context.memory["held paths"]["codes"]))


def break_client_1(context: Context) -> None:
    now = context.memory["federation"]
    if now["client"] == 1 and now["left"] == 1:
        next(context.net.parameters()).data.fill_(float("nan"))


@dataclass(frozen=True)
class Breaks:
    """Trains as ever, but client 1 ends without a number in its first weight."""

    parts = ()

    def check(self, net: Supernet) -> None:
        pass

    def moves(self, step: Step) -> Moves:
        yield from TrainPaths(sampler=Uniform()).moves(step)
        yield Edit(name="break", apply=break_client_1)


# -- one client is central training --------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", [Uniform(), Sandwich(1)])
def test_one_client_with_all_data_is_central_training_bitwise(sampler: Any) -> None:
    """With momentum, dropout and statistics of batch norm; the optimiser begins anew after as many steps."""
    net = operations_net() if isinstance(sampler, Uniform) else elastic_net()
    federated = recipe(IIDClients(clients=1), sampler=sampler)

    central = Recipe(
        name="central",
        program=TrainPaths(sampler=sampler),
        weights=federated.weights,
        edits=(Edit(name="restart", apply=restart, every=9),),
    )
    one, other = (train(net, made, squares(), 18) for made in (federated, central))
    assert same(one.net, other.net)
    assert not same(one.net, net)
    assert [row["loss"] for row in one.history] == [row["loss"] for row in other.history]
    assert [row["examples_per_s"] > 0 for row in one.history]
    never = train(net, replace(central, edits=()), squares(), 18)
    assert not same(one.net, never.net), "momentum went on from round to round"


def test_clients_beside_the_rounds_average_by_hand() -> None:
    """What an engine of its own would do: `of_client`, `LocalWork` and `FederatedAverage`, without the program."""
    net, data = elastic_net(), squares()
    lists = (tuple(range(96)), tuple(range(96, 144)))
    tiers = ByClient(tiers=(Extreme("largest"), Extreme("smallest")))
    made = recipe(ListedClients(lists=lists), sampler=PerVisit(tiers), epochs=1)
    program = made.program
    assert isinstance(program, FederatedRounds)
    divided = Clients(ListedClients(lists=lists))(data)
    server, done = copy.deepcopy(net), 0
    for number in range(2):
        returned = []
        for client in drawn_clients(0, number, 2, 1.0):
            split = divided.split(f"client/{client}")
            alone = Recipe(name="client", program=program.of_client(client, 2), weights=made.weights)
            steps = program.work.steps(len(split), 16)
            # The stream of a client goes on where it was; dropout is drawn by the step of the whole training.
            local = _local(server, alone, replace(data, train=split), steps, skip=number * steps, start=done)
            returned.append(Returned(f"client/{client}", local.state_dict(), len(split)))
            done += steps
        found = program.average(server.state_dict(), returned)
        assert not found.left_out
        server.load_state_dict(found.tensors)
    assert done == 2 * (6 + 3)
    assert same(train(net, made, data, done).net, server)


def _local(net: Supernet, alone: Recipe, data: ImageData, steps: int, *, skip: int, start: int) -> Supernet:
    """A client's steps by an executor of its own."""
    found = copy.deepcopy(net)
    run = executor(found, data, recipe=alone)
    run.feed.draws["train"] = skip
    memory: dict[str, Any] = {}
    for index in range(steps):
        now = replace(step(found, start + index, total=100), memory=memory)
        with torch.random.fork_rng():
            seed_torch(int(now.rng.integers(2**63 - 2**31)))
            run.begin()
            for move in alone.programs[0].moves(now):
                assert isinstance(move, Move)
                run.execute(move, now)
    return found


# -- rounds --------------------------------------------------------------------------------------------------


class Watch:
    every = 1

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.nets: list[Supernet] = []

    def __call__(self, now: Step) -> dict[str, float]:
        found = standing(now)
        assert found is not None
        self.seen.append(copy.deepcopy(found))
        self.nets.append(copy.deepcopy(now.net))
        return {}


def test_rounds_draw_a_share_of_the_clients_and_leave_the_servers_weights() -> None:
    watch = Watch()
    made = recipe(IIDClients(clients=6), fraction=0.5, epochs=1)  # 24 images each: two steps of 16
    trained = train(operations_net(), made, squares(), 20, monitors=[watch])
    assert trained.steps == 18  # three rounds of three clients with two steps each, and no half round
    assert "3 rounds are done" in trained.memory["finished"]
    visits = list(dict.fromkeys((seen["visit"], seen["client"]) for seen in watch.seen))
    assert [number for number, _ in visits] == list(range(9))
    drawn = [[client for _, client in visits[start : start + 3]] for start in (0, 3, 6)]
    assert all(len(set(row)) == 3 for row in drawn)
    assert drawn == [drawn_clients(0, number, 6, 0.5) for number in range(3)]
    assert len({tuple(sorted(row)) for row in drawn}) > 1
    assert any(row != sorted(row) for row in drawn), "their order is random too"
    assert drawn != [drawn_clients(1, number, 6, 0.5) for number in range(3)]
    server = trained.parts["server"]
    assert same(trained.net, server)
    assert not same(watch.nets[0], trained.net)


def test_every_client_starts_from_the_servers_weights() -> None:
    """Two clients with the same images and paths, without momentum or dropout, end alike: so does their average."""
    net = elastic_net()
    for module in net.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    data = squares()
    twice = replace(data, more={"client/0": Endless(data.train), "client/1": Endless(data.train)})  # type: ignore[arg-type]
    once = replace(data, more={"client/0": Endless(data.train)})  # type: ignore[arg-type]
    made = recipe(sampler=Fixed(net.space.largest()))
    assert same(train(net, made, twice, 18).net, train(net, made, once, 9).net)


@pytest.mark.parametrize("stop", [1, 3, 4])
def test_a_round_is_resumed_in_its_middle(stop: int, tmp_path: Path) -> None:
    made = recipe(
        IIDClients(clients=4),  # 36 images each: three steps of 16
        fraction=0.5,
        sampler=PerVisit(Uniform()),
        average=FederatedAverage(entries="trained"),
        weights=sgd(0.1, momentum=0.9, schedule=PerRound(Cosine())),
    )
    whole = train(elastic_net(), made, squares(), 13, out=tmp_path / "whole")
    train(elastic_net(), made, squares(), 13, out=tmp_path / "parts", stop_after=stop)
    resumed = train(elastic_net(), made, squares(), 13, out=tmp_path / "parts", resume=True)
    assert whole.steps == resumed.steps == 12
    (a, told), (b, found) = (
        load(next(iter(sorted((tmp_path / name / "checkpoints").glob("*"))[-1:]))) for name in ("whole", "parts")
    )
    assert told["memory"] == found["memory"]
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_the_learning_rate_goes_from_round_to_round() -> None:
    schedule = PerRound(Warmup(0.5, Constant(), start=0.0))
    made = recipe(IIDClients(clients=4), fraction=0.5, weights=sgd(0.4, schedule=schedule))
    rates = [row["lr"] for row in train(operations_net(), made, squares(), 24).history]
    assert rates == pytest.approx([0.0] * 6 + [0.2] * 6 + [0.4] * 12)
    assert schedule.alone() == Warmup(0.5, Constant(), start=0.0)
    with pytest.raises(UsageError, match="this training has no rounds"):
        schedule(step(operations_net()), [])


def test_tiers_are_quarters_of_the_clients_and_their_nets_stay_during_a_visit() -> None:
    net = elastic_net()
    tiers = ByClient(tiers=(Extreme("smallest"), Extreme("largest"), Uniform(), Uniform()))
    assert [tiers.of(client, 8) for client in range(8)] == [tier for tier in tiers.tiers for _ in range(2)]
    assert [tiers.of(client, 100) for client in (24, 25, 49, 50, 74, 75)] == [
        tiers.tiers[number] for number in (0, 1, 1, 2, 2, 3)
    ]
    made = replace(
        recipe(IIDClients(clients=4), sampler=PerVisit(tiers), epochs=3), edits=(Edit(name="note", apply=note),)
    )
    seen = train(net, made, squares(), 72).memory["seen"]
    assert len(seen) == 72
    by_visit: dict[tuple[int, int], list[Any]] = {}
    for visit, client, codes in seen:
        by_visit.setdefault((visit, client), []).append(codes)
    assert len(by_visit) == 8
    assert all(codes == [codes[0]] * 9 for codes in by_visit.values())
    smallest, largest = ([[int(n) for n in arch.code]] for arch in (net.space.smallest(), net.space.largest()))
    assert all(codes[0] == smallest for (_, client), codes in by_visit.items() if client == 0)
    assert all(codes[0] == largest for (_, client), codes in by_visit.items() if client == 1)


# -- slices --------------------------------------------------------------------------------------------------


def test_what_nobody_trained_stays_the_servers_in_spite_of_weight_decay() -> None:
    net = tiny()
    smallest = WidthRatio(0.01)
    made = recipe(
        IIDClients(clients=2),
        sampler=smallest,
        average=FederatedAverage(entries="trained"),
        weights=sgd(0.05, weight_decay=0.1),
    )
    trained = train(net, made, squares(), 4, batch_size=48).net
    name = next(n for n, p in net.named_parameters() if p.shape == (16, 8, 1, 1))
    before, after = (dict(one.named_parameters())[name] for one in (net, trained))
    assert torch.equal(before[8:], after[8:])
    assert not torch.equal(before[:8], after[:8])
    everyone = recipe(IIDClients(clients=2), sampler=smallest, weights=made.weights)
    diluted = train(net, everyone, squares(), 4, batch_size=48)
    assert not torch.equal(before[8:], dict(diluted.net.named_parameters())[name][8:])


def test_an_entry_is_averaged_over_the_visits_that_trained_it_in_any_of_their_steps() -> None:
    net, watch = tiny(), Watch()
    name = next(n for n, p in net.named_parameters() if p.shape == (16,))
    wide_first = (WidthRatio(1.0), WidthRatio(0.01))
    tiers = wide_first if drawn_clients(0, 0, 2, 1.0) == [0, 1] else wide_first[::-1]
    base: dict[str, Any] = {"average": FederatedAverage(entries="trained")}
    made = recipe(IIDClients(clients=2), sampler=ByClient(tiers=tiers), **base)
    trained = train(net, made, squares(), 4, batch_size=48, monitors=[watch]).net
    start, wide, narrow, found = (
        dict(one.named_parameters())[name] for one in (net, watch.nets[1], watch.nets[2], trained)
    )
    assert torch.equal(narrow[8:], start[8:])
    assert torch.equal(found[8:], wide[8:]), "the second client has no part in what the first alone trained"
    assert not torch.equal(found[:8], wide[:8])
    both = train(net, recipe(IIDClients(clients=1), sampler=Sandwich(0), **base), squares(), 3, batch_size=48).net
    assert not torch.equal(dict(both.named_parameters())[name][8:], start[8:]), "the narrow path comes last"


def test_a_rolling_window_trains_all_channels_in_turn() -> None:
    """Two clients of two steps make a round, and have the same window in it."""
    net = tiny()
    name = next(n for n, p in net.named_parameters() if p.shape == (16,))
    base: dict[str, Any] = {"sampler": WidthRatio(0.5), "average": FederatedAverage(entries="trained")}
    watch = Watch()
    made = recipe(IIDClients(clients=2), **base, window=RollingWindow(places=4))
    train(net, made, squares(), 8, batch_size=48, monitors=[watch])
    start, first, second = (dict(one.named_parameters())[name] for one in (net, watch.nets[3], watch.nets[7]))
    changed = [(a != b).tolist() for a, b in ((start, first), (first, second))]
    assert changed == [[True] * 8 + [False] * 8, [False] * 4 + [True] * 8 + [False] * 4]
    prefix = train(net, recipe(IIDClients(clients=1), **base), squares(), 3, batch_size=48).net
    assert torch.equal(dict(prefix.named_parameters())[name][8:], start[8:])


# -- what goes wrong -----------------------------------------------------------------------------------------


def test_a_client_that_breaks_is_left_out_and_said() -> None:
    """It breaks in the last step of its visit: the average of the round is that of the others."""
    made = recipe(IIDClients(clients=3))
    with pytest.warns(ClientLeftOut, match=r"client/1 returned in round 0 is left out .* not finite"):
        trained = train(
            operations_net(),
            replace(made, program=FederatedRounds(program=Breaks(), work=LocalWork(epochs=1), fraction=1.0)),
            squares(),
            9,
        )
    assert [out[:2] for out in trained.memory["federation"]["left out"]] == [[0, "client/1"]]
    assert trained.history[-1]["federation/left_out"] == pytest.approx(1 / 3)
    assert all(torch.isfinite(parameter).all() for parameter in trained.net.parameters())


def test_what_makes_no_federation_is_refused_in_a_sentence() -> None:
    with pytest.raises(UsageError, match="squares has no clients"):
        train(operations_net(), recipe(), squares(), 9)
    with pytest.raises(UsageError, match=r"The first round takes 10 steps .* and the training has 9"):
        train(operations_net(), recipe(IIDClients(clients=5)), squares(), 9)
    with pytest.raises(UsageError, match="Client 1 is given 0 images and 1 are needed"):
        train(operations_net(), recipe(ListedClients(lists=((1, 2), ()))), squares(), 9)
    with pytest.raises(UsageError, match="a share of 0 of the clients"):
        recipe(fraction=0)
    with pytest.raises(UsageError, match="for 0 local epochs"):
        LocalWork(epochs=0)
    with pytest.raises(UsageError, match="trains 'architecture' beside the weights"):
        FederatedRounds(program=Bilevel())
    with pytest.raises(UsageError, match="no layer of Sequential reads the setting 'slice'"):
        train(operations_net(), recipe(IIDClients(clients=2), window=RollingWindow(places=4)), squares(), 9)
    with pytest.raises(UsageError, match="has a name that ends in 'width'"):
        train(operations_net(), recipe(IIDClients(clients=2), sampler=WidthRatio(0.5)), squares(), 9)
    with pytest.raises(UsageError, match="this training has no clients"):
        ByClient().paths(step(elastic_net()))


@dataclass(frozen=True)
class NoLoss:
    """Losses of some clients are NaN, from their second step on; or their weights, while losses are not."""

    clients: tuple[int, ...]
    weights: bool = False
    parts = ()

    def check(self, net: Supernet) -> None:
        pass

    def moves(self, step: Step) -> Moves:
        now = standing(step)
        assert now is not None
        broken = now["client"] in self.clients and now["left"] <= 2
        for move in TrainPaths(sampler=Uniform()).moves(step):
            assert isinstance(move, Move)
            if broken and not self.weights:
                move = replace(move, paths=[replace(path, objective=no_number) for path in move.paths])
            yield move
        if broken and self.weights:
            yield Edit(name="break", apply=overflow)


def overflow(context: Context) -> None:
    next(context.net.parameters()).data.fill_(float("inf"))


def no_number(outcome: Any) -> torch.Tensor:
    return outcome.logits.mean() * float("nan")


@pytest.mark.parametrize("weights", [False, True])
def test_a_client_whose_loss_is_no_number_leaves_and_nothing_is_lost(weights: bool, tmp_path: Path) -> None:
    """It leaves in the second of three steps; a checkpoint is taken after every step, and one is resumed from."""
    first = drawn_clients(0, 0, 3, 1.0)[0]
    program = FederatedRounds(program=NoLoss((first,), weights), work=LocalWork(epochs=1), fraction=1.0)
    made = replace(recipe(IIDClients(clients=3)), program=program)
    reason = "holds numbers that are not finite" if weights else "loss became nan"
    with pytest.warns(
        ClientLeftOut, match=f"client/{first} returned in round 0 is left out of the average: .*{reason}"
    ):
        trained = train(operations_net(), made, squares(), 9, out=tmp_path / "whole", checkpoint_every=1)
    assert trained.steps == 8
    assert [row["federation/left_out"] for row in trained.history if "federation/left_out" in row] == [
        pytest.approx(1 / 3)
    ]
    others = replace(made, program=replace(program, program=NoLoss(())))
    assert not same(train(operations_net(), others, squares(), 9).net, trained.net)
    left = [out[:2] for out in trained.memory["federation"]["left out"]]
    assert left == [[0, f"client/{first}"]]
    for stop in (2, 4):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ClientLeftOut)
            train(operations_net(), made, squares(), 9, out=tmp_path / f"{stop}", stop_after=stop)
            resumed = train(operations_net(), made, squares(), 9, out=tmp_path / f"{stop}", resume=True)
        assert same(resumed.net, trained.net)


def test_a_client_that_left_is_as_if_it_had_not_been_drawn() -> None:
    """Without dropout what the others do is the same whenever it is their turn."""
    net = elastic_net()
    for module in net.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    data = squares()
    three = replace(data, more={f"client/{n}": Endless(data.train) for n in range(3)})  # type: ignore[arg-type]
    fixed = TrainPaths(sampler=Fixed(net.space.largest()))

    @dataclass(frozen=True)
    class Breaks(NoLoss):
        def moves(self, step: Step) -> Moves:
            now = standing(step)
            assert now is not None
            for move in fixed.moves(step):
                assert isinstance(move, Move)
                broken = now["client"] in self.clients
                paths = [replace(path, objective=no_number) if broken else path for path in move.paths]
                yield replace(move, paths=paths)

    nets = []
    for clients in ((), (2,)):
        program = FederatedRounds(program=Breaks(clients), work=LocalWork(epochs=1), fraction=1.0)
        made = replace(recipe(), program=program)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ClientLeftOut)
            nets.append(train(net, made, three, 27).net)
    assert same(*nets), "three alike average to the same as two of them"


def test_rounds_in_which_nobody_returns_a_model_end_the_training() -> None:
    program = FederatedRounds(program=NoLoss((0, 1, 2)), work=LocalWork(epochs=1), fraction=1.0)
    made = replace(recipe(IIDClients(clients=3)), program=program)
    with (
        pytest.warns(ClientLeftOut),
        pytest.raises(RunError, match=r"In the last 3 rounds, to round 2, no client .* loss became nan"),
    ):
        train(operations_net(), made, squares(), 36)
