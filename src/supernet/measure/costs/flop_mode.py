"""Floating-point operations, counted operation by operation as they run."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch._ops import HigherOrderOperator, OpOverload
from torch.utils._python_dispatch import TorchDispatchMode


class FlopMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts by the formulas of `torch.utils.flop_counter`; what they do not know is free.

    `FlopCounterMode` also asks of every operation what it is made of and which module it belongs to, which takes most
    of the time where images are small. Of the branches of a `torch.cond` the one that runs is counted.

    Attributes:
        flops: What has been counted so far: 2 for each multiply-accumulate.
    """

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if isinstance(func, HigherOrderOperator):
            if func is torch.ops.higher_order.cond:
                chosen, otherwise, inputs = args[1:]
                with self:
                    return (chosen if args[0] else otherwise)(*inputs)
            return func(*args, **kwargs)
        if _is_composite(func):
            with self:
                return func.decompose(*args, **kwargs)
        out = func(*args, **kwargs)
        formula = _formulas().get(func._overloadpacket)
        if formula is not None:
            self.flops += formula(*args, **kwargs, out_val=out)
        return out


@cache
def _formulas() -> dict[Any, Any]:
    """The formulas by operation; importing them imports Triton, a tenth of a second."""
    from torch.utils.flop_counter import flop_registry

    return flop_registry


@cache
def _is_composite(func: OpOverload) -> bool:
    """Whether an operation is written in others, and reaches the counter whole: in inference mode."""
    if func._overloadpacket in _formulas():
        return False
    name = func.name()  # type: ignore[no-untyped-call]
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(name, "CompositeImplicitAutograd"))
