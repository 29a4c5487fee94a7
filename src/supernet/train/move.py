"""Moves: the vocabulary in which every method says what it does in a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar, runtime_checkable
from zlib import crc32

import numpy as np
from torch import Tensor, nn

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Decisions, Supernet
from supernet.nn.batch import Fields, called
from supernet.nn.output import Output
from supernet.space import Arch, Space
from supernet.space.restriction import Restriction
from supernet.tasks import Classification, Task
from supernet.train.combines._protocol import Combine, JoinsGradients
from supernet.train.combines.sum import Sum
from supernet.train.processes.seeds import seeded

__all__ = ["Move", "Objective", "Outcome", "Path", "Step"]

M = TypeVar("M", bound=nn.Module)

FINISHED = "finished"
"""The key of `Step.memory` under which a program leaves the reason, if it sees no use in more steps."""


Through: TypeAlias = Callable[[Supernet, Fields], Any]
"""What of a network runs on a batch, such as one of its stages, while decisions are active in it."""


class Runner(Protocol):
    """What runs networks inside a training and counts the passes; `Step` hands its methods on."""

    def rate(
        self,
        targets: Sequence[Arch | Decisions],
        data: str,
        images: int | None = None,
        measure: Literal["loss", "error"] = "loss",
        fresh: bool = False,
        label_smoothing: float = 0.0,
    ) -> list[float]: ...

    def forward(
        self,
        target: Arch | Decisions,
        batch: Batch,
        *,
        net: Supernet | None,
        settings: Mapping[str, float],
        through: Through = called,
    ) -> Output: ...

    def batch(self, split: str) -> Batch: ...

    def log(self, name: str, value: float) -> None: ...


@dataclass(frozen=True)
class Step:
    """Where training stands, as samplers, objectives and schedules see it.

    Attributes:
        index: Steps done so far, 0 … total − 1; in a training of several phases those of the present one. A phase that
            is a `part` of a longer training counts as that training would.
        total: Steps of the training, of the phase, or of the longer training that the phase is a part of.
        net: The supernet that is trained.
        rng: Randomness of this step. It depends on the seed and the step alone, so that a resumed run and every
            process of a distributed one draw the same.
        parts: Modules beside the supernet, by name, see `Recipe.parts`.
        start: What `index` lacks to the steps done in the whole training: those of all earlier phases, less what a
            phase that is a `part` counts as done before it.
        seed: Seed of the training, for what is drawn once and not at every step.
        memory: What a program remembers from step to step, JSON-able; it is kept in checkpoints. A reason under the key
            `FINISHED` ends the training after this step.
        restriction: The options that are still allowed; nothing is forbidden at first.
        runner: What answers `rate`, `forward` and `batch`; None: the step was made by hand, outside a training.
        subspace: What `space` is limited to, see `within`; None: what the restriction leaves.
        settings: Scalars that the layers of every path read, as they are now, see `Recipe.settings`.
        steps_per_epoch: The number of steps, rounded, that the training images last for.
        task: What the network is asked for.
        given: What `Move.prepare` made of the batch that a path runs on, for its `forward`.
    """

    index: int
    total: int
    net: Supernet
    rng: np.random.Generator
    parts: Mapping[str, nn.Module] = field(default_factory=dict)
    start: int = 0
    seed: int = 0
    memory: dict[str, Any] = field(default_factory=dict)
    restriction: Restriction | None = None
    runner: Runner | None = None
    subspace: Space | None = None
    settings: Mapping[str, float] = field(default_factory=dict)
    steps_per_epoch: int = 1
    task: Task = Classification()  # noqa: RUF009
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def progress(self) -> float:
        """Share of the training that is done, in [0, 1)."""
        return self.index / self.total

    @property
    def done(self) -> int:
        """Steps done so far in the whole training."""
        return self.start + self.index

    @property
    def space(self) -> Space:
        """The space that paths come from: the supernet's, or what `within` or the restriction leave of it."""
        if self.subspace is not None:
            return self.subspace
        return self.net.space if self.restriction is None else self.restriction.space

    def within(self, space: Space) -> Step:
        """The same step, for samplers that shall draw from a sub-space.

        Raises:
            UsageError: it is no sub-space of the supernet's space.
        """
        if space.fingerprint != self.net.space.fingerprint:
            raise UsageError(
                f"A step was to be limited to {space}, but the supernet spans {self.net.space}. Give a sub-space of "
                "it: net.space.restrict(…), or a part of net.space.split(…)."
            )
        return replace(self, subspace=space)

    def part(self, name: str, kind: type[M]) -> M:
        """A module beside the supernet, or inside one, such as `"personal.3"`.

        Raises:
            UsageError: there is none of this name, or it is of another kind.
        """
        first, _, rest = name.partition(".")
        found = self.parts.get(first)
        for step in rest.split(".") if rest else ():
            found = None if found is None else found._modules.get(step)
        if not isinstance(found, kind):
            there = "is there" if found is None else f"is a {type(found).__name__}"
            known = ", ".join(map(repr, self.parts)) or "none"
            raise UsageError(
                f"A part {name!r} of the kind {kind.__name__} is needed, but {'none ' if found is None else 'it '}"
                f"{there}; the parts are: {known}. Give it to the recipe: parts={{{name!r}: Part(build=…)}}."
            )
        return found

    @contextmanager
    def seeded(self, use: str) -> Iterator[np.random.Generator]:
        """Randomness for one use: draws from torch's generator inside depend on the seed, the step and `use` alone.

        The same on every process, whatever was drawn before; nothing outside is advanced. torch's distributions work
        inside, on the CPU. For NumPy a generator is given.
        """
        key = crc32(use.encode())
        with seeded(self.seed, self.done, key):
            yield np.random.default_rng([self.seed, self.done, key])

    def rate(
        self,
        targets: Sequence[Arch | Decisions],
        *,
        data: str,
        images: int | None = None,
        measure: Literal["loss", "error"] = "loss",
        fresh: bool = False,
        label_smoothing: float = 0.0,
    ) -> list[float]:
        """Loss or error rate of architectures with the present weights, without a gradient.

        Batch norm uses the statistics of the batch and its buffers stay as they are; dropout is off.

        Args:
            targets: The architectures to rate, or any decisions.
            data: `"train"`: the batch of this step; another split: its first images, always the same.
            images: Number of images; None: all of them. It has no meaning for `"train"`.
            measure: `"loss"`: that of the task, a mean over the images; `"error"`: share of images that are classified
                wrongly, or what the task says of them (`Task.errors`).
            fresh: Whether to rate on a new batch of the split's stream instead, the next one at every call (ENAS).
            label_smoothing: Share of the target of the loss that is spread evenly over the classes.

        Raises:
            UsageError: this step is not part of a training, or `images` of a fresh batch were asked for.
        """
        if fresh and images is not None:
            raise UsageError(
                f"Architectures were to be rated on {images} examples of a fresh batch, whose size is that of the "
                "training's batches. Leave images out, or fresh."
            )
        return self._running().rate(targets, data, images, measure, fresh, label_smoothing)

    def forward(
        self,
        target: Arch | Decisions,
        batch: Batch,
        *,
        part: str | None = None,
        settings: Mapping[str, float] | None = None,
        through: Through = called,
    ) -> Output:
        """One pass of the supernet, or of a part that takes the same decisions, which the log counts.

        Args:
            target: What to run.
            batch: The images to run on.
            part: Name of the part, or of a module inside one, see `part`; None: the supernet.
            settings: Scalars that layers read, in place of those of the step, or beside them.
            through: What of it runs on the inputs of the batch; what it returns stands in the place of the logits.

        Raises:
            UsageError: this step is not part of a training, or there is no such part.
        """
        net = None if part is None else self.part(part, Supernet)
        read = (self.net if net is None else net).settings
        usual = {name: value for name, value in self.settings.items() if name in read}
        return self._running().forward(target, batch, net=net, settings=usual | dict(settings or {}), through=through)

    def batch(self, split: str) -> Batch:
        """The step's batch of a split, which its moves share.

        Raises:
            UsageError: this step is not part of a training.
        """
        return self._running().batch(split)

    def log(self, name: str, value: float | Tensor) -> None:
        """Write a number to the next line of the log, under `name`; the line has the mean of those since the last.

        Raises:
            UsageError: this step is not part of a training.
        """
        self._running().log(name, float(value.detach()) if isinstance(value, Tensor) else float(value))

    def _running(self) -> Runner:
        if self.runner is None:
            raise UsageError(
                "Networks can only be run and rated inside a training: this Step was made by hand. Give it a runner, "
                "such as an Executor."
            )
        return self.runner


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
