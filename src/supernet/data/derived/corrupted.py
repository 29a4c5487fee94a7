"""Data whose images are corrupted: those that are trained on, chosen by, or tested on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import tee
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from supernet.data.corruption import Corruption
from supernet.data.data import Kind
from supernet.data.folder import FolderSplit
from supernet.data.indexed import Indexed, OfOneSplit, indexed
from supernet.data.memory import MemorySplit
from supernet.data.position import Position
from supernet.data.split import Split
from supernet.errors import UsageError
from supernet.nn.batch import Batch

_AT_ONCE = 1024  # images


@dataclass(frozen=True, eq=False)
class CorruptedFiles(OfOneSplit):
    """Image files that are corrupted as they are decoded; a :class:`~supernet.data.Split`.

    An image is corrupted as the network is given it: after its crop, its flip and its change of size. The noise of an
    image is the same in every epoch.

    Attributes:
        split: The image files; they may be corrupted already.
        corruption: What is done to them.

    >>> CorruptedFiles.__mro__[1].__name__
    'OfOneSplit'
    """

    split: FolderSplit | CorruptedFiles
    corruption: Corruption

    @property
    def mean(self) -> tuple[float, ...]:
        """Mean of each channel of clean images, on the scale 0..1."""
        return self.split.mean

    @property
    def std(self) -> tuple[float, ...]:
        """Standard deviation of each channel, on the same scale."""
        return self.split.std

    def at(self, places: Iterable[Position], *, seed: int, augment: Any) -> Iterator[Batch]:
        """The images at given places; see :meth:`Indexed.at`."""
        ahead, here = tee(places)  # workers that decode files read places before their batches are asked for
        images = self.split.at(ahead, seed=seed, augment=augment)
        for batch, place in zip(images, here, strict=True):
            mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (self.mean, self.std))
            pixels = self.corruption.of((batch.images * std + mean).numpy(), place.indices)
            yield Batch((torch.from_numpy(pixels) - mean) / std, batch.y)

    def head(self, n: int) -> CorruptedFiles:
        """The first ``n`` files."""
        return replace(self, split=self.split.head(n))

    def fingerprint(self) -> str:
        """Digest of the files and of what is done to them."""
        return hashlib.sha256(f"{self.corruption!r} of {self.split.fingerprint()}".encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Corrupted:
    """Data with corrupted images. Labels stay as they are, and so does each split that is given no corruption.

    Images in memory are corrupted as they are stored, once, before any augmentation. All are normalised by the
    statistics of the clean ones. Further splits, such as those of domains, stay clean.

    Args:
        train: What is done to the images that weights are trained on; None: nothing.
        validation: To those that architectures are compared by; None: nothing.
        test: To those that results are reported on; None: nothing.

    Raises:
        UsageError: Nothing is asked for; where it is called, the split is not of images of this package, in memory or
            in a folder, or images in memory are not on the scale 0..1.

    >>> from supernet.data import digits
    >>> print(Corrupted(test=Corruption(kind="gaussian_noise", severity=5))(digits()))
    digits, gaussian_noise 5 (test): 1150 train, 288 validation, 359 test images of 1x8x8, 10 classes
    """

    train: Corruption | None = None
    validation: Corruption | None = None
    test: Corruption | None = None

    def __post_init__(self) -> None:
        if self.train is None and self.validation is None and self.test is None:
            raise UsageError("Corrupted() asks for nothing; give train, validation or test a corruption.")

    def __call__(self, data: Kind) -> Kind:
        """The data with these images."""
        changed: dict[str, Any] = {}
        told = []
        for name, held in (("train", "train"), ("validation", "validation"), ("test", "held_out")):
            corruption: Corruption | None = getattr(self, name)
            if corruption is None:
                continue
            split: Split | None = getattr(data, held)
            if split is None:
                raise UsageError(f"{data.name} has no {name} images that could be corrupted; leave this out.")
            changed[held] = _corrupted(indexed(split, "Corrupted"), corruption, f"The {name} images of {data.name}")
            told.append(f"{corruption} ({name})")
        return replace(data, name=f"{data.name}, {', '.join(told)}", **changed)


def _corrupted(split: Indexed, corruption: Corruption, what: str) -> Indexed:
    """A split whose images are corrupted where they are held."""
    if isinstance(split, MemorySplit):
        return replace(split, images=_pixels(split, corruption, what))
    if isinstance(split, FolderSplit | CorruptedFiles):
        return CorruptedFiles(split, corruption)
    if is_dataclass(type(split)):
        held = {field.name: getattr(split, field.name) for field in fields(cast(Any, split))}
        inner = {name: value for name, value in held.items() if hasattr(value, "stream")}
        if inner:
            made = {name: _corrupted(value, corruption, what) for name, value in inner.items()}
            found: Indexed = replace(cast(Any, split), **made)
            return found
    raise UsageError(
        f"{what} ({type(split).__name__}) cannot be corrupted: what their numbers mean as pixels is not known. Take "
        "images in memory, as from_arrays makes them, or a folder of images."
    )


def _pixels(split: MemorySplit, corruption: Corruption, what: str) -> Tensor:
    images = split.images
    white = 255.0 if images.dtype == torch.uint8 else 1.0
    if images.dtype == torch.float32 and len(images) and not 0 <= images.min() <= images.max() <= 1:
        raise UsageError(
            f"{what} go from {images.min():g} to {images.max():g}, and corruptions are of pixels from 0 to 1. Bring "
            "them to this scale, or give uint8."
        )
    parts = []
    for start in range(0, len(images), _AT_ONCE):
        some = images[start : start + _AT_ONCE]
        numbers = np.arange(start, start + len(some))
        parts.append(torch.from_numpy(corruption.of((some.float() / white).numpy(), numbers)))
    found = torch.cat(parts) * white
    return found.round().to(torch.uint8) if images.dtype == torch.uint8 else found
