"""What torch optimisers of this package have in common that step one tensor after another."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class TensorByTensor(torch.optim.Optimizer):
    """An optimiser that says how one tensor goes on; the others of a group have no part in it."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step on every tensor that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self.advance(parameter, parameter.grad, group)

    @abstractmethod
    def advance(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        """Move one tensor, whose state is `self.state[parameter]`, by its gradient."""
