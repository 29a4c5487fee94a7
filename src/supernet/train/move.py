"""Moves: the vocabulary in which every method says what it does in a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from torch import Tensor

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Decisions, Supernet
from supernet.space import Arch, Space
from supernet.train.combines._protocol import Combine
from supernet.train.combines.sum import Sum
from supernet.train.parametrisations.option_logits import ArchitectureParameters

__all__ = ["Move", "Objective", "Outcome", "Path", "Step"]

Family: TypeAlias = Literal["weights", "architecture"]
"""Whose parameters a move changes: those of the supernet, or those that weigh its options."""


FINISHED = "finished"
"""The key of `Step.memory` under which a program leaves the reason, if it sees no use in more steps."""

Rater: TypeAlias = Callable[
    [Sequence[Arch], Literal["train", "validation"], int | None, Literal["loss", "error"]], list[float]
]
"""Losses or errors of architectures on a split, see `Step.rate`."""


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
        architecture: Parameters that weigh the options, for methods that learn them.
        start: What `index` lacks to the steps done in the whole training: those of all earlier phases, less what a
            phase that is a `part` counts as done before it.
        seed: Seed of the training, for what is drawn once and not at every step.
        memory: What a program remembers from step to step, JSON-able; it is kept in checkpoints. A reason under the key
            `FINISHED` ends the training after this step.
        rater: The function that answers `rate`; None: the step was made by hand, outside a training.
        subspace: What `space` is limited to, see `within`; None: the whole space of the supernet.
    """

    index: int
    total: int
    net: Supernet
    rng: np.random.Generator
    architecture: ArchitectureParameters | None = None
    start: int = 0
    seed: int = 0
    memory: dict[str, Any] = field(default_factory=dict)
    rater: Rater | None = None
    subspace: Space | None = None

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
        """The space that paths come from: that of the supernet, or the sub-space that `within` has limited it to."""
        return self.net.space if self.subspace is None else self.subspace

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

    def rate(
        self,
        archs: Sequence[Arch],
        *,
        data: Literal["train", "validation"],
        images: int | None = None,
        measure: Literal["loss", "error"] = "loss",
    ) -> list[float]:
        """Cross-entropy or error rate of architectures with the present weights, without a gradient.

        Batch norm uses the statistics of the batch and its buffers stay as they are; dropout is off.

        Args:
            archs: The architectures to rate.
            data: `"train"`: the batch of this step; `"validation"`: the first validation images, always the same.
            images: Number of validation images; None: all of them. It has no meaning for `"train"`.
            measure: `"loss"`: mean cross-entropy; `"error"`: share of images that are classified wrongly.

        Raises:
            UsageError: this step is not part of a training.
        """
        if self.rater is None:
            raise UsageError("Architectures can only be rated inside a training: this Step was made by hand.")
        return self.rater(archs, data, images, measure)


@dataclass(frozen=True)
class Outcome:
    """What an objective judges: one forward pass.

    Attributes:
        logits: (B, K) output of the path.
        batch: The images and labels it ran on.
        step: The step of the training that the forward belongs to.
        earlier: Detached logits of the paths that ran before it in the same move: its possible teachers.
    """

    logits: Tensor
    batch: Batch
    step: Step
    earlier: Sequence[Tensor] = ()


class Objective(Protocol):
    """A loss of one path."""

    def __call__(self, outcome: Outcome) -> Tensor:
        """Scalar loss, a mean over the batch."""
        ...


Gradient: TypeAlias = Callable[[Any, "Move", Step], list[Tensor]]
"""A `GradientRule` as a move holds it; the first argument is the `Executor`, which knows moves and not the reverse."""


@dataclass(frozen=True)
class Path:
    """One way through the supernet, and what is asked of it.

    Attributes:
        decisions: An architecture, or any decisions by choice name.
        objective: The loss of this path.
        dropout: Whether dropout layers drop (BigNAS regularises only the largest subnet).
        weight: Factor on the loss of this path.
    """

    decisions: Arch | Decisions
    objective: Objective
    dropout: bool = True
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.decisions, Arch | Decisions):
            raise UsageError(
                f"A path is an architecture or Decisions; got a {type(self.decisions).__name__}. Make options an "
                "architecture with net.space.arch({…}), and indices, subsets or mixtures Decisions({…})."
            )


@dataclass(frozen=True, kw_only=True)
class Move:
    """One change of one family of parameters.

    Attributes:
        updates: The family that changes; nothing else does.
        data: Split that the batch comes from.
        paths: Ways through the supernet, run in order on the same batch.
        combine: The rule by which the paths' gradients become one, such as `Sum()` or `Mean()`.
        gradient: How the gradient is computed, a `GradientRule`; None: backpropagation.
        micro_batch: Run the batch in pieces of this many images and average the gradients. Batch
            normalisation then sees one piece at a time (ghost batch normalisation).
        fresh: Draw a new batch even if an earlier move of the step already used one from this split.
    """

    updates: Family = "weights"
    data: Literal["train", "validation"] = "train"
    paths: Sequence[Path]
    combine: Combine = field(default_factory=Sum)
    gradient: Gradient | None = None
    micro_batch: int | None = None
    fresh: bool = False
