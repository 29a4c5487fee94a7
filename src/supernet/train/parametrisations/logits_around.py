"""Architecture parameters that do not begin around 0 (SNAS)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from supernet.errors import UsageError
from supernet.train.parametrisations.option_logits import LogitPerOption, OptionLogits
from supernet.train.part import Setting


@dataclass(frozen=True)
class LogitsAround:
    """Builds `OptionLogits` with α ~ mean + scale · N(0, 1).

    A softmax does not see the mean; weight decay does.

    Args:
        mean: The mean of the initial logits.
        scale: Their standard deviation.
    """

    mean: float = 1.0
    scale: float = 0.01

    def __post_init__(self) -> None:
        if not math.isfinite(self.mean):
            raise UsageError(f"The mean of the initial logits is {self.mean}; give a finite number.")
        LogitPerOption(self.scale)  # checks it

    def __call__(self, setting: Setting) -> OptionLogits:
        """The module for one training."""
        module = LogitPerOption(self.scale)(setting)
        with torch.no_grad():
            for logits in module.logits:
                logits.add_(self.mean)
        return module
