"""Rounds in which clients train and a server averages (FedAvg), as one training."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from typing import Any, cast
from zlib import crc32

import numpy as np
import torch
from torch import nn

from supernet.data import clients_of
from supernet.errors import NotFiniteError, RunError, UsageError
from supernet.nn import Supernet
from supernet.nn.batch import Batch
from supernet.nn.entries import active_entries
from supernet.nn.slices import SLICE
from supernet.space import Arch
from supernet.train.context import Context, Edit, Moves
from supernet.train.federation.federated_average import FederatedAverage, Returned, Tensors
from supernet.train.federation.local_work import LocalWork
from supernet.train.federation.rolling_window import RollingWindow
from supernet.train.federation.server_sums import ServerSums, SumsOfClients, load
from supernet.train.federation.standing import FEDERATION, standing
from supernet.train.move import Move, Objective, Path
from supernet.train.part import WEIGHTS, Part
from supernet.train.parts.copy_of_net import CopyOfNet
from supernet.train.parts.copy_per_client import ClientNets
from supernet.train.programs._protocol import Program
from supernet.train.programs.train_paths import TrainPaths
from supernet.train.samplers.by_client import ByClient
from supernet.train.samplers.per_visit import PerVisit
from supernet.train.samplers.uniform import Uniform
from supernet.train.states.per_client import PerClient
from supernet.train.step import FINISHED, RatedBy, Runner, Step

_REMEMBERED = 100  # clients that were left out
_EMPTY = 3  # rounds in a row in which nobody returned a model, and that end the training


class ClientLeftOut(UserWarning):
    """What a client returned is no model, and the average of its round goes without it."""


@dataclass(frozen=True, kw_only=True)
class FederatedRounds:
    """Rounds of a federation: clients are drawn, each trains from the server's weights on, the server averages.

    FedAvg ([arXiv 1602.05629](https://arxiv.org/abs/1602.05629), algorithm 1) around any program of the weights. A step
    is a batch of one client, so that a training stops, is saved and goes on in the middle of a round. The clients are
    the splits `client/0`, `client/1`, … of the data (`supernet.data.Clients`); moves on `"train"` are on the split of
    the client whose turn it is. At the end of a round the supernet has the server's weights; a round that does not fit
    into the steps that are left is not begun, and the training ends before it.

    A client whose loss or weights are no longer finite, or that returns what is no model of the server's, is left out
    of its round with a warning; its visit ends there, and the others go on. Three rounds in a row without anybody end
    the training.

    What a client has of its own, such as a personal net, is a part that it returns to nobody: one module per client
    (`CopyPerClient`), which its program trains beside the weights. It keeps its weights and what its optimiser holds
    from visit to visit. Where a client's own net breaks, it goes on from the server's weights.

    The recipe needs the parts `federation_parts(average)`.

    Args:
        program: What a step of a client trains: the weights, and parts that are in `own`.
        work: How long a client trains, and whether its optimiser is fresh every time.
        fraction: The share of the clients that is drawn for a round, without replacement, rounded down, one at least.
        average: What the server makes of what they return.
        window: Which channels of the full widths the architectures of a round use; None: the first.
        own: The parts of which each client has a module of its own.

    Raises:
        UsageError: a fraction that is none, or a program that trains other parts than the weights and `own`; before
            the first move, data without clients, fewer steps than the first round has, a part of `own` that is not
            one module per client, or an optimiser that is kept but not per client.
    """

    program: Program = field(default_factory=lambda: TrainPaths(sampler=Uniform()))
    work: LocalWork = field(default_factory=LocalWork)
    fraction: float = 0.1
    average: FederatedAverage = field(default_factory=FederatedAverage)
    window: RollingWindow | None = None
    own: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise UsageError(f"A round was to have a share of {self.fraction} of the clients; give one in (0, 1].")
        if returned := [name for name in self.program.parts if name not in self.own]:
            raise UsageError(
                f"{type(self.program).__name__} trains {', '.join(map(repr, returned))} beside the weights, "
                "which clients would not return. Take a program that trains the weights alone, or let each client have "
                "its own, as own=('personal',) with a part that is built by CopyPerClient()."
            )
        if idle := [name for name in self.own if name not in self.program.parts]:
            raise UsageError(
                f"Each client was to have its own {idle[0]!r}, but {type(self.program).__name__} does not train it. "
                "Leave it out of own."
            )

    @property
    def parts(self) -> tuple[str, ...]:
        return self.program.parts

    @property
    def objective(self) -> Objective:
        """The loss that clients train under."""
        return cast(Any, self.program).objective  # type: ignore[no-any-return]

    def check(self, net: Supernet) -> None:
        self.program.check(net)
        if self.window is not None and SLICE not in net.settings:
            raise UsageError(
                f"Clients were to train windows of channels, but no layer of {type(net.module).__name__} reads the "
                f"setting {SLICE!r}. Leave the window out, or take a network of elastic layers."
            )
        if self.average.entries == "trained":
            active_entries(net, net.space.smallest())

    def of_client(self, client: int, clients: int) -> Program:
        """What a client trains, for engines that have a loop of their own.

        Its weights are the server's, its data its own, and the steps are `work.steps(examples, batch_size)`; what it
        returns goes into `average`, as a `Returned`.

        Args:
            client: Its number, from 0.
            clients: How many there are.
        """

        def resolved(value: Any) -> Any:
            if isinstance(value, ByClient):
                return value.of(client, clients)
            if isinstance(value, PerVisit):
                return PerVisit(resolved(value.sampler))
            return value

        program: Any = self.program
        if is_dataclass(program) and any(f.name == "sampler" for f in fields(program)):
            program = replace(cast(Any, program), sampler=resolved(cast(Any, program).sampler))
        return cast(Program, program)

    def moves(self, step: Step) -> Moves:
        if standing(step) is None:
            yield Edit(name="plan the rounds", apply=self._plan)
        now = step.memory[FEDERATION]
        if now["left"] == 0:
            yield Edit(name="begin a visit", apply=self._begin)
        broken = None
        try:
            yield from self.local(step)
        except NotFiniteError as error:
            broken = str(error)
        now["left"] = 0 if broken is not None else now["left"] - 1
        if now["left"] > 0:
            return
        yield Edit(name="return to the server", apply=partial(self._return, broken=broken))
        if now["place"] == len(now["clients"]):
            yield Edit(name="average", apply=self.end_round)

    def local(self, step: Step) -> Moves:
        """The moves of the client whose turn it is (`standing`), on its own split.

        Raises:
            NotFiniteError: its loss or its weights are no longer finite.
        """
        now = step.memory[FEDERATION]
        split = str(now["split"])
        assert step.runner is not None
        moves = self.program.moves(replace(step, runner=_AtClient(step.runner, split)))
        yield from self._at_client(moves, split, now)
        for module in (step.net, *(step.part(f"{name}.{now['client']}", nn.Module) for name in self.own)):
            if (name := not_finite(module)) is not None:  # no checkpoint may hold them
                raise NotFiniteError(f"{name} holds numbers that are not finite after step {step.done}")

    def _at_client(self, moves: Moves, split: str, now: dict[str, Any]) -> Moves:
        result, failure = None, None
        while True:
            try:
                act = moves.send(result) if failure is None else moves.throw(failure)
            except StopIteration:
                return
            failure = None
            if isinstance(act, Move):
                place = None if self.window is None else self.window(now["round"])
                paths = act.paths if place is None else [_within(path, place) for path in act.paths]
                if self.average.entries == "trained":
                    _remember(now, [path for path in paths if path.learns])
                act = replace(act, data=split if act.data == "train" else act.data, paths=paths)
            try:
                result = yield act
            except NotFiniteError as error:  # the client's own program may know what to do
                failure = error

    # -- edits -----------------------------------------------------------------------------------------------

    def _plan(self, context: Context) -> None:
        """See how many rounds there is room for; the server begins with the weights that there are."""
        data = context.executor.feed.data
        self.plan(context, [len(data.split(name)) for name in clients_of(data)])

    def plan(self, context: Context, examples: Sequence[int]) -> None:
        """Note how many rounds of clients with so many examples there is room for; the server has the net's weights.

        Raises:
            UsageError: there is room for none.
        """
        step, executor = context.step, context.executor
        batch = executor.feed.images
        lengths = [self.work.steps(count, batch) for count in examples]
        rounds, left = 0, step.total - step.index
        while (
            needed := sum(lengths[c] for c in drawn_clients(step.seed, rounds, len(examples), self.fraction))
        ) <= left:
            rounds, left = rounds + 1, left - needed
        if not rounds:
            raise UsageError(
                f"The first round takes {needed} steps ({self.work.epochs} local epochs of each of its clients, in "
                f"batches of {batch}), and the training has {left}. Give {needed} steps or more, or clients less work."
            )
        step.memory[FEDERATION] = {
            "round": 0,
            "rounds": rounds,
            "visit": -1,
            "place": 0,
            "left": 0,
            "of": len(examples),
            "clients": drawn_clients(step.seed, 0, len(examples), self.fraction),
            "returned": 0,
            "empty": 0,
            "left out": [],
        }
        load(step.part("server", Supernet), context.net.state_dict())
        step.part("sums", ServerSums).clear()
        self._provide(context)

    def _provide(self, context: Context) -> None:
        """Build what each client has of its own, now that it is known how many there are."""
        states = context.steppers[WEIGHTS].updates.states
        if self.work.optimiser == "kept" and not isinstance(states, PerClient):
            raise UsageError(
                "Clients were to keep what their optimiser holds (optimiser='kept'), but it would be one for all of "
                "them. Give the weights states=PerClient()."
            )
        for name in self.own:
            if context.rebuild is not None:
                context.rebuild(name)
            there, of = context.parts.get(name), context.memory[FEDERATION]["of"]
            if not isinstance(there, ClientNets) or len(there) != of:
                raise UsageError(
                    f"Each of {of} clients was to have its own {name!r}, but this part is a {type(there).__name__}. "
                    "Give it build=CopyPerClient()."
                )

    def _begin(self, context: Context) -> None:
        """The next client gets the server's weights and a fresh optimiser."""
        executor, now = context.executor, context.memory[FEDERATION]
        client = now["clients"][now["place"]]
        split = clients_of(executor.feed.data)[client]
        batch = executor.feed.images
        steps = self.work.steps(len(executor.feed.data.split(split)), batch)
        now.update(client=client, split=split, left=steps, visit=now["visit"] + 1, trained=[])
        load(context.net, context.step.part("server", Supernet).state_dict())
        if self.work.optimiser == "fresh":
            self._restart(context)

    def _restart(self, context: Context) -> None:
        """Forget what the optimisers hold, but for those of what clients have of their own."""
        for family, stepper in context.steppers.items():
            if family not in self.own:
                stepper.restart()

    def _return(self, context: Context, broken: str | None = None) -> None:
        """What a client has become goes into the sums of the round; not if it is broken, for this reason."""
        now, server = context.memory[FEDERATION], context.step.part("server", Supernet).state_dict()
        examples = len(context.executor.feed.data.split(now["split"]))
        if self.take(context, now["split"], context.net.state_dict(), examples, now["trained"], broken):
            return
        load(context.net, server)
        if self.work.optimiser == "fresh":
            self._restart(context)
        else:
            context.steppers[WEIGHTS].states.pop(now["client"], None)
        for name in self.own:
            net = context.step.part(f"{name}.{now['client']}", Supernet)
            if not_finite(net) is not None:
                load(net, server)
                context.steppers[name].forget(net.parameters())

    def take(
        self, context: Context, client: str, tensors: Tensors, examples: int, trained: Sequence[Any], broken: str | None
    ) -> bool:
        """Take what a client of this round returns into its sums, if it is a model; else note and warn.

        Args:
            context: The training as it stands.
            client: What messages call it.
            tensors: Its weights and buffers.
            examples: How many examples it has.
            trained: The codes of the architectures that it trained, each with the place of its window, or None.
            broken: Why it returns no model, if that is known.
        """
        now, server = context.memory[FEDERATION], context.step.part("server", Supernet).state_dict()
        active = None
        for code, place in trained if self.average.entries == "trained" and broken is None else ():
            arch = context.net.space.wrap(np.asarray([code], dtype=np.int16))[0]
            settings = None if place is None else {SLICE: place}
            found = active_entries(context.net, arch, settings=settings)
            active = found if active is None else {name: mask | found[name] for name, mask in active.items()}
        sums = context.step.part("sums", ServerSums).sums
        reason = broken or self.average.add(sums, server, Returned(client, tensors, examples, active))
        now["place"] += 1
        if reason is None:
            now["returned"] += 1
            return True
        now["left out"] = [*now["left out"], [now["round"], client, reason]][-_REMEMBERED:]
        warnings.warn(
            f"What {client} returned in round {now['round']} is left out of the average: {reason.rstrip('.')}.",
            ClientLeftOut,
            stacklevel=2,
        )
        return False

    def end_round(self, context: Context) -> Mapping[str, float]:
        """The server takes the average, and so does the supernet; the next round is drawn."""
        step, now = context.step, context.memory[FEDERATION]
        server, sums = step.part("server", Supernet), step.part("sums", ServerSums)
        load(server, self.average.end(sums.sums, server.state_dict()))
        load(context.net, server.state_dict())
        sums.clear()
        share = 1 - now["returned"] / len(now["clients"])
        now["empty"] = 0 if now["returned"] else now["empty"] + 1
        if now["empty"] == _EMPTY:
            raise RunError(
                f"In the last {_EMPTY} rounds, to round {now['round']}, no client returned a model; the last one: "
                f"{now['left out'][-1][2].rstrip('.')}. Lower the learning rate or clip the gradient (clip_norm); "
                "earlier checkpoints are untouched."
            )
        now["returned"] = 0
        now["round"] += 1
        now["place"] = 0
        if now["round"] == now["rounds"]:
            now["round"] -= 1  # for those who look at it after the training
            if step.index + 1 < step.total:
                step.memory[FINISHED] = f"{now['rounds']} rounds are done, and the next one does not fit into the steps"
        else:
            now["clients"] = drawn_clients(step.seed, now["round"], now["of"], self.fraction)
        return {"federation/left_out": share}


def federation_parts(average: FederatedAverage | None = None) -> dict[str, Part]:
    """The parts that a recipe of `FederatedRounds` needs: the server's weights, and the sums of a round."""
    sums = SumsOfClients() if average is None else SumsOfClients(average)
    return {"server": Part(build=CopyOfNet()), "sums": Part(build=sums)}


def drawn_clients(seed: int, round_number: int, clients: int, fraction: float) -> list[int]:
    """The clients of a round, by number: a function of the seed and the round alone.

    Args:
        seed: The seed of the training.
        round_number: The round, from 0.
        clients: How many there are.
        fraction: The share of them that is drawn, rounded down; one at least.

    >>> drawn_clients(0, 3, 10, 0.25) == drawn_clients(0, 3, 10, 0.25), len(drawn_clients(0, 4, 10, 0.25))
    (True, 2)
    """
    count = max(1, int(fraction * clients + 1e-9))
    rng = np.random.default_rng([seed, round_number, crc32(b"clients of a round")])
    return [int(client) for client in rng.choice(clients, count, replace=False)]


@torch.no_grad()
def not_finite(module: nn.Module) -> str | None:
    """The first parameter with a number that is not finite; None: there is none."""
    named = dict(module.named_parameters())
    norms = torch.stack(torch._foreach_norm(list(named.values())))
    if norms.sum().isfinite():  # one look at the device in place of one per tensor
        return None
    return next((name for name, parameter in named.items() if not parameter.isfinite().all()), None)


@dataclass(frozen=True)
class _AtClient:
    """What runs networks, to whom the training split is that of a client."""

    runner: Runner
    split: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.runner, name)

    def rate(self, targets: Sequence[Any], data: str, by: RatedBy, *, net: Supernet | None = None) -> list[float]:
        return self.runner.rate(targets, self.split if data == "train" else data, by, net=net)

    def batch(self, split: str) -> Batch:
        return self.runner.batch(self.split if split == "train" else split)


def _within(path: Path, place: float) -> Path:
    return replace(path, settings={**path.settings, SLICE: place})


def _remember(now: dict[str, Any], paths: Sequence[Path]) -> None:
    """Note which slices a client trains."""
    for path in paths:
        if not isinstance(path.decisions, Arch):
            raise UsageError(
                "An average over those who trained an entry needs clients that train architectures; this one trains a "
                "mixture of paths. Average over all of them (entries='all')."
            )
        entry = [[int(place) for place in path.decisions.code], path.settings.get(SLICE)]
        if entry not in now["trained"]:
            now["trained"].append(entry)
