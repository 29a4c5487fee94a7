"""An architecture for every task: the likeliest of its policy, or the best of several (FBNetV5)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from supernet.errors import RunError, UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.tasks import Joint
from supernet.train.context import Context
from supernet.train.policies.policy_per_task import PoliciesOfTasks
from supernet.train.ratings.rewards_by_task import RewardsByTask
from supernet.train.step import Step


@runtime_checkable
class HasLikeliest(Protocol):
    """A policy that knows its likeliest architecture."""

    def likeliest(self, step: Step) -> Arch:
        """The architecture of `step.space`."""
        ...


@dataclass(frozen=True, kw_only=True)
class LikeliestPerTask:
    """The likeliest architecture of the policy of each task; or the one with the best reward of it and some draws.

    FBNetV5, [arXiv 2111.10007](https://arxiv.org/abs/2111.10007). As one architecture (`derive`) it is that of the task
    whose score ranks. Of architectures with the same reward the likeliest, then the first one drawn is taken.

    Args:
        samples: How many are drawn from each policy beside its likeliest; 0: none, and nothing is rated.
        rewards: What is asked of them, on the first validation images.
        images: How many images; None: all of them.
        part: The part of the recipe that draws architectures, built by `PolicyPerTask`.

    Raises:
        UsageError: a number outside its range.
    """

    samples: int = 0
    rewards: RewardsByTask = field(default_factory=RewardsByTask)
    images: int | None = 1000
    part: str = "policies"

    def __post_init__(self) -> None:
        if self.samples < 0:
            raise UsageError(f"{self.samples} architectures of each task were to be drawn; give 0 or more.")
        if self.images is not None and self.images < 1:
            raise UsageError(f"Architectures were to be rated on {self.images} examples; give at least 1, or None.")

    def check(self, net: Supernet) -> None:
        """Any space will do."""

    def derive(self, context: Context) -> Arch:
        """The architecture of the task whose score ranks."""
        return self.derive_by_task(context)[_first(context.step)]

    def derive_by_task(self, context: Context) -> dict[str, Arch]:
        """The architectures, that of the task whose score ranks first.

        Raises:
            UsageError: a policy does not know its likeliest architecture.
            RunError: rewards are not finite.
        """
        drawing = context.step.part(self.part, PoliciesOfTasks)
        first = _first(context.step)
        return {task: self._best(context, drawing, task) for task in sorted(drawing.tasks, key=lambda t: t != first)}

    def _best(self, context: Context, drawing: PoliciesOfTasks, task: str) -> Arch:
        step, policy = context.step, drawing.of(task)
        if not isinstance(policy, HasLikeliest):
            raise UsageError(
                f"{type(policy).__name__}, the policy of the task {task!r}, does not know its likeliest architecture. "
                "Use IndependentPolicy()."
            )
        archs = [policy.likeliest(step)]
        archs += [policy.draw(step, f"derivation {number} of {task}") for number in range(self.samples)]
        archs = list(dict.fromkeys(archs))
        if len(archs) == 1:
            return archs[0]
        executor = context.executor
        split = executor.feed.data.split("validation")
        batches = [executor.feed.placed(b) for b in split.batches(executor.feed.batch_size, limit=self.images)]
        found = [self.rewards(step, arch, batches)[task] for arch in archs]
        if not all(map(math.isfinite, found)):
            raise RunError(
                f"Architectures of the task {task!r} were rated as {found}. Rate on more validation images (images), "
                "or derive without samples."
            )
        return archs[max(range(len(archs)), key=found.__getitem__)]


def _first(step: Step) -> str:
    """The task whose score ranks."""
    task = step.task
    if isinstance(task, Joint):
        name = task.scores[0].name.partition(".")[0]
        return name if name in task.tasks else next(iter(task.tasks))
    return "task"
