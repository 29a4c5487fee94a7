"""What an architecture is worth to each task, less what it costs (FBNetV5)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args
from weakref import WeakKeyDictionary

import torch

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.measure import CostModel, cost_model
from supernet.nn import Supernet
from supernet.nn.modes import all_but_normalisation, evaluating, untouched_buffers
from supernet.space import Arch
from supernet.space.extremes import extremes
from supernet.tasks import Joint
from supernet.tasks.several import TASK, parted
from supernet.train.optimisers._protocol import check_number
from supernet.train.samplers.cost_table import Cost, check_cost, costs
from supernet.train.step import Step

Worth = Literal["score", "loss", "error"]

_greatest: WeakKeyDictionary[CostModel, dict[str, float]] = WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True)
class RewardsByTask:
    """R_t = what the answers to a task are worth − λ · cost, where the cost is a share of the greatest of the space.

    FBNetV5, [arXiv 2111.10007](https://arxiv.org/abs/2111.10007). That the reward has both is the paper's; how they are
    weighed was not released: a reconstruction.

    Args:
        worth: `"score"`: the first score of the task, such as accuracy, mean IoU or mean average precision (its
            negative where less is better); `"loss"`: the negative of the task's loss; `"error"`: 1 − `Task.errors`,
            which is the accuracy of classes.
        cost: What an architecture costs: multiply-accumulates (`"macs"`) or weights (`"params"`).
        weight: λ.

    Raises:
        UsageError: a value outside its range.
    """

    worth: Worth = "score"
    cost: Cost = "macs"
    weight: float = 0.1

    def __post_init__(self) -> None:
        if self.worth not in get_args(Worth):
            raise UsageError(f"Rewards are made of one of {get_args(Worth)}; got {self.worth!r}.")
        check_cost(self.cost)
        check_number("The weight of the cost in the reward", self.weight, at_least=0)

    def __call__(self, step: Step, arch: Arch, batches: Sequence[Batch]) -> dict[str, float]:
        """R_t of each task on some batches, NaN where they say nothing about it, such as boxes where no object is.

        Batch norm uses the statistics of the batch and its buffers stay as they are; dropout is off.

        Raises:
            UsageError: a task has no error.
        """
        charge = self.weight * self.share(step.net, arch)
        return {task: worth - charge for task, worth in self._worth(step, arch, batches).items()}

    def share(self, net: Supernet, arch: Arch) -> float:
        """The cost of an architecture as a share of the greatest cost in the space of the network."""
        known = _greatest.setdefault(cost_model(net), {})
        if self.cost not in known:
            known[self.cost] = extremes(net.space, lambda codes: costs(net, codes, self.cost))[1]
        return float(costs(net, net.space.codes([arch]), self.cost)[0]) / known[self.cost]

    def _worth(self, step: Step, arch: Arch, batches: Sequence[Batch]) -> dict[str, float]:
        task, images, meter = step.task, sum(batch.size for batch in batches), step.task.meter()
        sums: dict[str, float] = {}
        net = step.net
        with torch.no_grad(), evaluating(all_but_normalisation(net)), untouched_buffers(net):
            for batch in batches:
                output = step.forward(arch, batch)
                if self.worth == "score":
                    meter.add(output, batch)
                    continue
                for name, (one, head, asked) in parted(task, output, batch).items():
                    lost = one.loss(head, asked, reduction="sum") if self.worth == "loss" else one.errors(head, asked)
                    sums[name] = sums.get(name, 0.0) + float(lost / images)
        if self.worth != "score":
            return {name: -lost if self.worth == "loss" else 1 - lost for name, lost in sums.items()}
        values = meter.values()
        tasks = {name: one for name, (one, _) in task.tasks.items()} if isinstance(task, Joint) else {TASK: task}
        found = {}
        for name, one in tasks.items():
            score = one.scores[0]
            value = values[f"{name}.{score.name}" if isinstance(task, Joint) else score.name]
            found[name] = value if score.goal == "max" else -value
        return {name: value if math.isfinite(value) else math.nan for name, value in found.items()}
