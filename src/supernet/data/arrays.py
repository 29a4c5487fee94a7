"""A data set from arrays: the way into the package for images of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from supernet.data.augment import Augment, default_augment
from supernet.data.image_data import ImageData
from supernet.data.memory import MemorySplit, channel_statistics
from supernet.data.position import SPLIT, generator
from supernet.data.stratify import hold_out, interleave
from supernet.errors import UsageError

Layout = Literal["NHWC", "NCHW"]
Array = npt.NDArray[Any]

_NAMES = ("images", "labels", "test images", "test labels", "validation images", "validation labels")
_LARGEST_PIXEL = 1e6


def from_arrays(
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    name: str,
    test: float | tuple[npt.ArrayLike, npt.ArrayLike] = 0.2,
    validation: float | tuple[npt.ArrayLike, npt.ArrayLike] = 0.2,
    seed: int = 0,
    classes: Sequence[str] | None = None,
    layout: Layout | None = None,
    downscale: int = 1,
    augment: Augment | None = None,
    array_names: tuple[str, str, str, str, str, str] = _NAMES,
) -> ImageData:
    """Build a data set from images in memory.

    Args:
        images: uint8 or float, ``(N, H, W)``, ``(N, H, W, C)`` or ``(N, C, H, W)``.
        labels: ``(N,)`` whole numbers from 0.
        name: Name of the data set in logs and reports.
        test: Test images and labels of their own, or how much of ``images`` to hold out for testing:
            a fraction in (0, 1) or a number of images.
        validation: Validation images and labels of their own, or how much of the images that are not test images to
            hold out for validation.
        seed: The seed that decides which images are held out.
        classes: Class names; by default the labels themselves.
        layout: Where the channels of four-dimensional images are; by default the axis of 4 or less.
        downscale: Factor by which both sides shrink, by average pooling; 1: none.
        augment: Random changes of training images; None: those of `default_augment`.
        array_names: What messages call the arrays: images and labels, those for testing, those for validation.

    Returns:
        Stratified splits, normalised with the statistics of the training images.

    Raises:
        UsageError: The arrays are not such images and labels, or a split cannot be drawn from them.

    >>> images = np.random.default_rng(0).integers(0, 256, (100, 8, 8), dtype=np.uint8)
    >>> print(from_arrays(images, np.arange(100) % 4, name="noise", validation=0.5))
    noise: 40 train, 40 validation, 20 test images of 1x8x8, 4 classes
    """
    x, y = _pair(images, labels, array_names[:2])
    names = _class_names(y, classes, array_names[1])
    axis = _channel_axis(x, layout, array_names[0])
    rng = generator(seed, SPLIT)
    if isinstance(test, tuple):
        x_test, y_test = _pair(*test, array_names[2:])
        _check_same_kind(x, y_test, x_test, len(names), array_names[:4])
        kept, out = np.arange(len(y)), interleave(y_test, rng)
    else:
        x_test, y_test = x, y
        kept, out = hold_out(y, test, rng=rng, classes=names, option="test")
    if isinstance(validation, tuple):
        x_held, y_held = _pair(*validation, array_names[4:])
        _check_same_kind(x, y_held, x_held, len(names), array_names[:2] + array_names[4:])
        train, held = kept[interleave(y[kept], rng)], interleave(y_held, rng)
    else:
        x_held, y_held = x, y
        train, held = (kept[i] for i in hold_out(y[kept], validation, rng=rng, classes=names, option="validation"))

    tensors = [
        _downscale(_nchw(source[rows], axis), downscale) for source, rows in ((x, train), (x_held, held), (x_test, out))
    ]
    targets = [torch.from_numpy(values[rows]) for values, rows in ((y, train), (y_held, held), (y_test, out))]
    _, C, H, W = tensors[0].shape
    mean, std = channel_statistics(tensors[0])
    splits = [
        MemorySplit(
            images=pixels,
            labels=target,
            mean=mean,
            std=std,
            augment=default_augment(C, H, W) if augment is None else augment,
        )
        for pixels, target in zip(tensors, targets, strict=True)
    ]
    return ImageData(
        name=name,
        train=splits[0],
        validation=splits[1],
        held_out=splits[2],
        classes=names,
        shape=(C, H, W),
        mean=mean,
        std=std,
    )


def _pair(images: npt.ArrayLike, labels: npt.ArrayLike, names: tuple[str, ...]) -> tuple[Array, Array]:
    """Images as uint8 or float32 of rank 3 or 4, and as many int64 labels."""
    x, y = np.asarray(images), np.asarray(labels)
    if x.dtype != np.uint8 and not np.issubdtype(x.dtype, np.floating):
        raise UsageError(f"{names[0]} has dtype {x.dtype}; store images as uint8 (0 to 255) or as floats.")
    if x.ndim not in (3, 4) or 0 in x.shape:
        raise UsageError(f"{names[0]} has shape {x.shape}; images have shape (N, H, W), (N, H, W, C) or (N, C, H, W).")
    if x.dtype != np.uint8:
        x = x.astype(np.float32)
        if not np.isfinite(x).all():
            bad = int(np.count_nonzero(~np.isfinite(x).reshape(len(x), -1).all(axis=1)))
            raise UsageError(f"{names[0]} has NaN or infinite pixels in {bad} of {len(x)} images; remove them.")
        if (largest := float(np.abs(x).max())) > _LARGEST_PIXEL:
            raise UsageError(
                f"{names[0]} has a pixel of {largest:.3g}, beside which the others vanish in float32; pixels lie "
                f"within ±{_LARGEST_PIXEL:,.0f}. Remove the outlier, or scale the images, such as to 0..1."
            )
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if not np.issubdtype(y.dtype, np.integer):
        raise UsageError(f"{names[1]} has dtype {y.dtype}; labels are whole numbers from 0, one per image.")
    if y.ndim != 1 or len(y) != len(x):
        raise UsageError(
            f"{names[1]} has shape {y.shape}, but {names[0]} has {len(x)} images; give one label per image."
        )
    if y.min() < 0:
        raise UsageError(f"{names[1]} has the negative label {y.min()}; labels count from 0.")
    if y.max() > np.iinfo(np.int64).max:
        raise UsageError(f"{names[1]} has the label {y.max()}; labels count the classes from 0 and are small.")
    return x, y.astype(np.int64)


def _class_names(y: Array, classes: Sequence[str] | None, name: str) -> tuple[str, ...]:
    present = np.unique(y)
    if classes is not None and present[-1] >= len(classes):
        raise UsageError(
            f"{name} has the label {present[-1]}, out of range for {len(classes)} class names; "
            f"labels go from 0 to {len(classes) - 1}."
        )
    if len(present) == 1:
        raise UsageError(f"{name} has one class only ({present[0]}); give images of two or more classes.")
    number = int(present[-1]) + 1 if classes is None else len(classes)
    if len(present) < number:
        absent = int(np.flatnonzero(np.append(present, number) != np.arange(len(present) + 1))[0])
        raise UsageError(
            f"{name} has no image of class {absent}, though labels go up to {number - 1}; "
            f"number the {len(present)} classes that occur from 0 to {len(present) - 1}."
        )
    return tuple(str(c) for c in (range(number) if classes is None else classes))


def _channel_axis(x: Array, layout: Layout | None, name: str) -> int | None:
    if x.ndim == 3:
        return None
    if layout is None:
        first, last = x.shape[1] <= 4, x.shape[3] <= 4
        if first == last:
            raise UsageError(
                f"Which axis of {name}, shape {x.shape}, holds the channels? "
                "Say layout='NHWC' (last) or layout='NCHW' (second)."
            )
        layout = "NCHW" if first else "NHWC"
    if layout not in ("NHWC", "NCHW"):
        raise UsageError(f"layout={layout!r} is unknown; use 'NHWC' or 'NCHW'.")
    return 3 if layout == "NHWC" else 1


def _check_same_kind(x: Array, y_test: Array, x_test: Array, classes: int, names: tuple[str, ...]) -> None:
    if x_test.dtype != x.dtype or x_test.shape[1:] != x.shape[1:]:
        raise UsageError(
            f"{names[2]} has {x_test.dtype} images of shape {x_test.shape[1:]}, but {names[0]} has {x.dtype} "
            f"images of shape {x.shape[1:]}; store both alike."
        )
    if y_test.max() >= classes:
        raise UsageError(
            f"{names[3]} has the label {y_test.max()}, out of range for the {classes} classes of {names[1]}."
        )


def _nchw(x: Array, axis: int | None) -> Tensor:
    x = np.expand_dims(x, 1) if axis is None else np.moveaxis(x, axis, 1)
    return torch.from_numpy(np.ascontiguousarray(x))


def _downscale(images: Tensor, factor: int) -> Tensor:
    """Average pooling ``(N, C, H, W) -> (N, C, H / factor, W / factor)``; uint8 is rounded to uint8."""
    H, W = images.shape[2:]
    if factor < 1 or H % factor or W % factor:
        raise UsageError(
            f"downscale={factor} does not divide images of {H}x{W}; "
            f"use one of {[f for f in range(1, min(H, W) + 1) if H % f == 0 and W % f == 0]}."
        )
    if factor == 1:
        return images
    pooled = [F.avg_pool2d(chunk.float(), factor) for chunk in torch.split(images, 1024)]
    if images.dtype == torch.uint8:
        pooled = [p.round_().to(torch.uint8) for p in pooled]
    return torch.cat(pooled)
