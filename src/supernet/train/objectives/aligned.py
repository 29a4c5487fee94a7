"""A loss, and how far the layers are from those of an anchor (MAGIC-A)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from supernet.errors import UsageError
from supernet.train.alone import alone
from supernet.train.move import Objective, Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.terms import as_terms
from supernet.train.values._protocol import Number, check_value, value_of


@dataclass(frozen=True)
class Aligned:
    """L + λ Σ_l MSE(h_l(path), h_l(anchor)); the anchor is the path before it in the move, without a gradient.

    MAGIC-A, [arXiv 2108.12821](https://arxiv.org/abs/2108.12821). h_l are what the tapped modules of the path
    (`Path.taps`) return; one that does not run in both counts for nothing. An MSE is a mean over all entries.

    Args:
        objective: L.
        weight: λ, which may change over time.

    Raises:
        UsageError: λ is negative; a path without an anchor before it, or a layer whose shape is another there.
    """

    objective: Objective = field(default_factory=CrossEntropy)
    weight: Number = 1.0

    def __post_init__(self) -> None:
        check_value("The weight of the alignment", self.weight, at_least=0)

    def chance(self, of_task: float) -> float | None:
        """None: how far layers are from one another is nobody's chance."""
        return None

    def alone(self) -> Objective:
        """What the loss is for one architecture, which has no anchor."""
        return alone(self.objective)

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        """The terms of the loss, and `alignment`."""
        if not outcome.earlier:
            raise UsageError("A path was to be aligned with the one before it, but it is the first. Put one before it.")
        anchor, found = outcome.earlier[-1].taps, as_terms(self.objective(outcome))
        distances = [torch.zeros((), device=outcome.logits.device)]
        for name, layer in outcome.taps.items():
            if name in anchor:
                check_shapes(name, layer, anchor[name])
                distances.append(functional.mse_loss(layer.float(), anchor[name].detach().float()))
        return {**found, "alignment": value_of(self.weight, outcome.step) * torch.stack(distances).sum()}


def check_shapes(name: str, layer: Tensor, other: Tensor) -> None:
    """Raise a UsageError if a layer cannot be compared with itself in another architecture."""
    if layer.shape != other.shape:
        raise UsageError(
            f"The layer {name!r} returns {tuple(layer.shape)} in one architecture and {tuple(other.shape)} in another, "
            "so the two cannot be aligned. Take a space whose options keep the shapes of their layers, such as "
            "zoo.nasbench201 or zoo.bert_like, or name layers that do (layers)."
        )
