"""The layers of ENAS's networks written down again with functions, as its tests compare with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from supernet import Supernet


@dataclass(frozen=True)
class Written:
    """Functions with the weights of a network, whose BatchNorms use the statistics of the batch."""

    state: dict[str, Tensor]

    @classmethod
    def of(cls, net: Supernet) -> Written:
        return cls(net.module.state_dict())

    def norm(self, y: Tensor, name: str, eps: float = 1e-5) -> Tensor:
        weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        return F.batch_norm(y, None, None, weight, bias, training=True, eps=eps)

    def stem(self, x: Tensor) -> Tensor:
        return self.norm(F.conv2d(x, self.state["stem.0.weight"], padding=1), "stem.1")

    def reduction(self, y: Tensor, name: str) -> Tensor:
        even, odd = (self.state[f"{name}.{path}.weight"] for path in ("even", "odd"))
        shifted = F.pad(y, (0, 1, 0, 1))[:, :, 1:, 1:]
        halves = [F.conv2d(y[:, :, ::2, ::2], even), F.conv2d(shifted[:, :, ::2, ::2], odd)]
        return self.norm(torch.cat(halves, 1), f"{name}.norm")
