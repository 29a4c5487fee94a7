"""An epoch of the weights, then moves on the policy that draws architectures (ENAS)."""

from __future__ import annotations

from dataclasses import dataclass, field

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.combines.mean import Mean
from supernet.train.context import Moves
from supernet.train.gradients.reinforce import Reinforce
from supernet.train.move import Move, Objective, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.terms import Auxiliary
from supernet.train.policies._protocol import policy
from supernet.train.step import Step
from supernet.train.values._protocol import Number, check_value


@dataclass(frozen=True, kw_only=True)
class WeightsThenPolicy:
    """A move on the weights through what a policy draws; after every epoch several moves on the policy (ENAS, §2).

    [arXiv 1802.03268](https://arxiv.org/abs/1802.03268).

    Args:
        objective: The loss of the paths that train the weights.
        auxiliary: The factor on the loss of auxiliary heads, in networks that have some.
        models: M, the architectures that a move on the weights averages over.
        policy_gradient: How rewards become a gradient of the policy.
        updates: Moves on the policy after an epoch.
        samples: Architectures that each of them averages over.
        every: Epochs of the weights before the policy moves. A training that is shorter counts as so many.
    """

    objective: Objective = field(default_factory=CrossEntropy)
    auxiliary: Number = 0.0
    models: int = 1
    policy_gradient: Reinforce = field(default_factory=Reinforce)
    updates: int = 50
    samples: int = 20
    every: int = 1

    def __post_init__(self) -> None:
        check_value("The weight of the auxiliary heads", self.auxiliary, at_least=0)
        for name in ("models", "updates", "samples", "every"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} of {type(self).__name__} is {getattr(self, name)}; give at least 1.")

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.policy_gradient.part,)

    def check(self, net: Supernet) -> None:
        """Any space will do; its controller looks at the choices when it is built."""

    def moves(self, step: Step) -> Moves:
        period = min(self.every * step.steps_per_epoch, step.total)
        drawing = policy(step.parts, self.policy_gradient.part)
        objective = Auxiliary(self.objective, self.auxiliary) if self.auxiliary else self.objective
        drawn = [drawing.draw(step, f"weights {number}") for number in range(self.models)]
        yield Move(paths=[Path(arch, objective) for arch in drawn], combine=Mean())
        if (step.index + 1) % period:
            return
        for update in range(self.updates):
            drawn = [drawing.draw(step, f"policy {update} {number}") for number in range(self.samples)]
            yield Move(
                updates=self.policy_gradient.part,
                data="validation",
                paths=[Path(arch, self.objective) for arch in drawn],
                combine=Mean(),
                gradient=self.policy_gradient,
            )
