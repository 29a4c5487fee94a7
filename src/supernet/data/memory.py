"""A split whose images are held in memory as one tensor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from supernet.data.augment import UNIFORMS, Augment
from supernet.data.digest import digest
from supernet.data.position import AUGMENT, Position, generator, positions
from supernet.data.split import check_batches, check_head, cuts
from supernet.data.view_augment import ViewAugment
from supernet.errors import UsageError
from supernet.nn.batch import Batch


@dataclass(frozen=True, eq=False, kw_only=True)
class MemorySplit:
    """Images in memory; a :class:`~supernet.data.Split`.

    Attributes:
        images: Images ``(N, C, H, W)``, uint8 or float32.
        labels: Class indices ``(N,)``, int64.
        mean: Mean of each channel; of uint8 images on the scale 0..1, of float32 images on their own scale.
        std: Standard deviation of each channel, on the same scale.
        augment: What ``stream`` does to the images.

    Raises:
        UsageError: Shapes or types do not fit together.
    """

    images: Tensor = field(repr=False)
    labels: Tensor = field(repr=False)
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augment: Augment

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype not in (torch.uint8, torch.float32):
            raise UsageError(
                f"images are {self.images.dtype} of shape {tuple(self.images.shape)}; "
                "a MemorySplit holds uint8 or float32 of shape (N, C, H, W)."
            )
        N, C, H, W = self.images.shape
        if self.labels.shape != (N,) or self.labels.dtype != torch.int64:
            raise UsageError(
                f"labels are {self.labels.dtype} of shape {tuple(self.labels.shape)}; "
                f"{N} images need int64 labels of shape ({N},)."
            )
        if not len(self.mean) == len(self.std) == C:
            raise UsageError(
                f"Images of {C} channels need {C} means and standard deviations; "
                f"{len(self.mean)} and {len(self.std)} were given."
            )
        if not min(self.std) > 0:
            raise UsageError(f"std={self.std} cannot be divided by; every channel needs a value above 0.")
        self.augment.check(H, W)

    def __len__(self) -> int:
        return len(self.images)

    def batches(self, batch_size: int, *, limit: int | None = None) -> Iterator[Batch]:
        """Every image once, in order; see :meth:`Split.batches`."""
        check_batches(batch_size, limit)
        return self._batches(batch_size, len(self) if limit is None else min(limit, len(self)))

    def stream(
        self,
        batch_size: int,
        *,
        seed: int,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
        augment: bool = True,
    ) -> Iterator[Batch]:
        """Endless training batches; see :meth:`Split.stream`."""
        walk = positions(len(self), batch_size, seed=seed, start=start, rank=rank, world=world)
        return self.at(walk, seed=seed, augment=self.augment if augment else None)

    def at(self, places: Iterable[Position], *, seed: int, augment: Augment | ViewAugment | None) -> Iterator[Batch]:
        """The images at given places; see :meth:`Indexed.at`."""
        return self._at(places, seed, Augment() if augment is None else augment)

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(C, H, W)`` of one image."""
        _, C, H, W = self.images.shape
        return C, H, W

    def head(self, n: int) -> MemorySplit:
        """The first ``n`` images; shares their memory."""
        check_head(n, len(self))
        return replace(self, images=self.images[:n], labels=self.labels[:n])

    def fingerprint(self) -> str:
        """Digest of every pixel, label and setting."""
        settings = f"{self.images.dtype} {tuple(self.images.shape)} {self.mean} {self.std} {self.augment}"
        return digest(self, [(settings, self.images), ("", self.labels)])

    def _batches(self, batch_size: int, end: int) -> Iterator[Batch]:
        for part in cuts(end, batch_size):
            yield Batch(self._normalise(self.images[part]), self.labels[part].clone())

    def _at(self, places: Iterable[Position], seed: int, augment: Augment | ViewAugment) -> Iterator[Batch]:
        active = augment != Augment()
        for position in places:
            indices = torch.from_numpy(position.indices)
            x, y = self.images.index_select(0, indices), self.labels.index_select(0, indices)
            if not active:
                yield Batch(self._normalise(x), y)
                continue
            # Drawn for the whole global batch, so that the ranks' shares are those of one large batch.
            drawn = generator(seed, AUGMENT, position.t).random((position.total, UNIFORMS), dtype=np.float32)
            u = torch.from_numpy(drawn[position.rows])
            yield Batch(augment.cut(self._normalise(augment.warp(x, u)), u), y)

    def _normalise(self, pixels: Tensor) -> Tensor:
        scale, shift = self._affine
        return pixels.to(torch.float32, copy=True).mul_(scale).add_(shift)

    @cached_property
    def _affine(self) -> tuple[Tensor, Tensor]:
        mean, std = (torch.tensor(v, dtype=torch.float64).view(-1, 1, 1) for v in (self.mean, self.std))
        white = 255.0 if self.images.dtype == torch.uint8 else 1.0
        return (1 / (white * std)).float(), (-mean / std).float()


def channel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of ``(N, C, H, W)``; uint8 on the scale 0..1.

    A channel that is constant gets the standard deviation 1.
    """
    white = 255.0 if images.dtype == torch.uint8 else 1.0
    chunks = torch.split(images, 1024)
    pixels = images.shape[0] * images.shape[2] * images.shape[3]
    mean = sum((c.float().sum((2, 3)).double().sum(0) for c in chunks), torch.zeros(1)) / pixels
    centre = mean.float().view(-1, 1, 1)
    spread = (((c.float() - centre) ** 2).sum((2, 3)).double().sum(0) for c in chunks)
    std = (sum(spread, torch.zeros(1)) / pixels).sqrt()
    constant = images.amin((0, 2, 3)) == images.amax((0, 2, 3))
    return (
        tuple((mean / white).tolist()),
        tuple((std / white).masked_fill(constant, 1.0).tolist()),
    )
