"""What workers do, and how it reaches them."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from supernet.errors import UsageError

Call: TypeAlias = Callable[[Any], Any]
"""Does one task."""
_ALIGNED = 64  # as torch allocates, so that the same instructions run on it


@dataclass(frozen=True)
class Work:
    """What every worker of a team does.

    A task must be a function of itself and of `given`, whichever worker does it and whatever was done before: it may
    be done twice, when a worker dies with it.

    Attributes:
        begin: Called in every worker with `given`; returns what does a task. A function at the top level of a module.
        given: What it needs: networks, data. It travels once to every machine, with its tensors and arrays beside it.
        threads: Number of CPU threads of each worker.
        on_gpu: Whether it needs an accelerator.
        to_do: What the workers do, for errors, such as "measure architectures".
    """

    begin: Callable[[Any], Call]
    given: Any
    threads: int = 1
    on_gpu: bool = False
    to_do: str = "work"

    def packed(self) -> bytearray:
        """`begin` and `given` as bytes for our own processes; never written to a file that stays.

        Raises:
            UsageError: something in it cannot be sent.
        """
        stream = io.BytesIO()
        pickler = _Pickler(stream)
        try:
            pickler.dump((self.begin, self.given))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise UsageError(
                f"The network or recipe cannot be sent to another process: {error}. Pass a function at the top level "
                "of a module (or functools.partial of one) that builds the network, or use workers=1."
            ) from error
        return _joined([[memoryview(stream.getvalue())], pickler.arrays, pickler.storages])


def begun(packed: memoryview) -> Call:
    """Begin packed work. Its tensors lie in `packed`, which must be writable and stay.

    Raises:
        Exception: whatever beginning it raises.
    """
    (stream,), arrays, storages = _parted(packed)
    begin, given = _Unpickler(io.BytesIO(stream), arrays, storages).load()
    call: Call = begin(given)
    return call


class _Pickler(pickle.Pickler):
    """Lays the memory of arrays and tensors aside; tensors that share memory still do afterwards."""

    def __init__(self, stream: io.BytesIO) -> None:
        self.arrays: list[memoryview] = []
        self.storages: list[memoryview] = []
        self._places: dict[tuple[int, int], int] = {}
        super().__init__(stream, protocol=5, buffer_callback=lambda buffer: self.arrays.append(buffer.raw()))

    def persistent_id(self, obj: Any) -> tuple[int, torch.dtype] | None:
        if not isinstance(obj, torch.storage.TypedStorage) or obj._untyped_storage.device.type != "cpu":
            return None
        storage = obj._untyped_storage
        key = (storage.data_ptr(), storage.nbytes())
        if key not in self._places:
            self._places[key] = len(self.storages)
            self.storages.append(_bytes_of(storage).numpy().data)
        return self._places[key], obj.dtype


class _Unpickler(pickle.Unpickler):
    """Puts arrays and tensors back where their memory lies."""

    def __init__(self, stream: io.BytesIO, arrays: list[memoryview], storages: list[memoryview]) -> None:
        super().__init__(stream, buffers=arrays)
        self._storages = [torch.frombuffer(s, dtype=torch.uint8) if len(s) else _EMPTY.clone() for s in storages]

    def persistent_load(self, pid: tuple[int, torch.dtype]) -> torch.storage.TypedStorage:
        place, dtype = pid
        storage = self._storages[place].untyped_storage()
        kind: Any = torch.storage.TypedStorage
        typed: torch.storage.TypedStorage = kind(wrap_storage=storage, dtype=dtype, _internal=True)
        return typed


_EMPTY = torch.empty(0, dtype=torch.uint8)


def _bytes_of(storage: torch.UntypedStorage) -> torch.Tensor:
    return torch.empty(0, dtype=torch.uint8).set_(storage)


def _joined(groups: list[list[memoryview]]) -> bytearray:
    """Pieces of memory as one, each where torch would align it; their sizes stand in front."""
    head = pickle.dumps([[len(piece) for piece in group] for group in groups])
    pieces = [memoryview(head), *(piece for group in groups for piece in group)]
    joined = bytearray(_after(8) + sum(_after(len(piece)) for piece in pieces))
    joined[:8] = len(head).to_bytes(8, "little")
    place = _after(8)
    for piece in pieces:
        joined[place : place + len(piece)] = piece
        place += _after(len(piece))
    return joined


def _parted(joined: memoryview) -> list[list[memoryview]]:
    size = int.from_bytes(joined[:8], "little")
    place = _after(8)
    sizes: list[list[int]] = pickle.loads(joined[place : place + size])
    place += _after(size)
    groups = []
    for group in sizes:
        pieces = []
        for length in group:
            pieces.append(joined[place : place + length])
            place += _after(length)
        groups.append(pieces)
    return groups


def _after(length: int) -> int:
    """Bytes that a piece takes up to where the next one may begin."""
    return -(-length // _ALIGNED) * _ALIGNED
