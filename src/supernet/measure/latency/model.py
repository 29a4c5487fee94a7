"""What every model of latency has in common: what its figures are of, and that it tells whole populations."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from typing import Any, Literal, Protocol, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from supernet.errors import UsageError
from supernet.io.run_directory import environment
from supernet.measure.costs.input_shape import input_shape_of
from supernet.measure.latency.machine import Device, ThisMachine
from supernet.measure.latency.record import code_texts
from supernet.nn import Supernet
from supernet.nn.input_shape import InputShape
from supernet.nn.supernet import plain_subnet
from supernet.space import Arch, Codes

Figure: TypeAlias = Literal["median_ms", "p10_ms"]
"""Which figure of a `Latency` counts: half of the runs, or a tenth of them, were faster. On a machine that others use
at the same time the second is what the device can do."""


@dataclass(frozen=True)
class Subject:
    """What latencies are of: a network, a shape of its inputs, a device, and a figure of its measurements.

    Attributes:
        space: Fingerprint of the space.
        net: Fingerprint of the layers; weights make no difference.
        input_shape: Shape of one input, (C, H, W).
        device: What is known of the device, see `device_facts`.
        figure: The figure of a measurement that counts, `"median_ms"` or `"p10_ms"`.
    """

    space: str
    net: str
    input_shape: InputShape
    device: dict[str, Any]
    figure: Figure

    @classmethod
    def of(
        cls,
        net: Supernet,
        device: Device,
        *,
        input_shape: InputShape | None = None,
        figure: Figure = "median_ms",
    ) -> Subject:
        """The subject of measurements that are about to be made.

        Raises:
            UsageError: the input shape is not known, or there is no such figure.
        """
        if figure not in get_args(Figure):
            raise UsageError(f"A latency has no figure {figure!r}; use one of {get_args(Figure)}.")
        shape = input_shape_of(net, input_shape)
        return cls(net.space.fingerprint, net_fingerprint(net), shape, device_facts(device, net), figure)

    @classmethod
    def given(cls, net: Supernet, device: dict[str, Any], *, input_shape: InputShape | None = None) -> Subject:
        """The subject of measurements that were made elsewhere, on a device of which these facts are known.

        Raises:
            UsageError: the input shape is not known.
        """
        shape = input_shape_of(net, input_shape)
        return cls(net.space.fingerprint, net_fingerprint(net), shape, device, "median_ms")

    def measure(self, device: Device, module: nn.Module, input_shape: InputShape | None = None) -> float:
        """The figure of a plain module, by default on inputs of the network's shape."""
        found = device.measure(module, self.input_shape if input_shape is None else input_shape)
        return float(getattr(found, self.figure))

    def whole(self, device: Device, net: Supernet, codes: Codes) -> dict[str, Callable[[], float]]:
        """What measures the figures of architectures (N, D) as they would be deployed, by their names in a record."""
        measures = [partial(self._measure_arch, device, net, arch) for arch in net.space.wrap(codes)]
        return dict(zip(code_texts(codes), measures, strict=True))

    def _measure_arch(self, device: Device, net: Supernet, arch: Arch) -> float:
        return self.measure(device, plain_subnet(net, arch))

    def check_net(self, net: Supernet, input_shape: InputShape | None, holder: str) -> None:
        """Refuse another network or another size of images; `holder` says what holds the latencies.

        Raises:
            UsageError: they differ.
        """
        shape = input_shape_of(net, input_shape)
        if net.space.fingerprint != self.space:
            raise UsageError(
                f"{holder} is of the space {self.space}, but this network's space is {net.space.fingerprint}. "
                "Give the network it was made for, or make one for this network."
            )
        if shape != self.input_shape:
            raise UsageError(
                f"{holder} is of inputs of shape {self.input_shape}, not {shape}. Make one for this shape."
            )
        if net_fingerprint(net) != self.net:
            raise UsageError(
                f"{holder} is of a network with the same choices but other layers (another width, say). "
                "Give the network it was made for, or make one for this network."
            )

    def check_device(self, device: Device, net: nn.Module, holder: str) -> None:
        """Refuse another device.

        Raises:
            UsageError: a fact differs.
        """
        here = device_facts(device, net)
        for name in (*self.device, *here):
            if self.device.get(name) != here.get(name):
                raise UsageError(
                    f"{holder} is of a device with {name}={self.device.get(name)!r}, but this one has "
                    f"{name}={here.get(name)!r}. Measure on the same device, or make one for this device."
                )


class LatencyModel(Protocol):
    """Tells the latency of architectures that are not measured.

    A `LatencyTable`, a `LatencyPredictor` or a `FittedLatency`.
    """

    @property
    def subject(self) -> Subject:
        """What the latencies are of."""

    def predict_ms(self, codes: Codes) -> NDArray[np.float64]:
        """Milliseconds (N,) per batch for a population (N, D)."""


def device_facts(device: Device, net: nn.Module) -> dict[str, Any]:
    """What identifies a device: its class, and of a dataclass the fields that decide equality.

    Of `ThisMachine`: batch size, threads, processor, accelerator and torch version; not how long it measures.
    """
    facts: dict[str, Any] = {"device": type(device).__name__}
    if isinstance(device, ThisMachine):
        parameter = next(net.parameters(), None)
        placed = "cpu" if parameter is None else parameter.device.type
        facts |= {"batch_size": device.batch_size, "threads": device.threads}
        facts |= {"processor": environment()["cpu"], "placed": placed, "torch": str(torch.__version__)}
        if placed == "cuda":
            facts["accelerator"] = torch.cuda.get_device_name(parameter.device if parameter is not None else None)
        return facts
    own: object = device
    if is_dataclass(own):
        for field in filter(lambda field: field.compare, fields(own)):
            value = getattr(own, field.name)
            facts[field.name] = value if type(value) in (bool, str, int, float) else repr(value)
    return facts


def net_fingerprint(net: Supernet) -> str:
    """Sixteen hexadecimal digits that identify the layers of a network, whatever their weights."""
    shapes = [(name, tuple(tensor.shape)) for name, tensor in net.module.state_dict().items()]
    return hashlib.sha256(f"{net.module}{shapes}".encode()).hexdigest()[:16]


def block_fingerprint(module: nn.Module, input_shape: InputShape) -> str:
    """Identifies what a plain module computes on inputs of one shape, whatever its weights and wherever it stands."""
    parts: list[Any] = [input_shape]
    for name, inner in module.named_modules():
        plain = {k: v for k, v in sorted(vars(inner).items()) if isinstance(v, str | int | float | tuple | None)}
        parts += [name, type(inner).__qualname__, inner.extra_repr(), plain, getattr(inner, "code", None)]
    parts += [(name, tuple(tensor.shape), tensor.dtype) for name, tensor in module.state_dict().items()]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
