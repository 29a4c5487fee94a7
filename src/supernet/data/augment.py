"""Random augmentation of small images, as tensor operations on the whole batch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from supernet.data.photographs import check_changes, colour_changes, one_by_one, shown
from supernet.errors import UsageError

UNIFORMS = 8  # uniform numbers per image: crop y, x; flip; angle; shift y, x; cutout y, x


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Which random changes a training image goes through; the default is none.

    Attributes:
        crop_padding: Pad by this many pixels on each side, then crop back at a random place.
        padding: What lies outside the image, for crop, shift and rotation: black (`"zero"`), or the image mirrored at
            its border (`"reflect"`). Black borders, the custom for CIFAR, change the statistics of a batch, so that
            a network that normalises by them (`statistics="batch"`) meets other ones at validation.
        flip: Mirror left and right, every other time.
        shift: Move by up to this many pixels (fractions too) on each axis, with bilinear interpolation.
        rotate_degrees: Turn by up to this angle either way.
        cutout: Side of a square, centred anywhere in the image, that is set to the mean colour
            (DeVries & Taylor 2017).
        colour_jitter: Change brightness, contrast and saturation by up to this share.
        rand_augment: Number of operations on each image, and their magnitude of 30, such as (2, 9) (Cubuk et al. 2020,
            as torchvision has it); None: none. One image after another, which takes longer than all else here.

    Raises:
        UsageError: A value is negative, or out of its range.
    """

    crop_padding: int = 0
    padding: Literal["zero", "reflect"] = "zero"
    flip: bool = False
    shift: float = 0.0
    rotate_degrees: float = 0.0
    cutout: int = 0
    colour_jitter: float = 0.0
    rand_augment: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name in ("crop_padding", "shift", "rotate_degrees", "cutout"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise UsageError(f"Augment({name}={value}) is not allowed; give 0 (off) or more.")
        if self.padding not in ("zero", "reflect"):
            raise UsageError(f"Augment(padding={self.padding!r}) is unknown; use 'zero' or 'reflect'.")
        check_changes("Augment", colour_jitter=self.colour_jitter, rand_augment=self.rand_augment)

    def __repr__(self) -> str:
        return shown(self, where_set=("colour_jitter", "rand_augment"))

    def check(self, height: int, width: int) -> None:
        """Refuse an augmentation that could leave nothing of a ``height`` x ``width`` image.

        Raises:
            UsageError: Padding, shift or cutout is as large as the image.
        """
        side = min(height, width)
        for name in ("crop_padding", "shift", "cutout"):
            if getattr(self, name) >= side:
                raise UsageError(
                    f"Augment({name}={getattr(self, name)}) could wipe out a {height}x{width} image; "
                    f"use less than {side}."
                )

    def warp(self, images: Tensor, u: Tensor) -> Tensor:
        """Crop, flip, rotate and shift; then change colours.

        Args:
            images: ``(B, C, H, W)`` pixels, uint8 or float32.
            u: ``(B, 8)`` uniform numbers in [0, 1) that decide everything.

        Returns:
            ``(B, C, H, W)`` pixels on the same scale; float32 where interpolation was needed.
        """
        if self.crop_padding or self.flip:
            images = self._crop_and_flip(images, u)
        if self.shift or self.rotate_degrees:
            whole = images.dtype == torch.uint8
            images = self._rotate_and_shift(images.float(), u)
            if whole and self._colours:
                images = images.round_().clamp_(0, 255).to(torch.uint8)
        if self._colours:
            images = one_by_one(images, u, self._colours)
        return images

    @cached_property
    def _colours(self) -> Any:
        steps = colour_changes(colour_jitter=self.colour_jitter, rand_augment=self.rand_augment)
        if not steps:
            return None
        from torchvision.transforms import v2

        return v2.Compose(steps)

    def cut(self, x: Tensor, u: Tensor) -> Tensor:
        """Set the cutout square of each normalised image ``(B, C, H, W)`` to 0, in place."""
        if not self.cutout:
            return x
        hidden = [
            _between((u[:, column] * side).floor() - self.cutout // 2, self.cutout, side)
            for column, side in zip((6, 7), x.shape[2:], strict=True)
        ]
        return x.masked_fill_((hidden[0][:, :, None] & hidden[1][:, None, :])[:, None], 0.0)

    def _crop_and_flip(self, images: Tensor, u: Tensor) -> Tensor:
        """Both at once, as one gather: where each pixel of the result comes from."""
        B, C, H, W = images.shape
        offset = (u[:, :2] * (2 * self.crop_padding + 1)).long() - self.crop_padding
        rows = offset[:, :1] + torch.arange(H)
        columns = torch.arange(W).expand(B, W)
        if self.flip:
            columns = torch.where(u[:, 2:3] < 0.5, columns.flip(1), columns)
        columns = columns + offset[:, 1:]
        planes = images.flatten(2)
        if self.padding == "reflect":
            rows, columns = _reflect(rows, H) * W, _reflect(columns, W)
        else:  # one blank pixel behind each plane stands for everything outside the image
            blank = H * W
            planes = F.pad(planes, (0, 1))
            rows = torch.where((rows < 0) | (rows >= H), blank, rows * W)
            columns = torch.where((columns < 0) | (columns >= W), blank, columns)
        source = (rows[:, :, None] + columns[:, None, :]).clamp_(max=H * W)
        return planes.gather(2, source.view(B, 1, -1).expand(B, C, -1)).view(B, C, H, W)

    def _rotate_and_shift(self, images: Tensor, u: Tensor) -> Tensor:
        _, _, H, W = images.shape
        signed = 2 * u[:, 3:6] - 1
        angle = signed[:, 0] * math.radians(self.rotate_degrees)
        down, right = (signed[:, 1:] * (2 * self.shift)).unbind(1)
        cos, sin = angle.cos(), angle.sin()
        # grid_sample measures each axis in half-images, so the rotation carries the aspect ratio.
        theta = torch.stack([cos, -sin * (H / W), -right / W, sin * (W / H), cos, -down / H], dim=1)
        grid = F.affine_grid(theta.view(-1, 2, 3), list(images.shape), align_corners=False)
        outside = "zeros" if self.padding == "zero" else "reflection"
        return F.grid_sample(images, grid, padding_mode=outside, align_corners=False)


def _between(first: Tensor, count: int, side: int) -> Tensor:
    """``(B,)`` starts -> ``(B, side)``: which places lie in the ``count`` from each start on."""
    place = torch.arange(side) - first[:, None]
    return (place >= 0) & (place < count)


def _reflect(index: Tensor, side: int) -> Tensor:
    """Mirror indices that lie outside ``[0, side)``, without repeating the border."""
    return (side - 1) - ((side - 1) - index.abs()).abs()


def default_augment(channels: int, height: int, width: int) -> Augment:
    """The usual augmentation of small photographs: crop with an eighth of the side as padding, and flip.

    Photographs are padded by reflection, grey images with black: they are often characters, and not flipped either.

    >>> default_augment(3, 32, 32)
    Augment(crop_padding=4, padding='reflect', flip=True, shift=0.0, rotate_degrees=0.0, cutout=0)
    """
    photographs = channels >= 3
    padding: Literal["zero", "reflect"] = "reflect" if photographs else "zero"
    return Augment(crop_padding=min(height, width) // 8, padding=padding, flip=photographs)
