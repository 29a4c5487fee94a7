"""One move on the weights, through the paths of a sampler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from supernet.errors import UsageError
from supernet.nn import Decisions, Supernet
from supernet.space import Arch
from supernet.train.combines._protocol import Combine
from supernet.train.combines.sum import Sum
from supernet.train.context import Moves
from supernet.train.forwards.several import Several
from supernet.train.gradients._protocol import GradientRule
from supernet.train.mistakes.own_pieces import check_callable, title
from supernet.train.move import Forward, Move, Objective, Path, Prepares
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.samplers._protocol import Sampler
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class TrainPaths:
    """One move: train the weights through the paths of a sampler.

    Args:
        sampler: The rule that draws the paths of a step.
        objective: The loss of each path; it may use the paths before it as teachers, and prepare what all paths are
            given (`Distillation`).
        combine: The rule by which the gradients of several paths become one.
        gradient: The rule by which the gradient is computed; None: backpropagation.
        micro_batch: Number of images per piece of the batch, for ghost batch normalisation; None: the whole batch at
            once.
        regularise: The paths in which dropout layers drop: all of them, or the first of a step alone.
        forward: How each path runs; None: the supernet on the images of the batch.
        one_pass: Whether all paths but the first share one pass, see `Several`: each of n runs on every n-th example,
            and the loss of the pass counts n times. Its gradient is in the mean that of n passes where only nested
            widths differ; batch norm then takes the statistics of all of them together, and other choices are alike.

    Raises:
        UsageError: a setting outside its values, or one pass of paths that run in a way of their own.
    """

    sampler: Sampler
    objective: Objective = field(default_factory=CrossEntropy)
    combine: Combine = field(default_factory=Sum)
    gradient: GradientRule | None = None
    micro_batch: int | None = None
    regularise: Literal["all", "first"] = "all"
    forward: Forward | None = None
    one_pass: bool = False
    parts = ()

    def __post_init__(self) -> None:
        if self.micro_batch is not None and self.micro_batch < 1:
            raise UsageError(f"The micro-batch is {self.micro_batch} examples; give at least 1, or None.")
        if self.regularise not in ("all", "first"):
            raise UsageError(f"Dropout acts on 'all' paths or on the 'first'; got {self.regularise!r}.")
        if self.one_pass and (self.forward is not None or self.gradient is not None):
            raise UsageError(
                "The paths were to share one pass and to run or to be differentiated in a way of their own; leave "
                "one_pass out, or forward and gradient."
            )

    def check(self, net: Supernet) -> None:
        check_callable(self.sampler, "sampler", "check", "paths")
        check_callable(self.objective, "objective")
        self.sampler.check(net)
        check = getattr(self.forward, "check", None)
        if check is not None:
            check(net)

    def _drawn(self, step: Step) -> Sequence[Arch | Decisions]:
        found: object = self.sampler.paths(step)
        if not isinstance(found, Iterable) or isinstance(found, str | Mapping | Arch):
            raise UsageError(
                f"The sampler {title(self.sampler)} returned {found!r}; paths(step) returns a list of architectures."
            )
        return tuple(found)

    def moves(self, step: Step) -> Moves:
        paths = [
            Path(
                decisions,
                self.objective,
                dropout=number == 0 or self.regularise == "all",
                forward=self.forward,
            )
            for number, decisions in enumerate(self._drawn(step))
        ]
        if self.one_pass and len(paths) > 2:
            paths = self._sharing(paths)
        prepare = partial(self.objective.prepare, paths) if isinstance(self.objective, Prepares) else None
        yield Move(
            paths=paths,
            combine=self.combine,
            gradient=self.gradient,
            micro_batch=self.micro_batch,
            prepare=prepare,
        )

    def _sharing(self, paths: Sequence[Path]) -> list[Path]:
        """The first path and one in place of all others; the losses of all count as they did."""
        first, others = paths[0], paths[1:]
        share = self.combine.weight(len(paths)) / self.combine.weight(2)
        archs = tuple(path.decisions for path in others)
        return [replace(first, weight=share), replace(others[0], forward=Several(archs), weight=share * len(others))]
