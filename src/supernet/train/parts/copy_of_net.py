"""A copy of the supernet."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from torch import nn

from supernet.nn import Supernet
from supernet.train.part import Setting


@dataclass(frozen=True)
class CopyOfNet:
    """A copy of the supernet as it is when the training begins: a teacher, an average, a memory of initial weights.

    It takes the same architectures; what is active in it is its own.

    Args:
        dropout: Whether the copy's dropout layers drop while it is in the mode `"train"`; without it batch norm still
            uses the statistics of the batch there.
    """

    dropout: bool = True

    def __call__(self, setting: Setting) -> Supernet:
        """The copy, whose parameters have no gradient."""
        found = copy.deepcopy(setting.net).requires_grad_(False)
        for layer in () if self.dropout else found.modules():
            if isinstance(layer, nn.modules.dropout._DropoutNd):
                layer.p = 0.0
        return found
