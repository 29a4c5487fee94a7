"""Devices whose latency is known: what the tests of latency tables and predictors measure on."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import torch
from torch import nn

from supernet.measure import Latency


def work(module: nn.Module, input_shape: tuple[int, ...]) -> float:
    """A sum over the layers that run, of what each reads and writes: additive, whatever the network."""
    total = 0.0

    def count(layer: nn.Module, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        if not isinstance(layer, nn.Identity | nn.Sequential):
            total += 1e-3 * (args[0].numel() + 2 * output.numel() + 3 * sum(p.numel() for p in layer.parameters()))

    copied = copy.deepcopy(module).eval()
    handles = [m.register_forward_hook(count) for m in copied.modules() if not list(m.children())]
    with torch.no_grad():
        copied(torch.zeros(1, *input_shape))
    for handle in handles:
        handle.remove()
    return total


@dataclass(frozen=True)
class Additive:
    """A machine on which a network takes as long as its layers: `start_ms + slow · work`."""

    start_ms: float = 0.0
    slow: float = 1.0
    asked: list[tuple[int, ...]] = field(default_factory=list, repr=False, compare=False)

    def measure(self, module: nn.Module, input_shape: tuple[int, ...]) -> Latency:
        self.asked.append(input_shape)
        value = self.start_ms + self.slow * work(module, input_shape)
        return Latency(value, value / 2, value * 2, 1)

    def __repr__(self) -> str:
        return f"Additive({self.start_ms}, {self.slow})"
