"""Collecting BatchNorm statistics while batches run through a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
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
    averages = {layer: Average(layer, policy) for layer in layers}
    with normalised_by_the_batch(layers, lambda layer: averages[layer]), torch.no_grad():
        for x in batches if layers else ():
            called(net, x)
            if not any(average.batches for average in averages.values()):
                break  # none of them is part of this subnet
    ran = [layer for layer in layers if averages[layer].batches]
    for layer in ran:
        for name, buffer in averages[layer].statistics().items():
            _buffer(layer, name).copy_(buffer)
    return ran


@contextmanager
def normalised_by_the_batch(layers: Sequence[BatchNorm], average: Callable[[BatchNorm], Average]) -> Iterator[None]:
    """Inside, layers normalise by the batch, whose statistics they give to an average; then all is as it was.

    Args:
        layers: The BatchNorms, in evaluation mode.
        average: What takes in the batch that a layer has just normalised.
    """

    def read(layer: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        average(cast(BatchNorm, layer)).read(layer, args, output)

    before = [(layer.momentum, {name: _buffer(layer, name) for name in BUFFERS}) for layer in layers]
    handles = [layer.register_forward_hook(read) for layer in layers]
    for layer in layers:
        layer.momentum, layer.training = 1.0, True
        layer._buffers |= {name: torch.zeros_like(_buffer(layer, name)) for name in BUFFERS}  # 0 · NaN is NaN
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for layer, (momentum, buffers) in zip(layers, before, strict=True):
            layer.momentum, layer.training = momentum, False
            layer._buffers |= buffers


class Average:
    """Joins the statistics of one layer's batches, in double precision.

    Args:
        layer: The layer, as it was before the first batch.
        policy: How they are joined.
    """

    def __init__(self, layer: BatchNorm, policy: Calibration) -> None:
        self._before = {name: _buffer(layer, name) for name in BUFFERS}
        self._policy = policy
        self._mean, self._var = self._before["running_mean"].double(), self._before["running_var"].double()
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

    def statistics(self) -> dict[str, Tensor]:
        """The buffers that the layer is to have, by name; channels that did not run are as they were."""
        found = {name: buffer.clone() for name, buffer in self._before.items()}
        unbiased = self._positions / (self._positions - 1) if self._positions else 1.0
        dtype = found["running_mean"].dtype
        found["running_mean"][self._at] = self._mean.to(dtype)
        found["running_var"][self._at] = (self._var * unbiased).to(dtype)
        found["num_batches_tracked"].fill_(self.batches)
        return found


def _buffer(layer: nn.Module, name: str) -> Tensor:
    return cast(Tensor, cast(Any, layer)._buffers[name])
