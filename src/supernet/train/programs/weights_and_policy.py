"""A move on the weights and one on the policy that draws architectures, in turn (FPNAS)."""

from __future__ import annotations

from dataclasses import dataclass, field

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.combines.mean import Mean
from supernet.train.context import Moves
from supernet.train.gradients.reinforce import Reinforce
from supernet.train.move import Move, Objective, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.policies._protocol import policy
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class WeightsAndPolicy:
    """Each step: a move on the weights through what a policy draws, then every so often a move on the policy.

    `WeightsThenPolicy` has the policy learn between epochs instead. Where a single architecture is left there is
    nothing to learn, as in a block that the depth around it leaves out, and the policy does not move.

    Args:
        objective: The loss of the path that trains the weights.
        policy_gradient: How rewards become a gradient of the policy.
        samples: Architectures that a move on the policy averages over.
        every: Steps from one move on the policy to the next.

    Raises:
        UsageError: a number below 1.
    """

    objective: Objective = field(default_factory=CrossEntropy)
    policy_gradient: Reinforce = field(default_factory=Reinforce)
    samples: int = 8
    every: int = 1

    def __post_init__(self) -> None:
        for name in ("samples", "every"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} of {type(self).__name__} is {getattr(self, name)}; give at least 1.")

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.policy_gradient.part,)

    def check(self, net: Supernet) -> None:
        """Any space will do; its policy looks at the choices when it is built."""

    def moves(self, step: Step) -> Moves:
        drawing = policy(step.parts, self.policy_gradient.part)
        yield Move(paths=[Path(drawing.draw(step, "weights"), self.objective)])
        if (step.index + 1) % self.every or step.space.size == 1:
            return
        drawn = [drawing.draw(step, f"policy {number}") for number in range(self.samples)]
        yield Move(
            updates=self.policy_gradient.part,
            data="validation",
            paths=[Path(arch, self.objective) for arch in drawn],
            combine=Mean(),
            gradient=self.policy_gradient,
        )
