"""Made-up rewards of tasks, and a plain REINFORCE to compare FBNetV5 with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from supernet import Supernet
from supernet.data import Batch
from supernet.space import Arch
from supernet.train import CrossEntropy, Move, Path, Reinforce, RewardsByTask, Step


@dataclass(frozen=True)
class Made(RewardsByTask):
    """Made-up rewards: a task is worth what its option is in, times its factor."""

    wanted: dict[str, str] = field(default_factory=dict, hash=False)
    factors: dict[str, float] = field(default_factory=dict, hash=False)

    def __call__(self, step: Step, arch: Arch, batches: Sequence[Batch]) -> dict[str, float]:
        options = list(arch.options().values())
        return {t: self.factors.get(t, 1.0) * options.count(option) for t, option in self.wanted.items()}


@dataclass(frozen=True)
class OnePolicy:
    """REINFORCE with the architecture that trains the weights, and one policy."""

    policy_gradient: Reinforce
    objective: Any = CrossEntropy()  # noqa: RUF009
    parts = ("policies",)

    def check(self, net: Supernet) -> None: ...

    def moves(self, step: Step) -> Any:
        arch = step.parts["policies"].draw(step, "weights")  # type: ignore[operator]
        yield Move(paths=[Path(arch, self.objective)])
        gradient = self.policy_gradient
        yield Move(updates="policies", data="validation", paths=[Path(arch, self.objective)], gradient=gradient)
