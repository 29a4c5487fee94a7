"""Dropout whose probability follows the width."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable
from supernet.nn.sizes import check_size
from supernet.space import Expr, largest_value


class ElasticDropout(_DropoutNd, Mutable):
    """Dropout that is weaker in narrower networks: (…) -> (…), with the probability p · c / C.

    Args:
        p: The probability at the full width C.
        width: The width c, fixed or an expression.

    Raises:
        UsageError: a width below 1, or a probability that is not from 0 to below 1.
    """

    def __init__(self, p: float, width: Expr | int) -> None:
        if not 0 <= p < 1:
            raise UsageError(f"The dropout is {p!r}; give a probability from 0 to below 1.")
        check_size("width", width)
        super().__init__(p=p)
        self.width, self._full = width, largest_value(width)

    def _probability(self) -> float:
        return self.p * self.selection.value(self.width) / self._full

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self._probability(), training=self.training)

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.width,)

    def plain(self) -> nn.Module:
        return nn.Dropout(self._probability())

    def extra_repr(self) -> str:
        return f"p={self.p}, {self.width}"
