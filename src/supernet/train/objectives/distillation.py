"""Distillation from a teacher beside the supernet (OFA)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Output, Supernet
from supernet.space import Arch
from supernet.train.alone import alone
from supernet.train.move import Objective, Outcome, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.terms import as_terms
from supernet.train.optimisers._protocol import check_number
from supernet.train.step import Step
from supernet.train.values._protocol import Number, check_value, value_of


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """The loss of the labels, and λ H(softmax of the teacher, softmax of the path).

    [arXiv 1908.09791](https://arxiv.org/abs/1908.09791), §3.2. The teacher is the largest architecture of a part of the
    recipe, run without a gradient once per batch for all paths of a move.

    Args:
        part: The name of the teacher among the parts of the recipe, a `CopyOfNet`.
        weight: λ, which may change over time.
        temperature: T of both softmaxes; the term is scaled by T² so that its gradient keeps its size.
        labels: The loss of the labels.
        labels_weight: The factor on it.
        same: The choices in which the teacher is as the path, such as the resolution; in all others it is the largest.

    Raises:
        UsageError: a negative weight, or a temperature that is not positive.
    """

    part: str = "teacher"
    weight: Number = 1.0
    temperature: float = 1.0
    labels: Objective = field(default_factory=CrossEntropy)
    labels_weight: float = 1.0
    same: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_value("The weight of the distillation", self.weight, at_least=0)
        check_number("The distillation temperature", self.temperature, above=0)
        check_number("The weight of the labels", self.labels_weight, at_least=0)

    def chance(self, of_task: float) -> float | None:
        """That of the task by the sum of both weights; None if λ varies, or T is not 1."""
        if callable(self.weight) or self.temperature != 1:
            return None
        return (self.labels_weight + self.weight) * of_task

    def alone(self) -> Objective:
        """The loss of the labels: an architecture that is trained alone has no teacher."""
        return alone(self.labels)

    def prepare(self, paths: Sequence[Path], step: Step, batch: Batch) -> Mapping[str, Any]:
        """What the teacher says of a batch, by the architectures that it has for these paths."""
        archs = dict.fromkeys(self._taught_by(path, step) for path in paths)
        return {self.part: {arch: self._run(arch, step, batch) for arch in archs}}

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        """The terms of the labels, and `distillation`."""
        assert outcome.path is not None
        step = outcome.step
        arch = self._taught_by(outcome.path, step)
        teacher = outcome.given.get(self.part, {}).get(arch)
        if teacher is None:  # another objective stands around this one, so that nothing was prepared
            teacher = self._run(arch, step, outcome.batch)
        soft = step.task.distillation(outcome.output, teacher, outcome.batch, temperature=self.temperature)
        labels = {name: self.labels_weight * term for name, term in as_terms(self.labels(outcome)).items()}
        return {**labels, "distillation": value_of(self.weight, step) * soft}

    def _taught_by(self, path: Path, step: Step) -> Arch:
        space = step.part(self.part, Supernet).space
        largest = space.largest()
        if not self.same:
            return largest
        decided = path.decisions.options() if isinstance(path.decisions, Arch) else {}
        if missing := [name for name in self.same if name not in decided]:
            raise UsageError(
                f"The teacher was to be as the path in {missing[0]!r}, but the path decides nothing of this name. "
                "Leave it out of `same`, or train single architectures of a space that has it."
            )
        return space.arch({**largest.options(), **{name: decided[name] for name in self.same}})

    def _run(self, arch: Arch, step: Step, batch: Batch) -> Output:
        with torch.no_grad():
            return step.forward(arch, batch, part=self.part)
