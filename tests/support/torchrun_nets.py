"""A network with which one of two processes dies once, in the middle of a training."""

from __future__ import annotations

import os
import signal

from torch import Tensor, nn

from small_nets import operations_net
from supernet import Supernet

FORWARDS = 14
"""Passes before the death."""


class _Deadly(nn.Module):
    """Passes its input on, and kills the second process of a first start after so many passes."""

    def __init__(self) -> None:
        super().__init__()
        self.passes = 0

    def forward(self, x: Tensor) -> Tensor:
        self.passes += self.training
        first = os.environ.get("TORCHELASTIC_RESTART_COUNT") == "0"
        if first and self.passes == FORWARDS and os.environ["LOCAL_RANK"] == os.environ.get("DIES", ""):
            os.kill(os.getpid(), signal.SIGKILL)
        return x


def dies_once() -> Supernet:
    """`operations_net`, behind what kills the process whose number is in `DIES`."""
    net = operations_net()
    return Supernet(nn.Sequential(_Deadly(), net.module))
