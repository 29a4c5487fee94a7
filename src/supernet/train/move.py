"""Moves: the vocabulary in which every method says what it does in a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from torch import Tensor

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Decisions, Supernet
from supernet.nn.output import Output
from supernet.space import Arch
from supernet.train.combines._protocol import Combine, JoinsGradients
from supernet.train.combines.sum import Sum
from supernet.train.step import Step

__all__ = ["Move", "Objective", "Outcome", "Path"]


@dataclass(frozen=True)
class Outcome:
    """What an objective judges: one forward pass.

    Attributes:
        output: What the network returned.
        batch: The images and labels it ran on.
        step: The step of the training that the forward belongs to.
        earlier: Outcomes, detached, of the paths that ran before it in the same move: its possible teachers.
        path: The path that ran; None: outside a move.
        taps: What the modules named in `Path.taps` returned, by name.
        given: What `Move.prepare` made of the batch.
    """

    output: Output
    batch: Batch
    step: Step
    earlier: Sequence[Outcome] = ()
    path: Path | None = None
    taps: Mapping[str, Tensor] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def logits(self) -> Tensor:
        """(B, K) logits of the path."""
        return self.output.logits

    def of_head(self, logits: Tensor) -> Outcome:
        """The same with the logits (B, K) of another head, and no auxiliary ones."""
        return replace(self, output=Output(logits, heads=self.output.heads))

    def detached(self) -> Outcome:
        """The same without its graph."""
        output = Output(
            self.output.logits.detach(),
            tuple(tensor.detach() for tensor in self.output.aux),
            {name: tensor.detach() for name, tensor in self.output.heads.items()},
        )
        return replace(self, output=output, taps={name: tensor.detach() for name, tensor in self.taps.items()})


class Objective(Protocol):
    """A loss of one path."""

    def __call__(self, outcome: Outcome) -> Tensor | Mapping[str, Tensor]:
        """Scalar loss, a mean over the batch; or several by name, whose sum is the loss and which the log holds."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """An objective that asks for something once per (micro-)batch, which `Outcome.given` has for all paths."""

    def prepare(self, paths: Sequence[Path], step: Step, batch: Batch) -> Mapping[str, Any]:
        """What all paths of a move are given, see `Move.prepare`."""
        ...


Gradient: TypeAlias = Callable[[Any, "Move", Step], list[Tensor]]
"""A `GradientRule` as a move holds it; the first argument is the `Executor`, which knows moves and not the reverse."""

Forward: TypeAlias = Callable[[Step, "Path", Batch], Output]
"""How a path runs, where that is not the supernet on the images of the batch; `Step.forward` makes the passes."""


@dataclass(frozen=True)
class Path:
    """One way through the supernet, and what is asked of it.

    Attributes:
        decisions: An architecture, or any decisions by choice name.
        objective: The loss of this path.
        dropout: Whether dropout layers drop (BigNAS regularises only the largest subnet).
        weight: Factor on the loss of this path.
        learns: Whether it has a gradient; one that has none is there for later paths, which see its outcome.
        settings: Scalars that layers read, by name, see `Supernet.active`.
        taps: Modules of the network, by name below `Supernet.module`, whose results the objective sees; so it does
            those that the objective names itself, as `taps`, or finds, as `taps_in(net)`.
        forward: How it runs; None: the supernet on the images of the batch. `Step.forward` knows the settings of the
            step, and those of the path if they are handed on.
    """

    decisions: Arch | Decisions
    objective: Objective
    dropout: bool = True
    weight: float = 1.0
    learns: bool = True
    settings: Mapping[str, float] = field(default_factory=dict)
    taps: tuple[str, ...] = ()
    forward: Forward | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.decisions, Arch | Decisions):
            raise UsageError(
                f"A path is an architecture or Decisions; got a {type(self.decisions).__name__}. Make options an "
                "architecture with net.space.arch({…}), and indices, subsets or mixtures Decisions({…})."
            )

    @property
    def tapped(self) -> tuple[str, ...]:
        """The modules whose results the objective sees."""
        own: tuple[str, ...] = getattr(self.objective, "taps", ())
        return tuple(dict.fromkeys((*self.taps, *own)))

    def tapped_in(self, net: Supernet) -> tuple[str, ...]:
        """The same, and those that the objective finds in the network, by a method `taps_in(net)`."""
        find: Callable[[Supernet], tuple[str, ...]] | None = getattr(self.objective, "taps_in", None)
        return self.tapped if find is None else tuple(dict.fromkeys((*self.tapped, *find(net))))


@dataclass(frozen=True, kw_only=True)
class Move:
    """One change of one family of parameters, or of several at once.

    Attributes:
        updates: The families that change; nothing else does. `"weights"` are those of the supernet, others are parts.
        data: Split that the batch comes from.
        paths: Ways through the supernet, run in order on the same batch.
        combine: The rule by which the paths' gradients become one, such as `Sum()` or `Mean()`.
        gradient: How the gradient is computed, a `GradientRule`; None: backpropagation.
        micro_batch: Run the batch in pieces of this many images and average the gradients. Batch
            normalisation then sees one piece at a time (ghost batch normalisation).
        fresh: Draw a new batch even if an earlier move of the step already used one from this split.
        prepare: What all paths are given, made once of each (micro-)batch before them, such as a teacher's logits.
            Compute it without a gradient where several paths use it.

    Raises:
        UsageError: it has no family, or one twice; its gradients are to be joined, and are not backpropagation's.
    """

    updates: str | tuple[str, ...] = "weights"
    data: str = "train"
    paths: Sequence[Path]
    combine: Combine = field(default_factory=Sum)
    gradient: Gradient | None = None
    micro_batch: int | None = None
    fresh: bool = False
    prepare: Callable[[Step, Batch], Mapping[str, Any]] | None = None

    def __post_init__(self) -> None:
        if len(set(self.families)) < len(self.families) or not self.families:
            raise UsageError(f"A move changes the families {self.families}; name at least one, each once.")
        if self.gradient is not None and isinstance(self.combine, JoinsGradients):
            raise UsageError(
                f"{type(self.combine).__name__} joins the gradients of backpropagation, but the move computes its own "
                f"by {type(self.gradient).__name__}. Leave one of them out."
            )

    @property
    def families(self) -> tuple[str, ...]:
        """The names of the families that change."""
        return (self.updates,) if isinstance(self.updates, str) else self.updates

    @property
    def learning(self) -> tuple[Path, ...]:
        """The paths that have a gradient."""
        return tuple(path for path in self.paths if path.learns)


class Result(NamedTuple):
    """What became of a move, as the program that made it is told.

    Attributes:
        losses: The loss of each path.
        terms: What the objectives of paths that learn gave by name, each a mean over the paths that have it.
        learns: Whether each path had a gradient; empty: all had.
    """

    losses: tuple[float, ...]
    terms: Mapping[str, float] = {}
    learns: tuple[bool, ...] = ()

    @property
    def loss(self) -> float:
        """The mean loss of the paths that learn; of all paths, if none does."""
        learned = [loss for loss, learns in zip(self.losses, self.learns, strict=False) if learns] or self.losses
        return sum(learned) / len(learned)
