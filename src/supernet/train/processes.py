"""Training on several processes: the same weights at the start, the same gradient in every move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from supernet.errors import UsageError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def launch(*, accelerator: str, devices: int, strategy: str, precision: str) -> Fabric:
    """A launched Fabric.

    Raises:
        UsageError: this machine cannot train that way, or the strategy is not plain data parallelism.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy
    from lightning_fabric.strategies.single_device import SingleDeviceStrategy

    given = f"accelerator={accelerator!r}, devices={devices}, strategy={strategy!r}"
    try:
        fabric = Fabric(
            accelerator=accelerator,
            devices=devices,
            strategy=strategy,
            precision=precision,  # type: ignore[arg-type]
        )
        if not isinstance(fabric.strategy, DDPStrategy | SingleDeviceStrategy):
            raise UsageError(
                f"The strategy {strategy!r} is not supported; use 'ddp', where every process holds the whole supernet."
            )
        fabric.launch()
    except (TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"Training with {given} is not possible here: {error}") from error
    return fabric


def share(fabric: Fabric, tensors: Sequence[Tensor]) -> None:
    """Give every process the tensors of the first."""
    if fabric.world_size > 1:
        for tensor in tensors:
            torch.distributed.broadcast(tensor.detach(), src=0)


def average(fabric: Fabric, tensors: Sequence[Tensor]) -> None:
    """Average tensors over all processes in place, in one exchange.

    Every process must give the same shapes. Gradients do: all processes run the same paths, so that the same
    parameters have one, and none waits for another's unused layers.
    """
    if fabric.world_size == 1 or not tensors:
        return
    flat = fabric.all_reduce(torch.cat([tensor.reshape(-1) for tensor in tensors]), reduce_op="mean")
    parts = torch.split(torch.as_tensor(flat), [tensor.numel() for tensor in tensors])
    for tensor, averaged in zip(tensors, parts, strict=True):
        tensor.copy_(averaged.view_as(tensor))
