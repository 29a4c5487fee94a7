"""A client trains its copy of the shared supernet, and its own net near to it, which it thins out (SPIDER)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from supernet.data.derived.client_validation import ALL_OF_CLIENT, VALIDATION_OF_CLIENT
from supernet.data.derived.clients import CLIENT
from supernet.errors import UsageError
from supernet.nn import Decisions, Supernet
from supernet.space import Arch
from supernet.space.restriction import Restriction
from supernet.train.context import Context, Edit, Moves
from supernet.train.edits.project_inputs import ProjectInputs, check_nodes
from supernet.train.edits.project_operations import ProjectOperations
from supernet.train.federation.standing import standing
from supernet.train.forwards.own_net import OwnNet
from supernet.train.move import Move, Objective, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.near_reference import NearReference
from supernet.train.optimisers._protocol import check_number
from supernet.train.parametrisations._protocol import drawn
from supernet.train.parametrisations.operation_choices import input_choices, operation_choices, require_mixable
from supernet.train.part import WEIGHTS
from supernet.train.relaxations._protocol import Relaxation
from supernet.train.relaxations.softmax import Softmax
from supernet.train.step import RatedBy, Runner, Step

PERSONAL = "personal"
"""The key of `Step.memory` under which `TrainPersonal` remembers what each client has decided."""


@dataclass(frozen=True, kw_only=True)
class TrainPersonal:
    """Two moves on a batch of a client: its copy of the server's supernet, then its own net, held near the server's.

    SPIDER ([arXiv 2112.13939](https://arxiv.org/abs/2112.13939)). Both run mixtures of all options that are open in
    them; the supernet keeps all of its. In a round r ≥ `start` with r a multiple of `interval` each client, when its
    turn comes, first decides a choice of operations of its own net in every kind of cell, on its own validation images
    (`ProjectOperations`); when all are decided, the inputs of a node in every kind of cell (`ProjectInputs`). Once all
    operations are decided, it trains on its validation images too.

    For `FederatedRounds(own=(part,))`, and data with `ClientValidation`.

    Args:
        objective: The loss of the supernet, and of the own net without the pull.
        pull: λ of `NearReference`, which holds the own net near the server's weights as the round began with them.
        start: The first round, from 0, in which something is decided.
        interval: The rounds from one decision to the next.
        measure: What falls when an option is left out, see `ProjectOperations`.
        deletion: Whether edges that were deleted stay away while others are rated, see `ProjectInputs`.
        edges: Number of edges that a node keeps.
        train_on_all: Whether validation images are trained on too, once all operations are decided.
        relaxation: The rule by which logits become mixtures.
        part: The part of the recipe that holds the logits, which nothing trains.
        own: The part that holds the own nets, one per client.

    Raises:
        UsageError: a value outside its range; in a training, there are no clients, or they have no validation images.
    """

    objective: Objective = field(default_factory=CrossEntropy)
    pull: float = 0.01
    start: int = 1
    interval: int = 1
    measure: Literal["error", "loss"] = "error"
    deletion: Literal["cumulative", "released"] = "cumulative"
    edges: int = 2
    train_on_all: bool = True
    relaxation: Relaxation = field(default_factory=Softmax)
    part: str = "architecture"
    own: str = "personal"

    def __post_init__(self) -> None:
        check_number("The pull to the reference", self.pull, at_least=0)
        if self.start < 0 or self.interval < 1:
            raise UsageError(
                f"Clients were to decide something from round {self.start} on, every {self.interval} rounds; give a "
                "round of 0 or more, and 1 round or more."
            )
        self._operations("")
        self._inputs("")

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.own,)

    def check(self, net: Supernet) -> None:
        require_mixable(net, "A differentiable method")
        check_nodes(net.space, self.edges)

    def moves(self, step: Step) -> Moves:
        now = standing(step)
        if now is None:
            raise UsageError(
                "Clients were to train nets of their own, but this training has no clients. Train by "
                f"FederatedRounds(program=…, own=({self.own!r},))."
            )
        mine = step.memory.setdefault(PERSONAL, {"visit": -1, "decided": {}})
        if mine["visit"] != now["visit"]:
            yield Edit(name="decide in the own net", apply=self._visit)
        inside = self.inside(step)
        data = "train"
        if self.train_on_all and not _open(inside, operation_choices(step.net)):
            data = now["split"].replace(CLIENT, ALL_OF_CLIENT, 1)
        yield Move(paths=[Path(drawn(step, self.part, self.relaxation, WEIGHTS), self.objective)], data=data)
        near = NearReference(objective=self.objective, pull=self.pull, part=self.own)
        path = Path(drawn(inside, self.part, self.relaxation, WEIGHTS), near, forward=OwnNet(self.own))
        yield Move(updates=self.own, paths=[path], data=data)

    def inside(self, step: Step, client: int | None = None) -> Step:
        """The same step in the net of a client: what it has decided is decided, and what is rated is this net.

        Args:
            step: The step.
            client: Its number; None: that of the client whose turn it is.
        """
        now = standing(step)
        assert now is not None
        number = now["client"] if client is None else client
        decided = step.memory[PERSONAL]["decided"].setdefault(str(number), {})
        net = step.part(f"{self.own}.{number}", Supernet)
        runner = None if step.runner is None else _Of(step.runner, net)
        return replace(step, net=net, restriction=Restriction(step.net.space, decided), runner=runner, subspace=None)

    def _visit(self, context: Context) -> None:
        """What a client does first, when its turn comes."""
        step, mine = context.step, context.memory[PERSONAL]
        now = standing(step)
        assert now is not None
        mine["visit"] = now["visit"]
        if now["round"] < self.start or now["round"] % self.interval:
            return
        data = now["split"].replace(CLIENT, VALIDATION_OF_CLIENT, 1)
        if data not in context.executor.feed.data.more:
            raise UsageError(
                f"{now['split']} of {context.executor.feed.data.name} has no validation images to decide by. Hold some "
                f"out, as Chained((Clients(…), ClientValidation()))(data) does, or give it a split {data!r}."
            )
        inside = self.inside(step)
        seed = int(np.random.SeedSequence([step.seed, now["round"], now["client"]]).generate_state(1)[0])
        within = replace(context, step=inside, seed=seed)
        if _open(inside, operation_choices(context.net)):
            self._operations(data)(within)
        elif _open(inside, input_choices(context.net)):
            self._inputs(data)(within)

    def _operations(self, data: str) -> ProjectOperations:
        return ProjectOperations(measure=self.measure, relaxation=self.relaxation, data=data, part=self.part)

    def _inputs(self, data: str) -> ProjectInputs:
        return ProjectInputs(
            deletion=self.deletion,
            edges=self.edges,
            measure=self.measure,
            relaxation=self.relaxation,
            data=data,
            part=self.part,
        )


def _open(step: Step, choices: Sequence[Any]) -> bool:
    """Whether one of the choices is not decided."""
    assert step.restriction is not None
    return any(step.restriction.decided(choice.name) is None for choice in choices)


@dataclass(frozen=True)
class _Of:
    """What runs networks, to whom a client's own net is the supernet."""

    runner: Runner
    net: Supernet

    def __getattr__(self, name: str) -> Any:
        return getattr(self.runner, name)

    def rate(
        self, targets: Sequence[Arch | Decisions], data: str, by: RatedBy, *, net: Supernet | None = None
    ) -> list[float]:
        return self.runner.rate(targets, data, by, net=self.net if net is None else net)
