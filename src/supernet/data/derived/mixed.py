"""Training images that are mixed with others, or partly erased: mixup, CutMix, random erasing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import tee
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from supernet.data.data import Kind
from supernet.data.indexed import Indexed, OfOneSplit, indexed
from supernet.data.position import MIXING, Indices, Position, generator
from supernet.errors import UsageError
from supernet.nn.batch import Batch

_ELSEWHERE = 2**40  # partners are augmented as if they stood at another position of the stream


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """Data whose training images are mixed with others of the training images, and partly erased.

    Mixup ([arXiv 1710.09412](https://arxiv.org/abs/1710.09412)) adds them, λ x + (1 − λ) x', CutMix
    ([arXiv 1905.04899](https://arxiv.org/abs/1905.04899)) puts a box of x' into x that covers a share of 1 − λ; labels
    become probabilities λ y + (1 − λ) y'. Random erasing ([arXiv 1708.04896](https://arxiv.org/abs/1708.04896)) fills a
    box with normal noise. Each image draws its own partner, from all training images, and its own λ of
    Beta(α, α), so that the processes of a training share one batch. What evaluates sees plain images and labels.

    Args:
        mixup: α of mixup; 0: none.
        cutmix: α of CutMix; 0: none.
        switch: Probability of CutMix, where both are given.
        probability: Probability that an image is mixed at all.
        erase: Probability that a part of an image is erased.

    Raises:
        UsageError: A value is out of range, or nothing is asked for.

    >>> from supernet.data import digits
    >>> data = Mixed(mixup=0.8, cutmix=1.0)(digits())
    >>> x, y = next(data.train.stream(4, seed=0))
    >>> tuple(y.shape), y.sum(1).tolist()
    ((4, 10), [1.0, 1.0, 1.0, 1.0])
    """

    mixup: float = 0.0
    cutmix: float = 0.0
    switch: float = 0.5
    probability: float = 1.0
    erase: float = 0.0

    def __post_init__(self) -> None:
        for name in ("mixup", "cutmix"):
            if not 0 <= getattr(self, name) < np.inf:
                raise UsageError(f"{name}={getattr(self, name)} is no α of a Beta distribution; give 0 or more.")
        for name in ("switch", "probability", "erase"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name}={getattr(self, name)} is no probability; give 0 to 1.")
        if not (self.mixup or self.cutmix or self.erase):
            raise UsageError("Mixed() changes nothing; give mixup=, cutmix= or erase=, or leave it out.")

    def __call__(self, data: Kind) -> Kind:
        """The data with such training images.

        Raises:
            UsageError: There are no classes, or the images cannot be asked for by number.
        """
        if data.num_classes < 2:
            raise UsageError(f"{data.name} has no classes, whose labels could be mixed.")
        return replace(data, train=MixedSplit(indexed(data.train, "Mixed"), self, data.num_classes))

    def alone(self) -> Mixed:
        """The same: an architecture that is trained alone sees the same images."""
        return self


@dataclass(frozen=True, eq=False)
class MixedSplit(OfOneSplit):
    """The images of a split, mixed in training; a :class:`~supernet.data.Split`.

    Attributes:
        split: The split that the images come from.
        how: How they are mixed.
        num_classes: K, number of classes.
    """

    split: Indexed
    how: Mixed
    num_classes: int

    def at(self, places: Iterable[Position], *, seed: int, augment: Any) -> Iterator[Batch]:
        """The images at given places; see :meth:`Indexed.at`."""
        if augment is None:
            return self.split.at(places, seed=seed, augment=None)
        ahead, partners, here = tee(places, 3)
        drawn = (_Draws.of(place, seed, self.how, len(self)) for place in here)
        others = (_elsewhere(place, _Draws.of(place, seed, self.how, len(self)).partners) for place in partners)
        images = self.split.at(ahead, seed=seed, augment=augment)
        mates = self.split.at(others, seed=seed, augment=augment)
        return (self._mixed(*three) for three in zip(images, mates, drawn, strict=True))

    def head(self, n: int) -> MixedSplit:
        """The first ``n`` images, mixed among themselves."""
        return replace(self, split=self.split.head(n))

    def fingerprint(self) -> str:
        """Digest of the split and of how it is mixed."""
        return hashlib.sha256(f"{self.how} {self.num_classes} {self.split.fingerprint()}".encode()).hexdigest()

    def _mixed(self, batch: Batch, mates: Batch, draws: _Draws) -> Batch:
        x, other = batch.images, mates.images
        y, theirs = (F.one_hot(b.labels, self.num_classes).float() for b in (batch, mates))
        share = torch.from_numpy(draws.share)[:, None, None, None]
        boxes, kept = _boxes(draws.centre, np.sqrt(1 - draws.share), x.shape[2:])
        pasted = torch.where(boxes, other, x)
        is_box = torch.from_numpy(draws.is_box)
        weight = torch.where(is_box, kept, share.flatten())[:, None]  # a box at the border covers less than was drawn
        mixed = torch.where(is_box[:, None, None, None], pasted, share * x + (1 - share) * other)
        if self.how.erase:
            erased, _ = _boxes(draws.hole, np.sqrt(draws.area), x.shape[2:])
            noise = torch.from_numpy(
                np.stack([np.random.default_rng(s).standard_normal(x.shape[1:]) for s in draws.noise])
            )
            hit = torch.from_numpy(draws.erases)[:, None, None, None]
            mixed = torch.where(hit & erased, noise.float(), mixed)
        return Batch(mixed, weight * y + (1 - weight) * theirs)


@dataclass(frozen=True)
class _Draws:
    """What is random about the images of a rank, each ``(B,)`` or ``(B, 2)``; drawn for the whole global batch."""

    partners: Indices
    share: NDArray[np.float32]
    is_box: NDArray[np.bool_]
    centre: NDArray[np.float64]
    erases: NDArray[np.bool_]
    hole: NDArray[np.float64]
    area: NDArray[np.float64]
    noise: NDArray[np.int64]

    @classmethod
    def of(cls, place: Position, seed: int, how: Mixed, length: int) -> _Draws:
        rng, n = generator(seed, MIXING, place.t), place.total
        partners = rng.integers(0, length, n)
        both = bool(how.mixup and how.cutmix)
        is_box = rng.random(n) < (how.switch if both else float(bool(how.cutmix)))
        shares = [rng.beta(alpha, alpha, n) if alpha else np.ones(n) for alpha in (how.mixup, how.cutmix)]
        share = np.where(is_box, shares[1], shares[0])
        share = np.where(rng.random(n) < how.probability, share, 1.0).astype(np.float32)
        centre, erases, hole = rng.random((n, 2)), rng.random(n) < how.erase, rng.random((n, 2))
        area, noise = rng.uniform(0.02, 1 / 3, n), rng.integers(0, 2**62, n)
        r = place.rows
        return cls(partners[r], share[r], is_box[r], centre[r], erases[r], hole[r], area[r], noise[r])


def _elsewhere(place: Position, partners: Indices) -> Position:
    return place._replace(t=place.t + _ELSEWHERE, indices=partners, keys=partners)


def _boxes(centres: NDArray[np.float64], sides: NDArray[Any], size: Iterable[int]) -> tuple[Tensor, Tensor]:
    """Boxes (B, 1, H, W), cut at the borders, with sides as shares of the image's; and the share (B,) outside each."""
    height, width = size
    inside = []
    for axis, length in enumerate((height, width)):
        half = np.round(sides * length) / 2
        middle, at = centres[:, axis] * length, np.arange(length) + 0.5
        inside.append(torch.from_numpy(np.abs(at[None] - middle[:, None]) < half[:, None]))
    boxes = (inside[0][:, None, :, None]) & (inside[1][:, None, None, :])
    return boxes, 1 - boxes.float().mean((1, 2, 3))
