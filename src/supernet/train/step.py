"""A step of a training, as samplers, objectives and schedules see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, TypeAlias, TypeVar
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
from supernet.train.processes.seeds import seeded

__all__ = ["Step"]

M = TypeVar("M", bound=nn.Module)

FINISHED = "finished"
"""The key of `Step.memory` under which a program leaves the reason, if it sees no use in more steps."""

Through: TypeAlias = Callable[[Supernet, Fields], Any]
"""What of a network runs on a batch, such as one of its stages, while decisions are active in it."""


@dataclass(frozen=True, kw_only=True)
class RatedBy:
    """What architectures are rated by, and on how many images; `Step.rate` says what each means.

    Raises:
        UsageError: `images` of a fresh batch were asked for.
    """

    images: int | None = None
    measure: Literal["loss", "error"] = "loss"
    fresh: bool = False
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if self.fresh and self.images is not None:
            raise UsageError(
                f"Architectures were to be rated on {self.images} examples of a fresh batch, whose size is that of the "
                "training's batches. Leave images out, or fresh."
            )


class Runner(Protocol):
    """What runs networks inside a training and counts the passes; `Step` hands its methods on."""

    def rate(
        self,
        targets: Sequence[Arch | Decisions],
        data: str,
        by: RatedBy,
        *,
        net: Supernet | None = None,
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
        by = RatedBy(images=images, measure=measure, fresh=fresh, label_smoothing=label_smoothing)
        return self._running().rate(targets, data, by)

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
