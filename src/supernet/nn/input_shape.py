"""What one input of a network looks like: the shape of an image, or the shapes and types of several tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn.batch import Fields


class Field(NamedTuple):
    """One tensor of an input, without the batch.

    Attributes:
        name: The argument that it is given as; empty: the only one.
        shape: Its sizes.
        dtype: Its type, by torch's name.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"


@dataclass(frozen=True)
class Inputs:
    """An input that is not one tensor of floats, such as token ids, or token ids and a mask.

    Attributes:
        fields: Its tensors.

    Raises:
        UsageError: There is none, two have one name, a size is below 1, or there is no such type.

    >>> print(Inputs((Field("input_ids", (16,), "int64"), Field("attention_mask", (16,), "int64"))))
    input_ids int64 (16,), attention_mask int64 (16,)
    """

    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        if not names or len(set(names)) < len(names):
            raise UsageError(f"The tensors of an input are named {names}; give at least one, each a name of its own.")
        for field in self.fields:
            if any(size < 1 for size in field.shape):
                raise UsageError(
                    f"The tensor {field.name!r} of an input has shape {field.shape}; sizes are at least 1."
                )
            if not isinstance(getattr(torch, field.dtype, None), torch.dtype):
                raise UsageError(
                    f"The tensor {field.name!r} of an input is of type {field.dtype!r}; torch has none such."
                )

    def __str__(self) -> str:
        return ", ".join(f"{field.name} {field.dtype} {field.shape}".lstrip() for field in self.fields)


InputShape: TypeAlias = tuple[int, ...] | Inputs
"""The shape of one input without the batch: ``(C, H, W)`` of one float tensor; or `Inputs`."""


def shape_of(x: Fields) -> InputShape:
    """The shape of one example of a batch.

    >>> shape_of(torch.zeros(2, 3, 8, 8)), print(shape_of(torch.zeros(2, 16, dtype=torch.int64)))
    int64 (16,)
    ((3, 8, 8), None)
    """
    if isinstance(x, Tensor) and x.dtype == torch.float32:
        return tuple(x.shape[1:])
    named = {"": x} if isinstance(x, Tensor) else x
    return Inputs(tuple(Field(n, tuple(t.shape[1:]), str(t.dtype).removeprefix("torch.")) for n, t in named.items()))


def example(shape: InputShape, batch: int, generator: torch.Generator | None = None) -> Fields:
    """Inputs of this shape: zeros, or normal numbers where there is a generator; whole numbers and truth values are 1.

    >>> example((3, 8, 8), 2).shape
    torch.Size([2, 3, 8, 8])
    """
    if not isinstance(shape, Inputs):
        return _filled(shape, torch.float32, batch, generator)
    made = {field.name: _filled(field.shape, getattr(torch, field.dtype), batch, generator) for field in shape.fields}
    return made[""] if set(made) == {""} else made


def _filled(shape: tuple[int, ...], dtype: torch.dtype, batch: int, generator: torch.Generator | None) -> Tensor:
    if not dtype.is_floating_point:
        return torch.ones(batch, *shape, dtype=dtype)  # a mask that hides nothing, a token that every vocabulary has
    if generator is None:
        return torch.zeros(batch, *shape, dtype=dtype)
    return torch.randn(batch, *shape, generator=generator).to(dtype)


def checked(shape: object) -> InputShape:
    """A shape as it is given by a user.

    Raises:
        UsageError: It is none.
    """
    if isinstance(shape, Inputs):
        return shape
    sizes = tuple(shape) if isinstance(shape, tuple | list | torch.Size) else ()
    if not sizes or any(not isinstance(size, int) or size < 1 for size in sizes):
        raise UsageError(
            f"input_shape={shape} is not the shape of an input; give its sizes without the batch, such as (C, H, W) "
            "of images or (F,) of features, all 1 or more, or nn.Inputs for what is not one tensor of floats."
        )
    return sizes


def shape_to_json(shape: InputShape) -> Any:
    """A list of sizes, or a table of fields."""
    if isinstance(shape, Inputs):
        return {field.name: {"shape": list(field.shape), "dtype": field.dtype} for field in shape.fields}
    return list(shape)
