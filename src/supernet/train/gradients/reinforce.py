"""The policy gradient of REINFORCE, with a moving average of rewards as its baseline (ENAS)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.space import Arch
from supernet.train.executor import Executor
from supernet.train.move import Move
from supernet.train.optimisers._protocol import check_number
from supernet.train.policies._protocol import policy
from supernet.train.ratings._protocol import Rating, rated
from supernet.train.ratings.fresh_batch import FreshBatch
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class Reinforce:
    """−(R − b) ∇ log π(a) of each path a, combined over the paths of a move (ENAS, §2; Williams, 1992).

    [arXiv 1802.03268](https://arxiv.org/abs/1802.03268). R = 1 − rating + λ · H, with the entropy H of the policy on
    its way to a; R has no gradient. The baseline b is a moving average of rewards: before it is subtracted,
    b ← d · b + (1 − d) · R. It is kept in `Step.memory`. What the policy adds to its loss by itself, its penalty, is
    added to that of every path. The log has the mean reward, baseline and entropy of a move as its terms.

    Where a policy gives its entropy a gradient, −λ H is added to the loss too: an entropy that is the same whatever is
    drawn would favour no draw over another, so that as a reward alone it would teach nothing (`IndependentPolicy`).

    Args:
        rating: Tells good architectures from bad ones; the lower the better. The default makes R an accuracy.
        decay: d.
        begin: b before the first reward; None: the first reward.
        entropy: λ.
        part: The part of the recipe that draws architectures, see `Policy`.

    Raises:
        UsageError: a value outside its range.
    """

    rating: Rating = field(default_factory=FreshBatch)
    decay: float = 0.99
    begin: float | None = 0.0
    entropy: float = 1e-4
    part: str = "controller"

    def __post_init__(self) -> None:
        check_number("The decay of the baseline", self.decay, at_least=0, below=1)
        check_number("The weight of the entropy", self.entropy, at_least=0)
        if self.begin is not None:
            check_number("The baseline before the first reward (None: the first reward)", self.begin)

    @property
    def key(self) -> str:
        """Where `Step.memory` holds the baseline."""
        return f"baseline of {self.part}"

    def __call__(self, executor: Executor, move: Move, step: Step) -> list[Tensor]:
        """The loss −(R − b) log π(a) + penalty (− λ H) of each path, before the baseline of the next one."""
        if move.families != (self.part,):
            raise UsageError(f"Rewards teach the part {self.part!r}, but the move steps {move.families}.")
        drawing = policy(step.parts, self.part)
        family = executor.parameters(move.families)
        losses = []
        for path in move.paths:
            if not isinstance(path.decisions, Arch):
                raise UsageError("Rewards are given for architectures; the path of the move is another decision.")
            (rating,) = rated(self.rating, step, [path.decisions])
            found = drawing.likelihood(step, path.decisions)
            reward = 1 - rating + self.entropy * found.entropy.item()
            baseline = self._baseline(step, reward)
            loss = found.penalty - (reward - baseline) * found.log_prob
            if self.entropy and found.entropy.requires_grad:
                loss = loss - self.entropy * found.entropy
            scale = move.combine.weight(len(move.paths)) * path.weight
            (scale * loss).backward(inputs=family)  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
            for name, value in (("reward", reward), ("baseline", baseline), ("entropy", found.entropy.item())):
                executor.note(name, torch.tensor(value, device=loss.device))
        return losses

    def _baseline(self, step: Step, reward: float) -> float:
        before = step.memory.get(self.key, reward if self.begin is None else self.begin)
        now = float(before + (1 - self.decay) * (reward - before))
        step.memory[self.key] = now
        return now
