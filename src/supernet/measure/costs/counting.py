"""Counting what a module computes by watching it run: the measure that needs no knowledge of the module."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from supernet.measure.costs.flop_mode import FlopMode
from supernet.measure.untouched import placed_like, threads, untouched
from supernet.nn.batch import called
from supernet.nn.input_shape import InputShape, example
from supernet.nn.mutable import without_absorbed

BATCH = 2  # BatchNorm on batch statistics refuses a single value per channel


@contextmanager
def counted(module: nn.Module) -> Iterator[FlopMode]:
    """Count the floating-point operations of every forward pass inside; the module is left untouched.

    Fused kernels that the counter does not know (attention, recurrent layers) are switched off for as long.
    """
    fast_attention = torch.backends.mha.get_fastpath_enabled()
    recurrent = any(isinstance(m, nn.RNNBase) for m in module.modules())
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            untouched(module),
            threads(1),  # two tiny images: more threads would only wait for each other
            torch.no_grad(),
            torch.random.fork_rng(devices=[]),
            sdpa_kernel(SDPBackend.MATH),
            without_absorbed(),
            _no_onednn(recurrent),
            FlopMode() as counter,
        ):
            yield counter
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_attention)


def count_macs(module: nn.Module, input_shape: InputShape) -> int:
    """Multiply-accumulates of one image: convolutions, linear layers and matrix products, seen at run time.

    Biases, normalisation, activations, pooling and sums are not counted, which is the convention of the papers
    (they call the same number FLOPs).

    Args:
        module: Any module; it runs in evaluation mode and is left as it was.
        input_shape: Shape of one input without the batch, (C, H, W).

    >>> count_macs(nn.Conv2d(3, 8, kernel_size=3, padding=1), (3, 32, 32)) == 3 * 8 * 9 * 32 * 32
    True
    """
    x = placed_like(module, example(input_shape, BATCH))
    with counted(module) as counter:
        called(module, x)
    return counter.flops // (2 * BATCH)


def count_params(module: nn.Module, *, norm: bool = True, bias: bool = True) -> int:
    """Number of parameters; a shared one counts once.

    Args:
        module: Any module.
        norm: Whether to count those of normalisation layers, which some papers leave out.
        bias: Whether to count the biases of other layers.

    >>> count_params(nn.Conv2d(3, 8, kernel_size=3))
    224
    """
    held = {id(p): p.numel() for p in module.parameters()}
    for layer in module.modules():
        for name, p in layer._parameters.items():
            if p is not None and (not norm if is_norm(layer) else not bias and name == "bias"):
                held.pop(id(p), None)
    return sum(held.values())


def is_norm(module: nn.Module) -> bool:
    """Whether a module is a normalisation layer (batch, instance, layer, group or RMS)."""
    kinds = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    return isinstance(module, kinds)


@contextmanager
def _no_onednn(wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="TF32 acceleration")  # setting the flag says so on any CPU
        with torch.backends.mkldnn.flags(enabled=False):
            yield
