"""Images brought to the size and number of channels that a network was trained with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from supernet.data import Batch, Data, ImageData, Split
from supernet.data.indexed import indexed, labels_of
from supernet.data.position import Indices, Position
from supernet.errors import UsageError


def resized(data: Data, shape: tuple[int, int, int]) -> ImageData:
    """The same data with images of another shape (C, H, W).

    Sizes change by bilinear interpolation, with antialiasing where they shrink, after augmentation and
    normalisation. A grey image is repeated for every channel; colours are averaged to grey.

    Raises:
        UsageError: neither of the two numbers of channels is 1, or the data are no labelled images.
    """
    if not isinstance(data, ImageData):
        raise UsageError(f"Images can be resized; {data.name} holds {data.shape}.")
    if data.shape == shape:
        return data
    found, wanted = data.shape[0], shape[0]
    if found != wanted and 1 not in (found, wanted):
        raise UsageError(
            f"The images of {data.name} have {found} channels, and the network was trained with {wanted}. Grey images "
            "can be repeated and colours averaged to grey; for anything else learn the adaptation (adapt='learned')."
        )
    train, validation, held_out = (ResizedSplit(split, shape) for split in (data.train, data.validation, data.held_out))
    more = {name: ResizedSplit(split, shape) for name, split in data.more.items()}
    mean, std = (_per_channel(values, wanted) for values in (data.mean, data.std))
    return replace(
        data, train=train, validation=validation, held_out=held_out, shape=shape, mean=mean, std=std, more=more
    )


@dataclass(frozen=True)
class ResizedSplit:
    """A split whose batches are resized as they come; a `supernet.data.Split`.

    Attributes:
        split: The split that the images come from.
        shape: (C, H, W) of the images that go out.
    """

    split: Split
    shape: tuple[int, int, int]

    def __len__(self) -> int:
        return len(self.split)

    def batches(self, batch_size: int, *, limit: int | None = None) -> Iterator[Batch]:
        """Every image once, in order; see `Split.batches`."""
        return (self._resized(batch) for batch in self.split.batches(batch_size, limit=limit))

    def stream(
        self, batch_size: int, *, seed: int, start: int = 0, rank: int = 0, world: int = 1, augment: bool = True
    ) -> Iterator[Batch]:
        """Endless training batches; see `Split.stream`."""
        stream = self.split.stream(batch_size, seed=seed, start=start, rank=rank, world=world, augment=augment)
        return (self._resized(batch) for batch in stream)

    @property
    def labels(self) -> Indices:
        """Class indices (N,)."""
        return labels_of(indexed(self.split, "ResizedSplit"))

    @property
    def augment(self) -> Any:
        """Those of the split, before resizing."""
        return indexed(self.split, "ResizedSplit").augment

    def at(self, places: Iterable[Position], *, seed: int, augment: Any) -> Iterator[Batch]:
        """The images at given places; see `Indexed.at`."""
        images = indexed(self.split, "ResizedSplit").at(places, seed=seed, augment=augment)
        return (self._resized(batch) for batch in images)

    def head(self, n: int) -> ResizedSplit:
        """The first `n` images."""
        return ResizedSplit(self.split.head(n), self.shape)

    def fingerprint(self) -> str:
        """Digest of the split and the shape."""
        return hashlib.sha256(f"{self.split.fingerprint()} {self.shape}".encode()).hexdigest()

    def _resized(self, batch: Batch) -> Batch:
        return Batch(_resize(batch.images, self.shape), batch.y)


def _resize(x: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """(B, C, H, W) to the given (C', H', W'); fewer channels first, so that less is interpolated."""
    channels, height, width = shape
    if channels < x.shape[1]:
        x = x.mean(1, keepdim=True)
    if (height, width) != tuple(x.shape[2:]):
        x = F.interpolate(x, size=(height, width), mode="bilinear", antialias=True)
    return x.repeat(1, channels // x.shape[1], 1, 1) if channels > x.shape[1] else x


def _per_channel(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    return values if len(values) == channels else (sum(values) / len(values),) * channels
