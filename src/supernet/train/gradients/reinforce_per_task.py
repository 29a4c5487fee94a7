"""REINFORCE for the policies of several tasks at once, from architectures of their mixture (FBNetV5)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from supernet.errors import RunError, UsageError
from supernet.space import Arch
from supernet.train.executor import Executor
from supernet.train.move import Move
from supernet.train.optimisers._protocol import check_number
from supernet.train.policies.policy_per_task import PoliciesOfTasks
from supernet.train.processes.exchange import average
from supernet.train.ratings.rewards_by_task import RewardsByTask
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class ReinforcePerTask:
    """Σ_t −γ_t (R_t − b_t) ∇ log π_t(a) of each path a, combined over the paths of a move.

    FBNetV5, [arXiv 2111.10007](https://arxiv.org/abs/2111.10007), §3.4: one pass through a serves all tasks. The
    weights γ_t = π_t(a) / q(a) make it what each policy would expect of its own architectures, whichever task's a is.
    R_t has no gradient, nor has γ_t. An entropy H_t of its policy counts λ in the reward,
    and −λ H_t in the loss where it has a gradient, see `Reinforce`.

    A reconstruction: the baseline is an average of the rewards of task t under its own policy, that is by γ_t, and is
    kept in `Step.memory`: β_t ← β_t + min(1, (1 − d) γ_t) (R_t − β_t). As in `Reinforce` a share 1 − d of the new
    reward is in what is subtracted, b_t = β_t + (1 − d) (R_t − β_t) of the β_t before; were it (1 − d) γ_t, a policy
    would learn the less from an architecture the more it is its own. So the mean over q is d times the gradient of what
    each policy expects of itself. With one task γ is 1, and all of this is `Reinforce`. A task about which the batch
    says nothing learns nothing from it.

    Args:
        rewards: R_t.
        decay: d.
        begin: β_t before the first reward; None: the first reward.
        entropy: λ.
        part: The part of the recipe that draws architectures, built by `PolicyPerTask`.

    Raises:
        UsageError: a value outside its range.
    """

    rewards: RewardsByTask = field(default_factory=RewardsByTask)
    decay: float = 0.9
    begin: float | None = None
    entropy: float = 0.0
    part: str = "policies"

    def __post_init__(self) -> None:
        check_number("The decay of the baselines", self.decay, at_least=0, below=1)
        check_number("The weight of the entropy", self.entropy, at_least=0)
        if self.begin is not None:
            check_number("The baselines before the first reward (None: the first reward)", self.begin)

    @property
    def key(self) -> str:
        """Where `Step.memory` holds the baselines, by task."""
        return f"baselines of {self.part}"

    def __call__(self, executor: Executor, move: Move, step: Step) -> list[Tensor]:
        """The loss of each path, summed over the tasks."""
        if move.families != (self.part,):
            raise UsageError(f"Rewards teach the part {self.part!r}, but the move steps {move.families}.")
        drawing, family = step.part(self.part, PoliciesOfTasks), executor.parameters(move.families)
        batch, losses = executor.batch(move.data), []
        for path in move.paths:
            arch = path.decisions
            if not isinstance(arch, Arch):
                raise UsageError("Rewards are given for architectures; the path of the move is another decision.")
            rewards = self._agreed(executor, self.rewards(step, arch, [batch]))
            ratios, terms = drawing.ratios(step, arch), []
            for task, worth in rewards.items():
                if math.isnan(worth):
                    continue
                if math.isinf(worth):
                    raise RunError(f"The reward of the task {task!r} became {worth}. Lower the learning rate.")
                found = drawing.of(task).likelihood(step, arch)
                reward = worth + self.entropy * found.entropy.item()
                baseline = self._baseline(step, task, reward, ratios[task])
                terms.append(found.penalty - (ratios[task] * (reward - baseline)) * found.log_prob)
                if self.entropy and found.entropy.requires_grad:
                    terms.append(-self.entropy * found.entropy)
                told = {"reward": reward, "baseline": baseline, "entropy": found.entropy.item(), "gamma": ratios[task]}
                for name, value in told.items():
                    executor.note(f"{task}.{name}", torch.tensor(value, device=batch.device))
            loss = torch.stack(terms).sum() if terms else sum(p.sum() for p in family) * 0.0
            assert isinstance(loss, Tensor)
            scale = move.combine.weight(len(move.paths)) * path.weight
            (scale * loss).backward(inputs=family)  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        return losses

    def _agreed(self, executor: Executor, rewards: dict[str, float]) -> dict[str, float]:
        """The means over all processes, of those whose batch says something about the task."""
        device = executor.fabric.device
        known = torch.tensor([float(not math.isnan(reward)) for reward in rewards.values()], device=device)
        found = torch.tensor([0.0 if math.isnan(r) else r for r in rewards.values()], device=device).double()
        if executor.fabric.world_size == 1:
            return rewards
        average(executor.fabric, [found])
        average(executor.fabric, [known])
        return dict(zip(rewards, (found / known).tolist(), strict=True))

    def _baseline(self, step: Step, task: str, reward: float, ratio: float) -> float:
        """What is subtracted from a reward; the average that is kept moves by the ratio."""
        kept = step.memory.setdefault(self.key, {})
        before = kept.get(task, reward if self.begin is None else self.begin)
        kept[task] = float(before + min(1.0, (1 - self.decay) * ratio) * (reward - before))
        return float(before + (1 - self.decay) * (reward - before))
