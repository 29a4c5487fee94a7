"""Running a network without leaving a trace in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from supernet.nn import Supernet
from supernet.nn.batch import Batch, Fields, mapped, placed

Given = TypeVar("Given", bound=Fields)


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Evaluation mode on copies of all buffers; afterwards the very same tensors and modes are back.

    The originals are set aside, not copied back: bit for bit the old state, whatever happened in between.
    """
    modes = [(m, m.training) for m in module.modules()]
    buffers = [(m, name, b) for m in module.modules() for name, b in m._buffers.items() if b is not None]
    copies: dict[int, Tensor] = {}
    for m, name, buffer in buffers:
        m._buffers[name] = copies.setdefault(id(buffer), buffer.detach().clone())
    module.eval()
    belong_to = module.calibrated_for if isinstance(module, Supernet) else None
    if isinstance(module, Supernet):
        module.calibrated_for = None  # whoever measures here answers for the statistics
    try:
        yield
    finally:
        if isinstance(module, Supernet):
            module.calibrated_for = belong_to
        for m, name, buffer in buffers:
            m._buffers[name] = buffer
        for m, training in modes:
            m.training = training


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Compute with this many CPU threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def placed_like(module: nn.Module, x: Given) -> Given:
    """Inputs on the device, and floats in the type, of a module's parameters.

    Images are laid out channels last, as in training: processors convolve them up to twice as fast.
    """
    parameter = next((p for p in module.parameters() if p.is_floating_point()), None)
    if parameter is None:
        return cast(Given, mapped(x, lambda t: placed(t, t.device)))
    device, dtype = parameter.device, parameter.dtype
    return cast(Given, mapped(x, lambda t: placed(t, device, dtype)))


def batch_like(module: nn.Module, batch: Batch) -> Batch:
    """A batch whose inputs are placed like a module, and whose targets are where they are."""
    x = placed_like(module, batch.x)
    device = Batch(x, batch.y).device
    return Batch(x, mapped(batch.y, lambda t: t.to(device)))
