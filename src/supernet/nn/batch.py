"""Batches: what a network is given, and what is asked of it, as one tensor each or several by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.memory_layout import image_layout

Fields: TypeAlias = Tensor | Mapping[str, Tensor]
"""One tensor, or several by name; the first dimension of each counts the examples."""


class Batch(NamedTuple):
    """Inputs and targets of B examples.

    Attributes:
        x: What the network is called with: a tensor, such as images ``(B, C, H, W)``, float32; or tensors by the names
            of its arguments, such as ``input_ids`` and ``attention_mask``, each ``(B, …)``.
        y: What is asked of it: a tensor, such as class indices ``(B,)``, int64; or tensors by name, each ``(B, …)``.
    """

    x: Fields
    y: Fields

    @property
    def size(self) -> int:
        """B, the number of examples.

        >>> Batch(torch.zeros(4, 3, 8, 8), torch.zeros(4, dtype=torch.int64)).size
        4
        """
        return len(self._first)

    @property
    def device(self) -> torch.device:
        """Where the inputs are."""
        return self._first.device

    @property
    def images(self) -> Tensor:
        """The inputs ``(B, C, H, W)``, for what changes images.

        Raises:
            UsageError: They are no such tensor.
        """
        if isinstance(self.x, Tensor) and self.x.ndim == 4:
            return self.x
        raise UsageError(f"Images (B, C, H, W) are needed here, but a batch holds {shapes(self.x)}.")

    @property
    def labels(self) -> Tensor:
        """The targets, where they are one tensor.

        Raises:
            UsageError: They are several.
        """
        if isinstance(self.y, Tensor):
            return self.y
        raise UsageError(f"Targets in one tensor are needed here, but a batch holds {shapes(self.y)}.")

    @property
    def nbytes(self) -> int:
        """Bytes of memory of all tensors."""
        return sum(tensor.nbytes for tensor in self.tensors)

    @property
    def tensors(self) -> list[Tensor]:
        """All tensors, inputs first."""
        return [t for fields in self for t in ([fields] if isinstance(fields, Tensor) else fields.values())]

    def to(self, device: torch.device | str, layout: torch.memory_format = torch.channels_last) -> Batch:
        """The batch on a device; images are laid out channels last, as processors convolve them fastest."""
        return Batch(mapped(self.x, lambda t: placed(t, device, layout=layout)), mapped(self.y, lambda t: t.to(device)))

    def pieces(self, size: int | None) -> list[Batch]:
        """The batch in pieces of ``size`` examples, the last of which may be smaller; None: in one."""
        if size is None or size >= self.size:
            return [self]
        return [self.part(slice(first, first + size)) for first in range(0, self.size, size)]

    def part(self, cut: slice) -> Batch:
        """Some of the examples."""
        return Batch(mapped(self.x, lambda t: t[cut]), mapped(self.y, lambda t: t[cut]))

    @property
    def _first(self) -> Tensor:
        return self.x if isinstance(self.x, Tensor) else next(iter(self.x.values()))


def mapped(fields: Fields, change: Callable[[Tensor], Tensor]) -> Fields:
    """Each tensor exchanged for what ``change`` makes of it."""
    if isinstance(fields, Tensor):
        return change(fields)
    return {name: change(tensor) for name, tensor in fields.items()}


def exactly(x: Fields, size: int) -> list[Fields]:
    """Inputs in pieces of exactly ``size`` examples; the last repeats its last example where it falls short.

    >>> [piece.tolist() for piece in exactly(torch.tensor([[1], [2], [3]]), 2)]
    [[[1], [2]], [[3], [3]]]
    """
    missing = -Batch(x, x).size % size
    padded = mapped(x, lambda t: torch.cat([t, t[-1:].expand(missing, *t.shape[1:])]))
    return [piece.x for piece in Batch(padded, padded).pieces(size)]


def called(module: nn.Module, x: Fields) -> Any:
    """What a module returns for inputs: one tensor is its argument, several are its arguments by name."""
    return module(x) if isinstance(x, Tensor) else module(**x)


def placed(
    tensor: Tensor,
    device: torch.device | str,
    dtype: torch.dtype | None = None,
    *,
    layout: torch.memory_format = torch.channels_last,
) -> Tensor:
    """A tensor on a device, channels last where it has four dimensions; whole numbers and truth values keep their type.

    >>> placed(torch.ones(1, 2, 3, 3), "cpu").is_contiguous(memory_format=torch.channels_last)
    True
    """
    real = tensor.is_floating_point()
    given = layout if real and tensor.ndim == 4 else torch.preserve_format
    return tensor.to(device, dtype if real and dtype is not None else tensor.dtype, memory_format=given)


def place(module: nn.Module, device: torch.device | str) -> None:
    """A module on a device, with the weights of two-dimensional convolutions as `image_layout` says."""
    module.to(device)
    layout = image_layout(module, device)
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.ndim == 4:
            tensor.data = placed(tensor.data, device, layout=layout)


def shapes(fields: Fields) -> str:
    """The tensors for people.

    >>> shapes({"input_ids": torch.zeros(2, 7, dtype=torch.int64), "age": torch.zeros(2)})
    'input_ids int64 (2, 7), age float32 (2,)'
    """
    if isinstance(fields, Tensor):
        return f"{str(fields.dtype).removeprefix('torch.')} {tuple(fields.shape)}"
    return ", ".join(f"{name} {shapes(tensor)}" for name, tensor in fields.items()) or "nothing"


def rows_of(piece: Batch, whole: Batch) -> slice:
    """Which examples of a batch a piece holds, one that `Batch.pieces` cut from it, or the batch itself."""
    rows, all_rows = piece.tensors[-1], whole.tensors[-1]
    first = (rows.storage_offset() - all_rows.storage_offset()) // max(all_rows.stride(0), 1)
    return slice(first, first + len(rows))
