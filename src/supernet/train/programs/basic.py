"""Programs: which moves make up a step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.architecture import Relaxation, Softmax, relaxed
from supernet.train.choices import require_operations_only
from supernet.train.gradients.rules import GradientRule, Unrolled
from supernet.train.move import Combine, Move, Objective, Path, Step, Sum
from supernet.train.objectives.losses import CrossEntropy
from supernet.train.samplers import Sampler


class Program(Protocol):
    """Says which moves a step consists of. A move is carried out before the next one is asked for."""

    learns_architecture: bool

    def check(self, net: Supernet) -> None:
        """Raise a UsageError if the program makes no sense for this supernet."""
        ...

    def moves(self, step: Step) -> Iterator[Move]:
        """The moves of one step."""
        ...


@dataclass(frozen=True, kw_only=True)
class TrainPaths:
    """One move: train the weights through the paths of a sampler.

    Args:
        sampler: Which paths.
        objective: Loss of each path; it may use the paths before it as teachers.
        combine: How gradients of several paths become one.
        gradient: How the gradient is computed; None: backpropagation.
        micro_batch: Images per piece, for ghost batch normalisation; None: the whole batch.
        regularise: Which paths dropout acts on.
    """

    sampler: Sampler
    objective: Objective = field(default_factory=CrossEntropy)
    combine: Combine = field(default_factory=Sum)
    gradient: GradientRule | None = None
    micro_batch: int | None = None
    regularise: Literal["all", "first"] = "all"
    learns_architecture = False

    def __post_init__(self) -> None:
        if self.micro_batch is not None and self.micro_batch < 1:
            raise UsageError(f"The micro-batch is {self.micro_batch} images; give at least 1, or None.")
        if self.regularise not in ("all", "first"):
            raise UsageError(f"Dropout acts on 'all' paths or on the 'first'; got {self.regularise!r}.")

    def check(self, net: Supernet) -> None:
        self.sampler.check(net)

    def moves(self, step: Step) -> Iterator[Move]:
        paths = [
            Path(decisions, self.objective, dropout=number == 0 or self.regularise == "all")
            for number, decisions in enumerate(self.sampler.paths(step))
        ]
        yield Move(paths=paths, combine=self.combine, gradient=self.gradient, micro_batch=self.micro_batch)


@dataclass(frozen=True, kw_only=True)
class Bilevel:
    """Two moves: the architecture on validation data, the weights on training data (DARTS, algorithm 1).

    Args:
        relaxation: How logits become mixtures.
        objective: Loss of both moves.
        order: 1 takes the weights as constant in the architecture's gradient; 2 unrolls one step of them.
        first: Family that moves first. DARTS begins with the architecture, AutoDL-Projects with the weights.
        begin: Share of the training before the architecture starts to learn.
    """

    relaxation: Relaxation = field(default_factory=Softmax)
    objective: Objective = field(default_factory=CrossEntropy)
    order: Literal[1, 2] = 1
    first: Literal["architecture", "weights"] = "architecture"
    begin: float = 0.0
    learns_architecture = True

    def __post_init__(self) -> None:
        if self.order not in (1, 2):
            raise UsageError(f"The order of the architecture's gradient is 1 or 2; got {self.order!r}.")
        if self.first not in ("architecture", "weights"):
            raise UsageError(f"The family that moves first is 'architecture' or 'weights'; got {self.first!r}.")
        if not 0 <= self.begin <= 1:
            raise UsageError(f"The architecture begins to learn after a share in [0, 1]; got {self.begin}.")

    def check(self, net: Supernet) -> None:
        require_operations_only(net, "A differentiable method")

    def moves(self, step: Step) -> Iterator[Move]:
        order = ("architecture", "weights") if self.first == "architecture" else ("weights", "architecture")
        for family in order:
            path = Path(relaxed(self.relaxation, step), self.objective)
            if family == "weights":
                yield Move(updates="weights", data="train", paths=[path])
            elif step.progress >= self.begin:
                unrolled = Unrolled() if self.order == 2 else None
                yield Move(updates="architecture", data="validation", paths=[path], gradient=unrolled)
