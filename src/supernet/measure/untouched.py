"""Running a network without leaving a trace in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from supernet.nn import Supernet


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


def placed_like(module: nn.Module, x: Tensor) -> Tensor:
    """A batch on the device, and in the floating-point type, of a module's parameters.

    Images are laid out channels last, as in training: processors convolve them up to twice as fast.
    """
    layout = torch.channels_last if x.dim() == 4 else torch.preserve_format
    parameter = next((p for p in module.parameters() if p.is_floating_point()), None)
    device, dtype = (x.device, x.dtype) if parameter is None else (parameter.device, parameter.dtype)
    return x.to(device, dtype, memory_format=layout)
