"""Search and evaluation network learn from the labels and from each other (CDARTS)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.stages import stages
from supernet.nn.taps import tapped
from supernet.train.edits.begin_cycle import evaluated
from supernet.train.move import Objective, Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.terms import total
from supernet.train.optimisers._protocol import check_number
from supernet.train.parametrisations.option_logits import OptionLogits
from supernet.train.parts.stage_heads import StageHeads
from supernet.train.values._protocol import Number, check_value, value_of

Distance: TypeAlias = Literal["kl", "kl_mean", "smooth_l1"]


@dataclass(frozen=True, kw_only=True)
class MutualDistillation:
    """(CE_S + CE_E) / λ + λ T² · D(S, E) + c Σ |α| over the options that are held back.

    [arXiv 2006.10724](https://arxiv.org/abs/2006.10724). S is the path that runs, with its stages tapped, E the
    architecture of the present cycle in the part that evaluates. D compares what the heads behind their stages say
    together; the gradient goes through both.

    Args:
        labels: The loss of each network by itself.
        weight: λ.
        temperature: T.
        distance: D: `"kl"`, KL(E ‖ S) of softmax(logits / T), a mean over images; `"kl_mean"`, the same divided by the
            number of classes too, as the official code has it; `"smooth_l1"` of the logits themselves.
        join: Whether the heads' weighted logits are added up before they are compared (`"sum"`), or compared one by
            one (`"stages"`, a mean over them).
        held_back: The options o of which |α_o| is a loss.
        penalty: The factor c on it, which may change over time.
        architecture: The part that holds α.
        evaluation: The part that evaluates.
        heads: The part with the heads.

    Raises:
        UsageError: a value outside its range, or of another kind.
    """

    labels: Objective = field(default_factory=CrossEntropy)
    weight: float = 1.0
    temperature: float = 2.0
    distance: Distance = "kl"
    join: Literal["sum", "stages"] = "sum"
    held_back: tuple[str, ...] = ()
    penalty: Number = 0.0
    architecture: str = "architecture"
    evaluation: str = "evaluation"
    heads: str = "heads"

    def __post_init__(self) -> None:
        check_number("The weight λ of the distillation", self.weight, above=0)
        check_number("The temperature of the distillation", self.temperature, above=0)
        check_value("The factor on the options that are held back", self.penalty, at_least=0)
        for name, allowed in (("distance", get_args(Distance)), ("join", ("sum", "stages"))):
            if getattr(self, name) not in allowed:
                raise UsageError(f"The {name} of the distillation is one of {allowed}; got {getattr(self, name)!r}.")

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        """The terms `labels`, `distillation` and `held_back`."""
        step, heads = outcome.step, outcome.step.part(self.heads, StageHeads)
        net = step.part(self.evaluation, Supernet)
        names = stages(net).names
        with tapped(net.module, names) as taps:
            output = step.forward(evaluated(step.net, step.memory), outcome.batch, part=self.evaluation)
        theirs = Outcome(output, outcome.batch, step)
        labels = total(self.labels(outcome)) + total(self.labels(theirs))
        searched = heads([outcome.taps[name] for name in stages(step.net).names], outcome.logits)
        found = heads([taps[name] for name in names], output.logits)
        if self.join == "sum":
            searched, found = searched.sum(0, keepdim=True), found.sum(0, keepdim=True)
        distance = self._distance(searched.flatten(0, 1), found.flatten(0, 1))
        held = sum((values.abs().sum() for values in self._held(outcome)), start=torch.zeros_like(labels))
        return {
            "labels": labels / self.weight,
            "distillation": self.weight * self.temperature**2 * distance,
            "held_back": value_of(self.penalty, step) * held,
        }

    def _distance(self, searched: Tensor, found: Tensor) -> Tensor:
        """D of logits (N, K)."""
        if self.distance == "smooth_l1":
            return F.smooth_l1_loss(searched, found)
        ours, theirs = ((logits / self.temperature).log_softmax(1) for logits in (searched, found))
        divergence = F.kl_div(ours, theirs, log_target=True, reduction="batchmean")
        return divergence / (searched.shape[1] if self.distance == "kl_mean" else 1)

    def _held(self, outcome: Outcome) -> list[Tensor]:
        """α of the options that are held back, but for those of choices that are decided."""
        logits, restriction = outcome.step.part(self.architecture, OptionLogits), outcome.step.restriction
        return [
            values[choice.position(option)]
            for choice, values in logits.named()
            for option in self.held_back
            if option in choice.options and (restriction is None or restriction.decided(choice.name) is None)
        ]
