"""What is alive while a network runs, measured: what the tests of memory compare with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveMemory(TorchDispatchMode):
    """Follows the storages that operations make on this processor until they are freed, and keeps the most bytes."""

    def __init__(self, weights: list[Tensor]) -> None:
        super().__init__()
        self._weights = {t.untyped_storage()._cdata for t in weights}
        self._live: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self._live = {number: one for number, one in self._live.items() if not one[0].expired()}
        first, *others = [t.untyped_storage() for t in tree_leaves(result) if isinstance(t, Tensor)] or [None]
        if first is not None:
            self._see(first)
        self.peak = max(self.peak, sum(size for _, size in self._live.values()))
        for storage in others:  # indices of a maximum, statistics of a batch: gone before anything else runs
            self._see(storage)
        return result

    def _see(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata not in self._weights:
            self._live[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())


class _Source(nn.Module):
    """Makes the input, and lets it go."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self) -> Tensor:
        return torch.zeros(self.shape)


class _Whole(nn.Module):
    def __init__(self, module: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.source, self.module = _Source(shape), module

    def forward(self) -> Tensor:
        return self.module(self.source())


class _Leaves(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not list(m.children()) and not isinstance(m, fx.GraphModule)


def measured_peak(module: nn.Module, input_shape: tuple[int, ...], batch_size: int) -> int:
    """The most bytes alive while a plain module runs operation by operation, and lets go of what it has read last."""
    whole = _Whole(module.eval(), (batch_size, *input_shape))
    flat = fx.GraphModule(whole, _Leaves().trace(whole))
    weights = [*module.parameters(), *module.buffers()]
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), LiveMemory(weights) as live:
        fx.Interpreter(flat).run()
    return live.peak


def nested_peak(module: nn.Module, input_shape: tuple[int, ...], batch_size: int) -> int:
    """The same of the module called as it is: Python holds what a call is given until it returns."""
    whole = _Whole(module.eval(), (batch_size, *input_shape))
    with torch.no_grad(), LiveMemory([*module.parameters(), *module.buffers()]) as live:
        whole()
    return live.peak
