"""The layout in memory in which images and filters are convolved."""

from __future__ import annotations

import torch
from torch import nn

from supernet.space import Expr

_LANES = 8  # channels that AVX2 convolves at a time


def image_layout(module: nn.Module, device: torch.device | str = "cpu") -> torch.memory_format:
    """Channels last, in which processors convolve up to twice as fast, wherever a module can be trained in it.

    On processors without AVX-512 torch 2.14 (oneDNN) writes past its memory in the backward pass of a strided 1 × 1
    convolution of fewer than eight channels, if they come last: the process dies, or computes with what it has
    overwritten. A module that has such a convolution, in whatever architecture, is laid out contiguously there.

    >>> narrow = nn.Conv2d(4, 8, kernel_size=1, stride=2)
    >>> image_layout(nn.Conv2d(16, 8, kernel_size=1, stride=2)), image_layout(narrow, "cuda")
    (torch.channels_last, torch.channels_last)
    """
    safe = torch.device(device).type != "cpu" or torch.backends.cpu.get_cpu_capability() == "AVX512"
    return torch.channels_last if safe or not any(map(_overruns, module.modules())) else torch.contiguous_format


def _overruns(module: nn.Module) -> bool:
    if not isinstance(module, nn.Conv2d) or max(module.stride) == 1:
        return False
    kernel = getattr(module, "kernel", module.kernel_size)
    sides = kernel if isinstance(kernel, tuple) else (kernel,)
    channels = _smallest(getattr(module, "width_in", module.in_channels)) // module.groups
    return all(_smallest(side) == 1 for side in sides) and channels < _LANES


def _smallest(value: Expr | int) -> int:
    return int(min(value.possible())) if isinstance(value, Expr) else value
