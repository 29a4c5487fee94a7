"""The sums of what clients returned so far, kept in checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn

from supernet.train.federation.federated_average import FederatedAverage, Sums, Tensors
from supernet.train.part import Setting


class ServerSums(nn.Module):
    """The `Sums` of a round on its way, as buffers.

    Args:
        sums: Sums that nothing was added to yet.
    """

    def __init__(self, sums: Sums) -> None:
        super().__init__()
        self.names = tuple(sums.totals)
        for number, name in enumerate(self.names):  # names of buffers have no dots
            self.register_buffer(f"total{number}", sums.totals[name])
            self.register_buffer(f"weight{number}", sums.weights[name])

    @property
    def sums(self) -> Sums:
        """The sums, which `FederatedAverage.add` changes in place."""
        numbered = tuple(enumerate(self.names))
        return Sums(
            {name: self.get_buffer(f"total{number}") for number, name in numbered},
            {name: self.get_buffer(f"weight{number}") for number, name in numbered},
        )

    @torch.no_grad()
    def clear(self) -> None:
        """Begin anew."""
        for buffer in self.buffers():
            buffer.zero_()


@dataclass(frozen=True)
class SumsOfClients:
    """Builds the `ServerSums` of an average.

    Args:
        average: The average that the sums are for.
    """

    average: FederatedAverage = field(default_factory=FederatedAverage)

    def __call__(self, setting: Setting) -> ServerSums:
        """The module."""
        return ServerSums(self.average.begin(setting.net.state_dict()))


@torch.no_grad()
def load(module: nn.Module, tensors: Tensors) -> None:
    """Give a module these weights and buffers, in place."""
    held = module.state_dict()
    for name, tensor in tensors.items():
        held[name].copy_(tensor)
