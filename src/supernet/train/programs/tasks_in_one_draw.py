"""One architecture per step for all tasks: it trains the weights, then the policies of the tasks (FBNetV5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.context import Moves
from supernet.train.gradients.reinforce_per_task import ReinforcePerTask
from supernet.train.move import Move, Objective, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.weighed_tasks import WeighedTasks
from supernet.train.policies.policy_per_task import PoliciesOfTasks
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class TasksInOneDraw:
    """Each step draws one architecture from the mixture of the tasks' policies, whatever the number of tasks.

    FBNetV5, [arXiv 2111.10007](https://arxiv.org/abs/2111.10007), §3.4. The first move trains the weights through it by
    Σ_t γ_t ℓ_t, the second the policies by its rewards (`ReinforcePerTask`). So a step has one pass with a gradient and
    one without. A reconstruction: that rewards are those of a validation batch.

    Args:
        objective: The loss of the path that trains the weights.
        policy_gradient: How rewards become a gradient of the policies.
        data: The split whose batches the rewards come from.
        every: Steps from one move on the policies to the next.

    Raises:
        UsageError: `every` is below 1.
    """

    objective: Objective = field(default_factory=CrossEntropy)
    policy_gradient: ReinforcePerTask = field(default_factory=ReinforcePerTask)
    data: str = "validation"
    every: int = 1

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UsageError(f"every of {type(self).__name__} is {self.every}; give at least 1.")

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.policy_gradient.part,)

    def check(self, net: Supernet) -> None:
        """Any space will do; its policies look at the choices when they are built."""

    def moves(self, step: Step) -> Moves:
        drawing = step.part(self.policy_gradient.part, PoliciesOfTasks)
        arch = drawing.draw(step, "weights")
        objective = WeighedTasks(self.objective, drawing.ratios(step, arch))
        yield Move(paths=[Path(arch, objective)])
        if (step.index + 1) % self.every or step.space.size == 1:
            return
        yield Move(
            updates=self.policy_gradient.part,
            data=self.data,
            paths=[Path(arch, self.objective)],
            gradient=self.policy_gradient,
        )
