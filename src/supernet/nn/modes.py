"""Passes that only measure, or that nothing regularises: what of a network they may not touch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from supernet.nn.supernet import Supernet


@contextmanager
def untouched_buffers(net: nn.Module) -> Iterator[None]:
    """Restore all buffers (running statistics) afterwards: a pass that only measures must leave no trace."""
    buffers = list(net.buffers())
    saved = [b.clone() for b in buffers]
    try:
        yield
    finally:
        for buffer, before in zip(buffers, saved, strict=True):
            buffer.copy_(before)


def all_but_normalisation(net: nn.Module) -> list[nn.Module]:
    """The modules whose mode may be `eval` while batch norm goes on using the statistics of the batch.

    The mode of a `Supernet` itself says which statistics are used, so it is left alone too.
    """
    return [module for module in net.modules() if not isinstance(module, _NormBase | Supernet)]


@contextmanager
def evaluating(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Put these modules, and none inside them, into evaluation mode; afterwards all are as they were.

    With `all_but_normalisation(net)` nothing is dropped, whether by a dropout layer, by attention, by an LSTM or by a
    function that asks `self.training`.
    """
    modes = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        yield
    finally:
        for module, training in zip(modules, modes, strict=True):
            module.training = training
