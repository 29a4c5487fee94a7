"""A policy of its own for every task, and one architecture from all of them together (FBNetV5)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.space import Arch
from supernet.tasks.several import task_names
from supernet.train.part import Setting
from supernet.train.policies._protocol import Likelihood, Policy, TellsOptions
from supernet.train.policies.independent import IndependentPolicy
from supernet.train.step import Step

__all__ = ["PoliciesOfTasks", "PolicyPerTask"]


@dataclass(frozen=True, kw_only=True)
class PolicyPerTask:
    """Builds `PoliciesOfTasks`: a policy for every task of the data.

    Args:
        policy: Builds each of them; by default every choice is decided by itself, one of two options by a Bernoulli
            variable.
    """

    policy: Callable[[Setting], nn.Module] = field(default_factory=IndependentPolicy)

    def __call__(self, setting: Setting) -> PoliciesOfTasks:
        """The module for one training.

        Raises:
            UsageError: `policy` builds no policy.
        """
        return PoliciesOfTasks({name: self.policy(setting) for name in task_names(setting.task)})


class PoliciesOfTasks(nn.Module):
    """The policies π_t of T tasks, and their mixture q = (1 / T) Σ_t π_t, from which architectures are drawn.

    FBNetV5, [arXiv 2111.10007](https://arxiv.org/abs/2111.10007), §3.4. As a `Policy` it is q. What a task expects of
    its own policy is read off an architecture of q with the weight γ_t = π_t / q, which lies in [0, T], and
    (1 / T) Σ_t γ_t = 1.

    Args:
        policies: The policies by task.

    Raises:
        UsageError: one is no policy.
    """

    def __init__(self, policies: dict[str, nn.Module]) -> None:
        super().__init__()
        for name, module in policies.items():
            if not isinstance(module, Policy):
                raise UsageError(
                    f"The task {name!r} was given a {type(module).__name__}, which draws no architectures. Give a "
                    "policy, such as IndependentPolicy()."
                )
        self.tasks = tuple(policies)
        self.policies = nn.ModuleList(policies.values())

    def of(self, task: str) -> Policy:
        """The policy of a task."""
        found = self.policies[self.tasks.index(task)]
        assert isinstance(found, Policy)
        return found

    def draw(self, step: Step, use: str) -> Arch:
        """An architecture of q: of the policy of a task that is drawn first, each as likely."""
        with step.seeded(f"{use}, task") as rng:
            chosen = self.tasks[int(rng.integers(len(self.tasks)))]
        return self.of(chosen).draw(step, use)

    def likelihood(self, step: Step, arch: Arch) -> Likelihood:
        """log q of an architecture; the mean of the entropies and of the penalties of the policies."""
        found = [self.of(task).likelihood(step, arch) for task in self.tasks]
        mean = (torch.stack([one[place] for one in found]).mean() for place in (1, 2))
        return Likelihood(_mixed(torch.stack([one.log_prob for one in found])), *mean)

    def strengths(self, step: Step) -> dict[str, Tensor]:
        """How likely q is to take each option: the mean over the tasks. Empty where a policy cannot tell."""
        policies = [self.of(task) for task in self.tasks]
        told = [one.strengths(step) for one in policies if isinstance(one, TellsOptions)]
        if len(told) < len(policies):
            return {}
        names = [name for name in told[0] if all(name in one for one in told)]
        return {name: torch.stack([one[name] for one in told]).mean(0) for name in names}

    def ratios(self, step: Step, arch: Arch) -> dict[str, float]:
        """γ_t = π_t(a) / q(a) of each task, computed from log π in double precision; without a gradient."""
        with torch.no_grad():
            logs = torch.stack([self.of(task).likelihood(step, arch).log_prob.double() for task in self.tasks])
            # Above 0 even where it underflows, so that the weights of a Joint stay weights.
            ratios = (logs - _mixed(logs)).exp().clamp(1e-30, len(self.tasks))
        return dict(zip(self.tasks, ratios.tolist(), strict=True))


def _mixed(logs: Tensor) -> Tensor:
    """log of the mean of exp, of (T,)."""
    return logs.logsumexp(0) - math.log(len(logs))
