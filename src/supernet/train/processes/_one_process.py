"""A training in this process alone, on the processor."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from supernet.precision import Precision


@dataclass(frozen=True)
class OneProcess:
    """What `Fabric` does for one process on the CPU: nothing but autocast.

    It is here for the time: to import Fabric takes longer than to import PyTorch, as it imports torchmetrics,
    torchvision and torch's compiler where these are installed.

    Attributes:
        precision: The arithmetic, of :data:`supernet.precision.Precision`.
    """

    precision: Precision

    device = torch.device("cpu")
    world_size = 1
    global_rank = 0
    is_global_zero = True

    def autocast(self) -> AbstractContextManager[Any]:
        """The arithmetic inside: as it is, or bfloat16 where it is safe."""
        return nullcontext() if self.precision == "32-true" else torch.autocast("cpu", dtype=torch.bfloat16)

    def barrier(self) -> None:
        """Wait for nobody."""

    def all_reduce(self, data: Tensor, *, reduce_op: str = "mean") -> Tensor:
        """The mean or sum over one process."""
        return data

    def all_gather(self, data: Tensor) -> Tensor:
        """What one process has."""
        return data


def is_alone(*, accelerator: str, devices: int, strategy: str) -> bool:
    """Whether `Fabric` would train in this process alone and on the CPU.

    It would not where an accelerator is there to be chosen, or the environment says otherwise (`LT_DEVICES` and the
    like, or torchrun).
    """
    on_cpu = accelerator == "cpu" or (
        accelerator == "auto" and not torch.accelerator.is_available() and find_spec("torch_xla") is None
    )
    told = any(name.startswith("LT_") or name == "WORLD_SIZE" for name in os.environ)
    return on_cpu and devices == 1 and strategy == "auto" and not told
