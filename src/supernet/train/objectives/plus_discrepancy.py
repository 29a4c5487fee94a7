"""A loss on the source domain, and how far its features are from those of the target (NASDA)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from supernet.nn import Supernet
from supernet.nn.batch import Fields, called
from supernet.nn.headless import classifier_input, headless
from supernet.train.alone import alone
from supernet.train.move import Objective, Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.kernel_discrepancy import KernelDiscrepancy
from supernet.train.objectives.terms import as_terms
from supernet.train.values._protocol import Number, check_value, value_of


@dataclass(frozen=True, kw_only=True)
class PlusDiscrepancy:
    """L + λ MK-MMD²(Φ(xˢ), Φ(xᵗ)), Φ being what enters the classifier (NASDA, phase I).

    Li and Peng, [arXiv 2008.05706](https://arxiv.org/abs/2008.05706). It is a loss of the architecture: the weights,
    and the step of them that a second-order gradient unrolls, learn by L alone. The images of the target run in a pass
    of their own, under the decisions of the path; their labels are not looked at.

    Args:
        objective: The loss L of images of the source.
        discrepancy: The measure of the distance of the two sets of features (B, D).
        weight: λ (reconstruction: 1).
        target: The split of the images of the target.

    Raises:
        UsageError: a weight below 0; while it runs, batches of one image, a network that does not end in a linear
            layer, or no such split.
    """

    objective: Objective = field(default_factory=CrossEntropy)
    discrepancy: KernelDiscrepancy = field(default_factory=KernelDiscrepancy)
    weight: Number = 1.0
    target: str = "target"

    def __post_init__(self) -> None:
        check_value("The weight of the discrepancy", self.weight, at_least=0)

    def chance(self, of_task: float) -> None:
        """None: how far apart domains are at first is not known beforehand."""

    def alone(self) -> Objective:
        """The loss of the source."""
        return alone(self.objective)

    def of_weights(self) -> Objective:
        """What the weights learn by in a step that is unrolled: the loss of the source."""
        return self.objective

    def taps_in(self, net: Supernet) -> tuple[str, ...]:
        """The module whose input the features of the source are."""
        return (classifier_input(net),)

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        """The terms of the loss, and `discrepancy`."""
        step, path = outcome.step, outcome.path
        assert path is not None
        source = outcome.taps[classifier_input(step.net)]
        target = step.forward(path.decisions, step.batch(self.target), settings=path.settings, through=_features)
        found = self.discrepancy(source.flatten(1), target.logits.flatten(1))
        return {**as_terms(self.objective(outcome)), "discrepancy": value_of(self.weight, step) * found}


def _features(net: Supernet, x: Fields) -> Any:
    with headless(net):
        return called(net, x)
