"""Training on several processes: the same weights and draws at the start, the same gradient in every move."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
import torch
from torch import Tensor

from supernet.errors import RunError, UsageError
from supernet.precision import Precision, check_precision
from supernet.train.one_process import OneProcess, is_alone

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Processes: TypeAlias = Union["Fabric", OneProcess]
"""The processes of a training as each of them sees it: its rank, its device, what they tell each other."""

FSDP = "fsdp"
"""The strategy by which processes share the weights out, see `train.sharding`; their launch is that of `"ddp"`."""


def launch(*, accelerator: str, devices: int, strategy: str, precision: str) -> Processes:
    """The processes of a training, launched: this one alone, or those of `Fabric`.

    Raises:
        UsageError: this machine cannot train that way, or the strategy is neither plain data parallelism nor `FSDP`.
    """
    if is_alone(accelerator=accelerator, devices=devices, strategy=strategy):
        return OneProcess(check_precision(precision))
    return _launched(accelerator=accelerator, devices=devices, strategy=strategy, precision=precision)


def precision_of(fabric: Processes) -> Precision:
    """The arithmetic that a training runs in."""
    return fabric.precision if isinstance(fabric, OneProcess) else check_precision(fabric._precision.precision)


def _launched(*, accelerator: str, devices: int, strategy: str, precision: str) -> Fabric:
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy
    from lightning_fabric.strategies.single_device import SingleDeviceStrategy
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    on_cpu = accelerator == "cpu" or not torch.accelerator.is_available()
    if on_cpu and devices > (cores := os.cpu_count() or 1):
        raise UsageError(
            f"The training was to run in {devices} processes on the CPU, but this machine has {cores} cores. Give at "
            f"most {cores} devices."
        )
    given = f"accelerator={accelerator!r}, devices={devices}, strategy={strategy!r}"
    try:
        fabric = Fabric(
            accelerator=accelerator,
            devices=devices,
            strategy="ddp" if strategy == FSDP else strategy,
            precision=precision,  # type: ignore[arg-type]
        )
        if not isinstance(fabric.strategy, DDPStrategy | SingleDeviceStrategy):
            raise UsageError(
                f"The strategy {strategy!r} is not supported; use 'ddp', where every process holds the whole supernet, "
                "or 'fsdp', where processes share its weights out."
            )
        if strategy == FSDP and fabric.world_size == 1:
            raise UsageError(
                "The weights were to be shared out (strategy 'fsdp') by a training of one process. Give devices=2 or "
                "more, or leave the strategy out."
            )
        _meet_again(fabric)
        fabric.launch()
    except UsageError:
        raise
    except (MisconfigurationException, ImportError, TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"Training with {given} is not possible here: {error}") from error
    return fabric


def _meet_again(fabric: Fabric) -> None:
    """Bring the processes of a training together that torchrun has started again.

    Torchrun (of torch 2.14) keeps the store in which the processes of the first start have left their addresses. The
    new ones would call the dead; so each restart has names of its own in it.
    """
    restart = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    if restart == "0" or os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True" or fabric.world_size == 1:
        return
    from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

    size = int(os.environ["WORLD_SIZE"])
    held = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), size, is_master=False)
    torch.distributed.init_process_group(
        torch.distributed.get_default_backend_for_device(fabric.device),
        store=PrefixStore(f"restart {restart}", held),
        rank=int(os.environ["RANK"]),
        world_size=size,
    )


@contextmanager
def seeded(*seed: int) -> Iterator[None]:
    """Draws from torch's generator inside are a function of the seed, the same on every process; it is put back after.

    What prepares a training stands in it: an adaptation that initialises weights, the beginning of a phase.
    """
    with torch.random.fork_rng(devices=()):
        seed_torch(int(np.random.default_rng(seed).integers(2**63)))
        yield


def seed_torch(seed: int) -> None:
    """Seed the generators of torch that are in use, as `torch.manual_seed` does.

    While no accelerator is in use, that function keeps the seed and a stack trace for one that may come, which takes
    longer than many a step of a small network.
    """
    in_use: tuple[Any, ...] = (torch.cuda.is_initialized, torch.xpu.is_initialized, torch.backends.mps.is_available)
    if any(asked() for asked in in_use):
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


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
    """What this process holds of a tensor, if that is all of it: see `train.shared_weight`."""
    if not hasattr(tensor, "placements"):
        return [tensor]
    held: Any = tensor
    return [] if held.placements[0].is_shard() else [held.to_local()]
