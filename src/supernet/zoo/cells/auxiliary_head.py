"""A second classifier behind an earlier cell, for the training alone."""

from __future__ import annotations

from torch import Tensor, nn

from supernet.nn import Mutable
from supernet.space.conditions import Conditions, Never


class AuxiliaryHead(nn.Module, Mutable):
    """A classifier of an earlier cell for the training alone: (B, C, H, W) -> (B, K), or None in evaluation.

    An extracted subnet is without it, and costs leave it out.

    Args:
        layers: Its layers, one behind the other.
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.head = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor | None:
        return self.head(x) if self.training else None

    def depends_on(self) -> tuple[int, ...]:
        return ()

    def runs(self) -> dict[str, Conditions]:
        return {"head": (Never(),)}

    def plain(self) -> nn.Module:
        return _NoHead()


class _NoHead(nn.Module):
    def forward(self, x: Tensor) -> None:
        return None
