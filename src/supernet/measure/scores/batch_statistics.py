"""Collecting BatchNorm statistics while batches run through a network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, nn

from supernet.measure.scores.calibration import Calibration
from supernet.nn.batch import Fields, called
from supernet.nn.norm import active_channels

BatchNorm: TypeAlias = nn.modules.batchnorm._BatchNorm

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def tracked_batch_norms(net: nn.Module) -> list[BatchNorm]:
    """The BatchNorms that keep running statistics."""
    return [m for m in net.modules() if isinstance(m, BatchNorm) and m.running_mean is not None]


def recompute(net: nn.Module, batches: Iterable[Fields], policy: Calibration) -> list[BatchNorm]:
    """Overwrite the statistics of the BatchNorms that run; of an elastic one, of its active channels.

    The network must be in evaluation mode. With momentum 1 torch leaves in the buffers just the statistics of
    the batch that it normalised: they are read from there, and no activation is visited twice.

    Returns:
        The BatchNorms that ran.
    """
    layers = tracked_batch_norms(net)
    averages = {layer: _Average(layer, policy) for layer in layers}
    momenta = [layer.momentum for layer in layers]
    handles = [layer.register_forward_hook(averages[layer].read) for layer in layers]
    for layer in layers:
        layer.momentum, layer.training = 1.0, True
        layer._buffers |= {name: torch.zeros_like(_buffer(layer, name)) for name in BUFFERS}  # 0 · NaN is NaN
    try:
        with torch.no_grad():
            for x in batches if layers else ():
                called(net, x)
                if not any(average.batches for average in averages.values()):
                    break  # none of them is part of this subnet
    finally:
        for handle in handles:
            handle.remove()
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum, layer.training = momentum, False
            layer._buffers |= averages[layer].before
    ran = [layer for layer in layers if averages[layer].batches]
    for layer in ran:
        averages[layer].write()
    return ran


class _Average:
    """Joins the statistics of one layer's batches, in double precision."""

    def __init__(self, layer: BatchNorm, policy: Calibration) -> None:
        self.before = {name: _buffer(layer, name) for name in BUFFERS}
        self._policy = policy
        self._mean, self._var = self.before["running_mean"].double(), self.before["running_var"].double()
        if policy.reset:
            self._mean, self._var = torch.zeros_like(self._mean), torch.ones_like(self._var)
        self.batches = self._positions = 0
        self._at: slice | Tensor = slice(None)

    def read(self, layer: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        """Forward hook: take in the batch that the layer has just normalised."""
        c, n = args[0].shape[1], args[0].numel() // args[0].shape[1]
        self._at = active_channels(layer, c)
        mean, unbiased = (_buffer(layer, name)[self._at].double() for name in BUFFERS[:2])
        biased = unbiased * ((n - 1) / n)
        if not self.batches:
            self._mean, self._var = self._mean[self._at], self._var[self._at]
        self.batches += 1
        if self._policy.mode == "pooled":  # two groups joined: variance within plus variance between
            share = n / (self._positions + n)
            between = share * (1 - share) * (mean - self._mean) ** 2
            self._var = (1 - share) * self._var + share * biased + between
            self._mean = self._mean + share * (mean - self._mean)
            self._positions += n
        else:
            weight = self._policy.momentum or 1 / self.batches
            var = biased if self._policy.mode == "mean_of_batches" else unbiased
            self._mean = self._mean + weight * (mean - self._mean)
            self._var = self._var + weight * (var - self._var)

    def write(self) -> None:
        """Put the result into the layer's buffers."""
        unbiased = self._positions / (self._positions - 1) if self._positions else 1.0
        dtype = self.before["running_mean"].dtype
        self.before["running_mean"][self._at] = self._mean.to(dtype)
        self.before["running_var"][self._at] = (self._var * unbiased).to(dtype)
        self.before["num_batches_tracked"].fill_(self.batches)


def _buffer(layer: nn.Module, name: str) -> Tensor:
    return cast(Tensor, cast(Any, layer)._buffers[name])
