"""A copy of the supernet."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from supernet.nn import Supernet
from supernet.train.part import Setting


@dataclass(frozen=True)
class CopyOfNet:
    """A copy of the supernet as it is when the training begins: a teacher, an average, a memory of initial weights.

    It takes the same architectures; what is active in it is its own.
    """

    def __call__(self, setting: Setting) -> Supernet:
        """The copy, whose parameters have no gradient."""
        return copy.deepcopy(setting.net).requires_grad_(False)
