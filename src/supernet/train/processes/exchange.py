"""What processes tell each other: the weights at the beginning, and the same gradient in every move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from supernet.errors import RunError

if TYPE_CHECKING:
    pass

from supernet.train.processes.launch import Processes


@contextmanager
def exchange() -> Iterator[None]:
    """What processes tell each other stands in it.

    Raises:
        RunError: another process has gone.
    """
    try:
        yield
    except RuntimeError as error:
        raise RunError(
            f"Another process of this training has ended or no longer answers ({str(error).splitlines()[0]}). See what "
            "it wrote last; checkpoints are untouched, and resuming goes on from the newest."
        ) from error


def share(fabric: Processes, tensors: Sequence[Tensor]) -> None:
    """Give every process the tensors of the first.

    Raises:
        RunError: another process has gone.
    """
    if fabric.world_size > 1:
        with exchange():
            for tensor in tensors:
                torch.distributed.broadcast(tensor.detach(), src=0)


def average(fabric: Processes, tensors: Sequence[Tensor]) -> None:
    """Average tensors over all processes in place, in one exchange.

    Every process must give the same shapes. Gradients do: all processes run the same paths, so that the same
    parameters have one, and none waits for another's unused layers. Gradients of which each process holds a piece are
    averages already, and stay as they are.

    Raises:
        RunError: another process has gone.
    """
    tensors = [tensor for given in tensors for tensor in _own(given)]
    if fabric.world_size == 1 or not tensors:
        return
    joined = torch.cat([tensor.reshape(-1) for tensor in tensors])
    with exchange():
        flat = fabric.all_reduce(joined, reduce_op="mean")
    parts = torch.split(torch.as_tensor(flat), [tensor.numel() for tensor in tensors])
    for tensor, averaged in zip(tensors, parts, strict=True):
        tensor.copy_(averaged.view_as(tensor))


@torch.no_grad()
def _own(tensor: Tensor) -> list[Tensor]:
    """What this process holds of a tensor, if that is all of it: see `train.processes.shared_weight`."""
    if not hasattr(tensor, "placements"):
        return [tensor]
    held: Any = tensor
    return [] if held.placements[0].is_shard() else [held.to_local()]
