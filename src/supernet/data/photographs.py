"""Random changes of the colours of single images by torchvision: jitter and RandAugment."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from supernet.errors import UsageError, require

_MOST_OPERATIONS, _MOST_MAGNITUDE = 14, 30


def check_changes(name: str, *, colour_jitter: float, rand_augment: tuple[int, int] | None) -> None:
    """Refuse values outside their ranges.

    Raises:
        UsageError: One is; names the class of the augmentation that has it.
    """
    if not 0 <= colour_jitter <= 1:
        raise UsageError(f"{name}(colour_jitter={colour_jitter}) is out of range; give 0 to 1.")
    if rand_augment is not None:
        pair = tuple(rand_augment)
        most = (_MOST_OPERATIONS, _MOST_MAGNITUDE)
        if len(pair) != 2 or not all(isinstance(n, int) and 0 <= n <= top for n, top in zip(pair, most, strict=True)):
            raise UsageError(
                f"{name}(rand_augment={rand_augment}) is not understood; give the number of operations (up to "
                f"{_MOST_OPERATIONS}) and their magnitude (up to {_MOST_MAGNITUDE}), such as (2, 9)."
            )


def colour_changes(*, colour_jitter: float, rand_augment: tuple[int, int] | None) -> list[Any]:
    """Transforms of pixels: an image of PIL, or a tensor (C, H, W), uint8 or float32 in [0, 1]."""
    if not colour_jitter and rand_augment is None:
        return []
    require("torchvision", "vision", "Changing colours")
    from torchvision.transforms import v2

    steps: list[Any] = []
    if rand_augment is not None:
        steps.append(v2.RandAugment(num_ops=rand_augment[0], magnitude=rand_augment[1]))
    if colour_jitter:
        steps.append(v2.ColorJitter(brightness=colour_jitter, contrast=colour_jitter, saturation=colour_jitter))
    return steps


def shown(value: Any, *, where_set: Sequence[str]) -> str:
    """The representation of a dataclass, in which some fields stand only where they are not the default.

    Data are recognised by the representation of their augmentation, so that what is added must not change what was.
    """
    told = [
        f"{field.name}={getattr(value, field.name)!r}"
        for field in fields(value)
        if field.name not in where_set or getattr(value, field.name) != field.default
    ]
    return f"{type(value).__name__}({', '.join(told)})"


def one_by_one(images: Tensor, u: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Each image (B, C, H, W) changed by draws that depend on its row of uniform numbers (B, n) alone."""
    changed = []
    with torch.random.fork_rng(devices=[]):
        for image, row in zip(images, u, strict=True):
            torch.default_generator.manual_seed(zlib.crc32(row.contiguous().numpy().tobytes()))
            changed.append(change(image))
    return torch.stack(changed)
