"""Latency: how long one batch takes on a device, measured on the extracted subnet."""

from __future__ import annotations

import copy
import os
import time
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import nn

from supernet.errors import UsageError
from supernet.io.section import Count, NotNegative, Positive, Section
from supernet.measure.costs.input_shape import input_shape_of
from supernet.measure.untouched import placed_like, threads
from supernet.nn import Supernet
from supernet.nn.batch import Batch, Fields, called
from supernet.nn.input_shape import InputShape, example
from supernet.nn.supernet import plain_subnet
from supernet.space import Arch


class Latency(NamedTuple):
    """Milliseconds for one batch.

    Attributes:
        median_ms: Milliseconds that half of the runs stayed below.
        p10_ms: Milliseconds that a tenth of the runs stayed below; close to what the device can do undisturbed.
        p90_ms: Milliseconds that nine tenths of the runs stayed below.
        runs: Number of runs that were timed.
    """

    median_ms: float
    p10_ms: float
    p90_ms: float
    runs: int


class Device(Protocol):
    """Something that can time a network: this machine, or a client of another one."""

    def measure(self, module: nn.Module, input_shape: InputShape) -> Latency:
        """Time a plain module on inputs of shape (C, H, W); the module must be left as it is."""
        ...


@dataclass(frozen=True, kw_only=True)
class ThisMachine(Section, place="machine."):
    """The machine this process runs on; a module on an accelerator is timed there.

    Args:
        batch_size: Number of images per run.
        threads: Number of CPU threads, set for the measurement and put back afterwards.
        warm_up: Number of runs before the clock starts.
        seconds: Seconds for which runs are repeated, within the two bounds below.
        min_runs: The least number of runs, also if these take longer.
        max_runs: The largest number of runs, also if these take less.

    Raises:
        UsageError: a number out of range.
    """

    batch_size: Positive = 1
    threads: Positive = 1
    warm_up: Count = 5
    seconds: NotNegative = 0.5
    min_runs: Positive = 11
    max_runs: Positive = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_runs < self.min_runs:
            raise UsageError(f"max_runs={self.max_runs} is below min_runs={self.min_runs}.")
        if self.threads > (cores := os.cpu_count() or 1):
            raise UsageError(f"threads={self.threads}, but this machine has {cores} cores; give at most as many.")

    def measure(self, module: nn.Module, input_shape: InputShape) -> Latency:
        """Time a plain module on inputs of shape (C, H, W), on a copy of it in evaluation mode."""
        copied = copy.deepcopy(module).eval()
        generator = torch.Generator().manual_seed(0)
        x = placed_like(copied, example(input_shape, self.batch_size, generator))
        times: list[float] = []
        with torch.inference_mode(), threads(self.threads):
            for _ in range(self.warm_up):
                _timed(copied, x)
            start = time.perf_counter()
            while len(times) < self.max_runs:
                if len(times) >= self.min_runs and time.perf_counter() - start >= self.seconds:
                    break
                times.append(_timed(copied, x))
        p10, median, p90 = np.percentile(times, (10, 50, 90)).tolist()
        return Latency(median, p10, p90, len(times))


THIS_MACHINE = ThisMachine()
"""Single images on one CPU thread of this machine."""


def latency(
    net: nn.Module,
    arch: Arch | None = None,
    *,
    device: Device = THIS_MACHINE,
    input_shape: InputShape | None = None,
) -> Latency:
    """Time one subnet as it would be deployed: extracted, without a trace of the supernet.

    Args:
        net: A supernet, or any plain module (then without `arch`).
        arch: The architecture to time; None where `net` is no supernet.
        device: The device to time it on, by default this machine with one thread and one image.
        input_shape: Shape of one input, (C, H, W). Default: `net.input_shape` where there is one, or what was given
            before.

    Raises:
        UsageError: the input shape is not known, or the architecture belongs to another space.
    """
    shape = input_shape_of(net, input_shape)
    if not isinstance(net, Supernet):
        if arch is not None:
            raise UsageError(f"An architecture was given for a {type(net).__name__}, which is no Supernet.")
        return device.measure(net, shape)
    if arch is None:
        raise UsageError("Latency is a property of one subnet: pass an architecture, such as net.space.largest().")
    return device.measure(plain_subnet(net, arch), shape)


def latency_ms(
    net: nn.Module,
    arch: Arch | None = None,
    *,
    device: Device = THIS_MACHINE,
    input_shape: InputShape | None = None,
) -> float:
    """Median latency in milliseconds; see `latency` for arguments and errors."""
    return latency(net, arch, device=device, input_shape=input_shape).median_ms


def _timed(module: nn.Module, x: Fields) -> float:
    start = time.perf_counter_ns()
    called(module, x)
    if (device := Batch(x, x).device).type != "cpu":
        torch.accelerator.synchronize(device)
    return (time.perf_counter_ns() - start) / 1e6
