"""An operation that several edges take from one node."""

from __future__ import annotations

from typing import Any, cast
from weakref import ReferenceType, ref

from torch import Tensor, nn

from supernet.nn.mutable import Mutable


class SharedOperation(nn.Module, Mutable):
    """An operation that is computed once for a tensor, however often it is asked for it: (B, C, H, W) -> its output.

    In evaluation it is computed each time, so that a subnet costs what it costs on its own. `forget` drops what was
    computed last; it is also dropped with the next tensor, and is no part of a copy.

    Args:
        operation: The operation.
    """

    def __init__(self, operation: nn.Module) -> None:
        super().__init__()
        self.operation = operation
        self._last: tuple[ReferenceType[Tensor], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return cast(Tensor, self.operation(x))
        if self._last is None or self._last[0]() is not x:
            self._last = (ref(x), cast(Tensor, self.operation(x)))
        return self._last[1]

    def forget(self, *_: object) -> None:
        """Drop the output that was computed last, as a hook too."""
        self._last = None

    def depends_on(self) -> tuple[int, ...]:
        return ()

    def runs(self) -> dict[str, Any]:
        return {"operation": ()}

    def plain(self) -> nn.Module:
        return self.operation

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_last": None}
