"""A split whose images stay on disk and are decoded by worker processes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from supernet.data.photographs import check_changes, colour_changes, shown
from supernet.data.position import AUGMENT, Position, positions
from supernet.data.split import check_batches, check_head, cuts
from supernet.data.view_augment import ViewAugment
from supernet.errors import RunError, UsageError, require
from supernet.nn.batch import Batch

if TYPE_CHECKING:
    import PIL.Image


_LARGEST_SIDE = 8192


@dataclass(frozen=True, kw_only=True)
class FolderAugment:
    """Random changes to a large photograph (Szegedy et al. 2015); the default is the usual ImageNet recipe.

    Attributes:
        min_area: Least share of the image that the random crop shows.
        flip: Mirror left and right, every other time.
        colour_jitter: Change brightness, contrast and saturation by up to this share.
        rand_augment: Number of operations on each image, and their magnitude of 30, such as (2, 9) (Cubuk et al. 2020,
            as torchvision has it); None: none.

    Raises:
        UsageError: A value is out of range.
    """

    min_area: float = 0.08
    flip: bool = True
    colour_jitter: float = 0.0
    rand_augment: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.min_area <= 1:
            raise UsageError(f"FolderAugment(min_area={self.min_area}) is not a share; give 0 < min_area <= 1.")
        check_changes("FolderAugment", colour_jitter=self.colour_jitter, rand_augment=self.rand_augment)

    def __repr__(self) -> str:
        return shown(self, where_set=("rand_augment",))


@dataclass(frozen=True, eq=False, kw_only=True)
class FolderSplit:
    """Image files; a :class:`~supernet.data.Split`.

    Attributes:
        files: Paths, in the split's order.
        labels: Class index of each.
        size: Side of the square images, pixels; or height and width.
        mean: Mean of each channel, on the scale 0..1: of (R, G, B), or one value for grey images.
        std: Standard deviation of each channel, on the same scale.
        augment: What ``stream`` does to the images; ``batches`` resizes and crops the centre.
        num_workers: Number of processes that decode; 0 decodes in the caller's. Batches do not depend on it.

    Raises:
        UsageError: A value is out of range.
    """

    files: tuple[str, ...] = field(repr=False)
    labels: tuple[int, ...] = field(repr=False)
    size: int | tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augment: FolderAugment
    num_workers: int

    def __post_init__(self) -> None:
        height, width = self.sides
        if min(height, width) < 1:
            raise UsageError(f"size={self.size} is not a number of pixels; give 1 or more.")
        if max(height, width) > _LARGEST_SIDE:
            raise UsageError(
                f"size={self.size} asks for images of {3 * height * width / 1e9:,.1f} billion pixels; give the side "
                f"that the network takes, at most {_LARGEST_SIDE:,}."
            )
        if self.num_workers < 0:
            raise UsageError(f"num_workers={self.num_workers} is negative; give 0 or more processes.")
        if len(self.files) != len(self.labels):
            raise UsageError(f"{len(self.files)} files and {len(self.labels)} labels were given; give one for each.")
        if len(self.mean) not in (1, 3) or len(self.mean) != len(self.std) or not min(self.std) > 0:
            raise UsageError(
                f"mean={self.mean}, std={self.std}: give three of each, or one of each for grey images, with every std "
                "above 0."
            )

    def __len__(self) -> int:
        return len(self.files)

    def batches(self, batch_size: int, *, limit: int | None = None) -> Iterator[Batch]:
        """Every image once, in order; see :meth:`Split.batches`."""
        check_batches(batch_size, limit)
        end = len(self) if limit is None else min(limit, len(self))
        parts = (range(end)[cut] for cut in cuts(end, batch_size))
        return self._decode([_Key(i, 0, 0, 0) for i in part] for part in parts)

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

    def at(
        self, places: Iterable[Position], *, seed: int, augment: FolderAugment | ViewAugment | None
    ) -> Iterator[Batch]:
        """The images at given places; see :meth:`Indexed.at`."""
        return self._decode(_keys(places, seed), augment=augment)

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(C, H, W)``, where C is 3, or 1 of grey images."""
        return len(self.mean), *self.sides

    def head(self, n: int) -> FolderSplit:
        """The first ``n`` files."""
        check_head(n, len(self))
        return replace(self, files=self.files[:n], labels=self.labels[:n])

    def fingerprint(self) -> str:
        """Digest of the settings, every file's class folder, name and label, and the content of 64 files."""
        settings = (self.size, self.mean, self.std, self.augment, self.labels)
        digest = hashlib.sha256(repr(settings).encode())
        for file in self.files:
            digest.update("/".join(Path(file).parts[-2:]).encode() + b"\n")
        for file in self.files[:: max(1, len(self) // 64)]:
            digest.update(hashlib.sha256(Path(file).read_bytes()).digest())
        return digest.hexdigest()

    def _decode(
        self, keys: Iterable[list[_Key]], *, augment: FolderAugment | ViewAugment | None = None
    ) -> Iterator[Batch]:
        require("torchvision", "vision", "Reading image files")
        changes = _transform(self.sides, augment)
        images = _Images(self.files, self.labels, changes, augment is not None, grey=len(self.mean) == 1)
        # DataLoader draws a base seed, from the global generator unless it gets one; no image depends on it.
        loader: DataLoader[_Decoded] = DataLoader(
            images,
            batch_sampler=keys,
            collate_fn=_collate,
            num_workers=self.num_workers,
            generator=torch.Generator().manual_seed(0),
        )
        return self._normalised(loader)

    def _normalised(self, loader: Iterable[Any]) -> Iterator[Batch]:
        mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (self.mean, self.std))
        for pixels, y, problem in loader:
            if problem:
                raise RunError(problem)
            yield Batch(pixels.to(torch.float32).div_(255).sub_(mean).div_(std), y)


class _Key(NamedTuple):
    """Which image, and where its randomness comes from."""

    image: int
    seed: int
    epoch: int
    own: int


class _Decoded(NamedTuple):
    """Pixels and label, or what went wrong: raised in a worker, it would arrive as a page of traceback."""

    pixels: Tensor
    label: int
    problem: str


class _Images(Dataset[_Decoded]):
    def __init__(
        self,
        files: tuple[str, ...],
        labels: tuple[int, ...],
        transform: Callable[[Any], Tensor],
        random: bool,
        *,
        grey: bool,
    ) -> None:
        self.files, self.labels, self.transform, self.random, self.grey = files, labels, transform, random, grey

    def __getitem__(self, key: _Key) -> _Decoded:
        from PIL import Image

        file = self.files[key.image]
        try:
            with Image.open(file) as opened:
                image = as_rgb(opened).convert("L" if self.grey else "RGB")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            return _Decoded(torch.empty(0), 0, f"The image {file} cannot be read ({error}); repair or remove it.")
        if not self.random:
            return _Decoded(self.transform(image), self.labels[key.image], "")
        # torchvision draws from the global generator: seed it for this image only, then put it back.
        entropy = np.random.SeedSequence(key.seed, spawn_key=(AUGMENT, key.epoch, key.own))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(int(entropy.generate_state(1, np.uint64)[0] >> 1))
            return _Decoded(self.transform(image), self.labels[key.image], "")


def as_rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    """An image as 8-bit RGB, upright as its EXIF orientation says.

    16-bit grey is scaled from 0..65535, floats from 0..1; what is transparent shows white.

    Raises:
        ValueError: Integers or floats beyond these ranges; clipped, the image would be lost.
    """
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode == "F" or image.mode.startswith("I"):
        white = 1.0 if image.mode == "F" else 65535.0
        pixels = np.asarray(image, dtype=np.float64)
        if not (pixels.min() >= 0 and pixels.max() <= white):
            raise ValueError(
                f"mode {image.mode} with pixels from {pixels.min():g} to {pixels.max():g}, where 0 to {white:g} "
                "is read; store it as 8-bit or 16-bit grey"
            )
        image = Image.fromarray(np.rint(pixels * (255 / white)).astype(np.uint8))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _keys(places: Iterable[Position], seed: int) -> Iterator[list[_Key]]:
    for place in places:
        numbers = zip(place.indices.tolist(), place.keys.tolist(), strict=True)
        yield [_Key(image, seed, place.epoch, own) for image, own in numbers]


def _collate(images: list[_Decoded]) -> tuple[Tensor, Tensor, str]:
    problem = next((image.problem for image in images if image.problem), "")
    if problem:
        return torch.empty(0), torch.empty(0), problem
    return torch.stack([i.pixels for i in images]), torch.tensor([i.label for i in images]), ""


def _covering(image: PIL.Image.Image, sides: tuple[int, int]) -> PIL.Image.Image:
    """The image, scaled to the least size that covers 8/7 of both sides."""
    scale = 8 / 7 * max(sides[0] / image.height, sides[1] / image.width)
    size = max(sides[1], round(scale * image.width)), max(sides[0], round(scale * image.height))
    return image.resize(size, resample=2)  # bilinear, as torchvision resizes


def _transform(sides: tuple[int, int], augment: FolderAugment | ViewAugment | None) -> Callable[[Any], Tensor]:
    """PIL image -> ``(C, H, W)`` uint8."""
    from torchvision.transforms import v2

    height, width = sides
    steps: list[Any]
    if augment is None:  # 224 is cut from 256, and other sizes in proportion
        steps = [v2.Resize(round(height * 8 / 7)) if height == width else partial(_covering, sides=sides)]
        steps.append(v2.CenterCrop(sides))
    elif isinstance(augment, ViewAugment):
        steps = augment.changes(height, width)
    else:
        ratio = (3 / 4 * width / height, 4 / 3 * width / height)
        steps = [v2.RandomResizedCrop(sides, scale=(augment.min_area, 1.0), ratio=ratio)]
        if augment.flip:
            steps.append(v2.RandomHorizontalFlip())
        steps += colour_changes(colour_jitter=augment.colour_jitter, rand_augment=augment.rand_augment)
    composed: Callable[[Any], Tensor] = v2.Compose([*steps, v2.PILToTensor()])
    return composed
