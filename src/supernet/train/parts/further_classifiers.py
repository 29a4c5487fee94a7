"""Classifiers beside that of the network, on the same features."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.headless import classifier
from supernet.train.part import Setting


class Classifiers(nn.ModuleList):
    """Linear layers, each of which makes logits of the features that enter the classifier of a network."""

    def logits(self, features: Tensor) -> list[Tensor]:
        """(B, D) -> (B, K) of each."""
        return [head(features) for head in self]


@dataclass(frozen=True, kw_only=True)
class FurtherClassifiers:
    """Builds `Classifiers` like that of the supernet, with weights of their own.

    Args:
        count: Their number, beside the supernet's own.

    Raises:
        UsageError: fewer than one; when they are built, a network that does not end in a linear layer, or whose
            features are not as many in every architecture.
    """

    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"{self.count} classifiers beside the network's own were asked for; give 1 or more.")

    def __call__(self, setting: Setting) -> Classifiers:
        """The classifiers, on the device of the supernet."""
        own = classifier(setting.net)
        made = (nn.Linear(own.in_features, own.out_features, own.bias is not None) for _ in range(self.count))
        return Classifiers(made).to(own.weight.device)
