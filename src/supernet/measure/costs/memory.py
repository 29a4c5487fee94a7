"""The memory that architectures need while they run, for whole populations, without building them."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple, overload
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.measure.costs.input_shape import input_shape_of
from supernet.measure.costs.model import answer, population_of, single
from supernet.measure.costs.params_terms import bytes_terms
from supernet.measure.costs.tables import Tables
from supernet.measure.costs.tracing import Tracer
from supernet.nn import Supernet
from supernet.nn.input_shape import InputShape
from supernet.space import Arch, Codes

MB = 1e6
"""Bytes of a megabyte."""

_QUICK = 32

_weights: WeakKeyDictionary[Supernet, tuple[int, Tables]] = WeakKeyDictionary()
_models: WeakKeyDictionary[Supernet, dict[tuple[int, InputShape, int], MemoryModel]] = WeakKeyDictionary()


class Memory(NamedTuple):
    """What a network needs for a forward pass, in megabytes (10⁶ bytes).

    Attributes:
        weights_mb: Parameters and buffers, in the types that the network holds; shared ones once.
        activations_mb: The most that inputs and activations take at a time.
        memory_mb: Both together.
    """

    weights_mb: float
    activations_mb: float
    memory_mb: float


class MemoryModel:
    """The bytes of the weights and of the activations of every architecture of a supernet.

    The weights are a sum over modules that is read off the module tree. For the activations an architecture runs on
    tensors of sizes alone, and each is alive from the operation that makes it to the last that reads it, as compilers
    and runtimes of exported files plan memory: branches of a residual and the states of a cell while something still
    reads them, the input until it is read for the last time. The peak is the most that is alive during an operation.
    What a module does is remembered, so that an architecture of known parts takes a few milliseconds.

    Not in it: what a kernel takes for itself (a convolution as a matrix product), what training keeps for the backward
    pass, what the framework takes. An operation that overwrites its input, such as an in-place ReLU, takes no memory;
    attention takes its matrix, which fused kernels do not.

    Args:
        net: The supernet. Its modules must not be exchanged afterwards.
        input_shape: Shape of one input, (C, H, W).
        batch_size: Number of inputs at a time.

    Raises:
        UsageError: the batch size is below 1.
        RunError: a layer depends on more choices than can be tabulated.

    >>> from torch import nn
    >>> from supernet import Choice, ElasticConv2d
    >>> width = Choice("width", (4, 8))
    >>> net = Supernet(nn.Sequential(ElasticConv2d(3, width, bias=False), ElasticConv2d(width, 2, bias=False)))
    >>> memory = MemoryModel(net, (3, 10, 10))
    >>> memory.weights_mb(net.space.smallest()), memory.activations_mb(net.space.smallest())
    (0.00072, 0.0028)
    """

    def __init__(self, net: Supernet, input_shape: InputShape, batch_size: int = 1) -> None:
        if batch_size < 1:
            raise UsageError(f"The memory of batches of {batch_size} inputs was asked for; give 1 or more.")
        self.space, self.input_shape, self.batch_size = net.space, input_shape, batch_size
        self._weights = _weights_table(net)
        self._tracer = Tracer(single(net), input_shape, batch_size)
        self._peaks: dict[tuple[int, ...], int] = {}

    @overload
    def weights_mb(self, archs: Arch) -> float: ...
    @overload
    def weights_mb(self, archs: Codes) -> NDArray[np.float64]: ...
    def weights_mb(self, archs: Arch | Codes) -> float | NDArray[np.float64]:
        """Parameters and buffers: of an architecture, or (N,) of a population (N, D).

        Raises:
            UsageError: as `CostModel.macs`.
        """
        return answer(archs, self._weights(population_of(self.space, archs)) / MB)

    @overload
    def activations_mb(self, archs: Arch) -> float: ...
    @overload
    def activations_mb(self, archs: Codes) -> NDArray[np.float64]: ...
    def activations_mb(self, archs: Arch | Codes) -> float | NDArray[np.float64]:
        """The most that inputs and activations take at a time: of an architecture, or (N,) of a population (N, D).

        Raises:
            UsageError: as `CostModel.macs`.
            RunError: the network does not run on tensors without data.
        """
        return answer(archs, self._peaks_of(population_of(self.space, archs)) / MB)

    @overload
    def memory_mb(self, archs: Arch) -> float: ...
    @overload
    def memory_mb(self, archs: Codes) -> NDArray[np.float64]: ...
    def memory_mb(self, archs: Arch | Codes) -> float | NDArray[np.float64]:
        """Both together: of an architecture, or (N,) of a population (N, D).

        Raises:
            UsageError: as `CostModel.macs`.
            RunError: the network does not run on tensors without data.
        """
        codes = population_of(self.space, archs)
        return answer(archs, self.weights_mb(codes) + self.activations_mb(codes))

    @cached_property
    def is_quick(self) -> bool:
        """Whether populations of thousands take seconds: an architecture of known parts takes at most 32 calls.

        Raises:
            RunError: the network does not run on tensors without data.
        """
        return self._tracer.effort(self.space.largest()) <= _QUICK

    def _peaks_of(self, codes: Codes) -> NDArray[np.float64]:
        archs = self.space.wrap(codes)
        for arch in archs:
            if arch.code not in self._peaks:
                self._peaks[arch.code] = self._tracer.peak(arch)
        return np.asarray([self._peaks[arch.code] for arch in archs], dtype=np.float64)


def memory_model(net: Supernet, input_shape: InputShape | None = None, *, batch_size: int = 1) -> MemoryModel:
    """The `MemoryModel` of a supernet, made at the first call and remembered; arguments as of `memory`."""
    shape = input_shape_of(net, input_shape)
    known = _models.setdefault(net, {})
    key = (net.structure, shape, batch_size)
    if key not in known:
        known[key] = MemoryModel(net, shape, batch_size)
    return known[key]


def memory(net: Supernet, arch: Arch, *, input_shape: InputShape | None = None, batch_size: int = 1) -> Memory:
    """The memory of one architecture in a forward pass; see `MemoryModel` for what counts.

    Args:
        net: The supernet that the architecture belongs to.
        arch: The architecture.
        input_shape: Shape of one input, (C, H, W). Default: `net.input_shape` where there is one, or what was given
            before.
        batch_size: Number of inputs at a time.

    Raises:
        UsageError: the input shape is not known, or what was given is no architecture, or one of another space.
        RunError: the network does not run on tensors without data.
    """
    model = memory_model(net, input_shape, batch_size=batch_size)
    return Memory(model.weights_mb(arch), model.activations_mb(arch), model.memory_mb(arch))


def weights_mb(net: Supernet, codes: Codes) -> NDArray[np.float64]:
    """Megabytes (N,) of the parameters and buffers of a population (N, D).

    Raises:
        UsageError: the array has another number of columns.
        RunError: a layer depends on more choices than can be tabulated.
    """
    return _weights_table(net)(population_of(net.space, codes)) / MB


def _weights_table(net: Supernet) -> Tables:
    if net not in _weights or _weights[net][0] != net.structure:
        _weights[net] = net.structure, Tables(net.space, bytes_terms(single(net)))
    return _weights[net][1]
