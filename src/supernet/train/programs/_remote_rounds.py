"""Rounds of a federation whose clients are other processes or devices: both sides of a visit, without a transport."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, replace
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from supernet.data import Data, Endless
from supernet.data.derived.clients import CLIENT
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.context import Context, Edit, Moves
from supernet.train.executor import Executor
from supernet.train.federation.federated_average import Tensors
from supernet.train.federation.server_sums import load
from supernet.train.federation.standing import FEDERATION, standing
from supernet.train.loop import Loop
from supernet.train.move import Objective
from supernet.train.phases import plan
from supernet.train.processes.launch import launch, precision_of
from supernet.train.programs.federated_rounds import FederatedRounds
from supernet.train.recipe import Recipe
from supernet.train.state import TrainingState
from supernet.train.step import Step


class Order(NamedTuple):
    """What a client is asked to do in a round; with the server's weights all that it needs to know.

    Attributes:
        client: Its number, from 0.
        of: How many clients there are.
        round: The round, from 0.
        rounds: How many rounds there are.
        visit: The number of this visit in the whole training.
        steps: How many steps it trains.
        start: The number of the first of them in the whole training, which decides what is drawn.
        total: The steps of the whole training.
        drawn: How many batches it has drawn in earlier visits.
        seed: The seed of the training.
        batch_size: Examples per step.
        precision: The arithmetic, as in `fit`.
    """

    client: int
    of: int
    round: int
    rounds: int
    visit: int
    steps: int
    start: int
    total: int
    drawn: int
    seed: int
    batch_size: int
    precision: str


class Answer(NamedTuple):
    """What a client returns.

    Attributes:
        tensors: Its weights and buffers.
        trained: The architectures that it trained, by code and window, where the average asks for them.
        drawn: How many batches it has drawn in all visits.
        loss: The mean of its losses.
        passed: The examples that went forward and backward through the supernet, and that were drawn.
    """

    tensors: Tensors
    trained: Sequence[Any]
    drawn: int
    loss: float
    passed: Mapping[str, int]


class Peers(Protocol):
    """The clients as a server reaches them."""

    def examples(self, clients: int) -> Sequence[int]:
        """How many training examples each of so many clients has; waits until all are there.

        Raises:
            RunError: they do not come.
        """
        ...

    def visit(self, orders: Sequence[Order], server: Tensors) -> Mapping[int, Answer | str]:
        """What each client of a round returns, by number; a sentence of one that returns nothing."""
        ...


@dataclass(frozen=True)
class RemoteRounds:
    """The rounds of a `FederatedRounds`, with clients that are elsewhere.

    The steps are those of the clients, so that a training has the same length, schedules and rounds as in one process.
    All clients of a round are asked at once in its first step; the average is taken in its last, in the order in which
    the round has drawn them, so that it is the same to the last bit, whoever is first to answer.

    Args:
        rounds: What clients do, and what the server makes of it.
        clients: How many clients there are.
        peers: How they are reached.
    """

    rounds: FederatedRounds
    clients: int
    peers: InitVar[Peers]
    parts = ()

    def __post_init__(self, peers: Peers) -> None:
        object.__setattr__(self, "_peers", peers)

    @property
    def objective(self) -> Objective:
        """The loss that clients train under."""
        return self.rounds.objective

    def check(self, net: Supernet) -> None:
        self.rounds.check(net)

    def moves(self, step: Step) -> Moves:
        if standing(step) is None:
            yield Edit(name="plan the rounds", apply=self._plan)
        now = step.memory[FEDERATION]
        if now["left"] == 0:
            yield Edit(name="a round among the clients", apply=self._round)
        now["left"] -= 1
        if now["left"] == 0:
            yield Edit(name="average", apply=self.rounds.end_round)

    @property
    def _reached(self) -> Peers:
        peers: Peers = vars(self)["_peers"]
        return peers

    def _plan(self, context: Context) -> None:
        examples = [int(count) for count in self._reached.examples(self.clients)]
        self.rounds.plan(context, examples)
        context.memory[FEDERATION].update(examples=examples, drawn=[0] * len(examples))

    def _round(self, context: Context) -> Mapping[str, float]:
        """Ask all clients of the round, and take what they return into its sums."""
        step, executor, now = context.step, context.executor, context.memory[FEDERATION]
        server = {name: tensor.detach().cpu() for name, tensor in step.part("server", Supernet).state_dict().items()}
        orders, start = list[Order](), step.index
        for client in now["clients"]:
            now["visit"] += 1
            steps = self.rounds.work.steps(now["examples"][client], executor.feed.batch_size)
            orders.append(
                Order(
                    client,
                    now["of"],
                    now["round"],
                    now["rounds"],
                    now["visit"],
                    steps,
                    start,
                    step.total,
                    now["drawn"][client],
                    step.seed,
                    executor.feed.batch_size,
                    precision_of(executor.fabric),
                )
            )
            start += steps
        now["left"] = start - step.index
        answers, losses = self._reached.visit(orders, server), list[float]()
        for order in orders:
            name, examples = f"{CLIENT}{order.client}", now["examples"][order.client]
            answer = answers.get(order.client, "it did not answer")
            if isinstance(answer, str):
                self.rounds.take(context, name, {}, examples, (), answer)
                continue
            tensors = {key: tensor.to(executor.fabric.device) for key, tensor in answer.tensors.items()}
            try:
                taken = self.rounds.take(context, name, tensors, examples, answer.trained, None)
            except (
                UsageError,
                ValueError,
                TypeError,
                IndexError,
                OverflowError,
            ) as error:  # of what it says it trained
                taken = self.rounds.take(context, name, {}, examples, (), f"it trained what there is not ({error})")
            if taken:
                losses.append(answer.loss)
                now["drawn"][order.client] = answer.drawn
                for key, count in answer.passed.items():
                    executor.passed[key] += count
        return {"loss": sum(losses) / len(losses)} if losses else {}


@dataclass(frozen=True)
class _OneVisit:
    """The program of a client: its steps of a round, and no average."""

    rounds: FederatedRounds
    parts = ()

    @property
    def objective(self) -> Objective:
        return self.rounds.objective

    def check(self, net: Supernet) -> None:
        self.rounds.check(net)

    def moves(self, step: Step) -> Moves:
        yield from self.rounds.local(step)
        step.memory[FEDERATION]["left"] -= 1


def rounds_of(recipe: Recipe) -> FederatedRounds:
    """The rounds of a recipe whose clients can be elsewhere.

    Raises:
        UsageError: it has none, or does beside them what clients elsewhere could not know of.
    """
    programs = recipe.programs
    if len(programs) != 1 or not isinstance(programs[0], FederatedRounds):
        raise UsageError(
            f"{recipe.name} is no training by clients and a server. Take a method whose program is FederatedRounds, "
            "such as fedsup or heterofl."
        )
    more = [*(name for name in recipe.parts if name not in ("server", "sums")), *(edit.name for edit in recipe.edits)]
    if more or recipe.adapt is not None:
        what = ", ".join(map(repr, more)) or "an adapted network"
        raise UsageError(f"{recipe.name} has {what} beside its rounds, which clients elsewhere would not know of.")
    if programs[0].work.optimiser == "kept":
        raise UsageError(
            f"Clients of {recipe.name} keep what their optimiser holds, which those elsewhere do not. Take "
            "LocalWork(optimiser='fresh'), or train in one process."
        )
    return programs[0]


def of_server(recipe: Recipe, clients: int, peers: Peers) -> Recipe:
    """The recipe as a server trains by it, whose own training images are not looked at.

    Raises:
        UsageError: as `rounds_of`, or there is no client.
    """
    if clients < 1:
        raise UsageError(f"A server was to have {clients} clients; give it 1 or more.")
    return replace(recipe, program=RemoteRounds(rounds_of(recipe), clients, peers), data=None)


def visit(net: Supernet, recipe: Recipe, data: Data, order: Order, server: Tensors) -> Answer:
    """Do what a client is asked for: train its steps from the server's weights on.

    The client's images are the training images of `data`. What is drawn, the batches and the rate are those that the
    client has in a training in one process; only what a program remembers between visits begins anew.

    Args:
        net: A network of the server's space; it has the client's weights afterwards.
        recipe: The server's recipe.
        data: The client's data.
        order: What is asked for.
        server: The server's weights and buffers.

    Raises:
        UsageError: as `rounds_of`; or the weights are not those of the net.
        RunError: the loss or the weights are no longer finite.
    """
    rounds, split = rounds_of(recipe), f"{CLIENT}{order.client}"
    held = {name: tensor.shape for name, tensor in net.state_dict().items()}
    if held != {name: tensor.shape for name, tensor in server.items()}:
        raise UsageError("The server's weights are not those of this network. Build both by the same options.")
    own = replace(recipe, program=_OneVisit(rounds), parts={}, data=None).on(net.space)
    local = replace(data, more={split: Endless(data.train)})  # type: ignore[arg-type]
    fabric = launch(accelerator="cpu", devices=1, strategy="auto", precision=order.precision)
    load(net, server)
    net.train()
    state = TrainingState(net, own, seed=order.seed, batch_size=order.batch_size)
    state.done = order.start
    state.memory = {
        FEDERATION: {
            **{name: getattr(order, name) for name in ("client", "of", "round", "rounds", "visit")},
            "split": split,
            "left": order.steps,
            "trained": [],
        }
    }
    draws = {split: order.drawn}
    executor = Executor(fabric, net, state.steppers, local, batch_size=order.batch_size, seed=order.seed, draws=draws)
    last = order.start + order.steps
    loop = Loop(
        state,
        executor,
        plan(own.phases, order.total),
        seed=order.seed,
        steps=order.total,
        directory=None,
        identity={},
        log_every=last,
        checkpoint_every=last,
        monitors=(),
    )
    losses = [row["loss"] for row in loop.run(last, progress=False) if "loss" in row]
    tensors: dict[str, Tensor] = {name: t.detach().cpu().clone() for name, t in net.state_dict().items()}
    return Answer(
        tensors,
        state.memory[FEDERATION]["trained"],
        executor.feed.draws[split],
        losses[-1] if losses else float("nan"),
        dict(executor.passed),
    )


def digest(net: torch.nn.Module) -> dict[str, list[int]]:
    """The shapes of a network's weights and buffers, by name."""
    return {name: list(tensor.shape) for name, tensor in net.state_dict().items()}
