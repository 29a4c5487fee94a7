"""Training on several processes: how they are launched."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias, Union

import torch

from supernet.errors import UsageError
from supernet.precision import Precision, check_precision
from supernet.train.processes._one_process import OneProcess, is_alone

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Processes: TypeAlias = Union["Fabric", OneProcess]
"""The processes of a training as each of them sees it: its rank, its device, what they tell each other."""

FSDP = "fsdp"
"""The strategy by which processes share the weights out (`Sharding`); their launch is that of `"ddp"`."""


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
