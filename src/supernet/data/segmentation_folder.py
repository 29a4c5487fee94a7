"""Image files with masks beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from supernet.data.data import Data
from supernet.data.dataset import DatasetSplit
from supernet.data.folder import FolderAugment, as_rgb
from supernet.data.folder_tree import IMAGENET_MEAN, IMAGENET_STD
from supernet.data.own import from_datasets
from supernet.data.position import SPLIT, generator
from supernet.errors import RunError, UsageError, require
from supernet.tasks import Segmentation

_VALIDATION = ("val", "valid", "validation")
_WHOLE = ("1", "L", "P", "I", "I;16")  # modes of image files that hold whole numbers


def segmentation_folder(
    root: str | Path,
    *,
    classes: Sequence[str] | None = None,
    task: Segmentation | None = None,
    size: int = 224,
    seed: int = 0,
    validation: float | None = None,
    test: float | None = None,
    augment: FolderAugment | None = None,
    mean: tuple[float, float, float] = IMAGENET_MEAN,
    std: tuple[float, float, float] = IMAGENET_STD,
    num_workers: int = 2,
) -> Data:
    """Images in ``images/`` and masks of the same names in ``masks/``, beside each other.

    Either per split, ``root/train/images``, ``root/train/masks`` and the same below ``val`` (or ``valid``,
    ``validation``) and ``test``; or all in ``root/images`` and ``root/masks``. What has no folder is held out of the
    training images.

    A mask is a file of whole numbers, such as a PNG in grey or with a palette: the class of each pixel, or the label
    that does not count. Image and mask go through the same random crop and flip; masks are resized without mixing
    labels. Images become 8-bit RGB, see `image_folder`.

    Args:
        root: The directory.
        classes: Class names, in the order of the labels; None: the numbers up to the largest label in the masks of
            training, all of which are read for it.
        task: Which label does not count, and other settings; None: 255.
        size: Side of the square images, pixels.
        seed: The seed that decides the splits.
        validation: Fraction or number of the images that are not test images, where there is no folder of validation
            images; default 0.2.
        test: Fraction or number of all images, where there is no folder of test images; default 0.2.
        augment: Random changes of training images; None: a crop of a quarter of the image or more, and flip.
        mean: Mean of each channel (R, G, B), on the scale 0..1.
        std: Standard deviation of each channel (R, G, B), on the same scale.
        num_workers: Number of processes that decode images, per stream.

    Raises:
        RunError: torchvision is not installed, or a mask cannot be read.
        UsageError: ``root`` is not there or not laid out like this, or a split cannot be drawn.
    """
    require("torchvision", "vision", "A data set of image files")
    root = Path(root).expanduser()
    if not root.is_dir():
        raise UsageError(
            f"There is no directory {root}; give the one that holds images/ and masks/, or train/ with both."
        )
    if size < 1 or num_workers < 0:
        raise UsageError(f"size={size}, num_workers={num_workers}: give at least one pixel, and 0 processes or more.")
    divided = (root / "train").is_dir()
    train = _pairs(root / "train" if divided else root)
    beside = {name: root / name for name in (*_VALIDATION, "test") if divided and (root / name).is_dir()}
    rng = generator(seed, SPLIT)
    train, tested = _held(train, beside.get("test"), test, rng, "test")
    found = [beside[name] for name in _VALIDATION if name in beside]
    if len(found) > 1:
        raise UsageError(f"{root} has both {found[0].name} and {found[1].name}; leave one folder of validation images.")
    train, held = _held(train, found[0] if found else None, validation, rng, "validation")
    task = Segmentation() if task is None else task
    if not min(std) > 0:
        raise UsageError(f"std={std}: give three numbers above 0.")
    plain = _transform(size, None)
    changed = _transform(size, FolderAugment(min_area=0.25) if augment is None else augment)

    def split(pairs: list[_Pair], name: str) -> DatasetSplit:
        mixed = tuple(pairs[i] for i in rng.permutation(len(pairs)))  # lest the first ones are alike, by their names
        still = _Pairs(mixed, plain, mean, std)
        return DatasetSplit(
            dataset=_Pairs(mixed, changed, mean, std),
            plain=still,
            num_workers=num_workers,
            name=f"{root.name} ({name})",
        )

    return from_datasets(
        split(train, "train"),
        split(held, "validation"),
        split(tested, "test"),
        task=task,
        classes=_classes(train, task.ignore_index) if classes is None else classes,
        name=root.resolve().name,
    )


class _Pair(NamedTuple):
    image: Path
    mask: Path


@dataclass(frozen=True)
class _Pairs:
    """A dataset in the map style."""

    files: tuple[_Pair, ...]
    transform: Callable[..., Any]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int, /) -> tuple[Tensor, Tensor]:
        from PIL import Image
        from torchvision import tv_tensors

        pair = self.files[index]
        with Image.open(pair.image) as opened:
            image = as_rgb(opened)
        mask = _mask(pair.mask)
        if mask.shape != (image.height, image.width):
            raise ValueError(
                f"{pair.image} has {image.width}x{image.height} pixels, and its mask {mask.shape[1]}x{mask.shape[0]}"
            )
        pixels, labels = self.transform(tv_tensors.Image(image), tv_tensors.Mask(torch.from_numpy(mask)))
        mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (self.mean, self.std))
        x = pixels.as_subclass(Tensor).to(torch.float32).div_(255).sub_(mean).div_(std)
        return x, labels.as_subclass(Tensor).to(torch.int64)


def _mask(path: Path) -> np.ndarray[Any, Any]:
    from PIL import Image

    with Image.open(path) as opened:
        if opened.mode not in _WHOLE:
            raise ValueError(f"the mask {path} is of mode {opened.mode}; masks are grey or have a palette")
        return np.array(opened).astype(np.int32)


def _pairs(folder: Path) -> list[_Pair]:
    from torchvision.datasets.folder import IMG_EXTENSIONS

    found = []
    for name in ("images", "masks"):
        if not (folder / name).is_dir():
            raise UsageError(
                f"There is no directory {folder / name}; masks lie in masks/ beside images/, by equal names."
            )
        files = sorted(p for p in (folder / name).iterdir() if p.is_file() and p.suffix.lower() in IMG_EXTENSIONS)
        by_stem = {path.stem: path for path in files}
        if len(by_stem) < len(files):
            twice = next(path for path in files if by_stem[path.stem] != path)
            raise UsageError(f"{folder / name} holds several files called {twice.stem}; leave one of them.")
        found.append(by_stem)
    images, masks = found
    if alone := sorted(set(images) ^ set(masks)):
        lacks = "mask" if alone[0] in images else "image"
        raise UsageError(f"{folder} has no {lacks} for {', '.join(alone[:5])}; every image needs a mask of its name.")
    if not images:
        raise UsageError(f"{folder / 'images'} holds no image.")
    return [_Pair(images[stem], masks[stem]) for stem in sorted(images)]


def _held(
    pairs: list[_Pair], folder: Path | None, asked: float | None, rng: np.random.Generator, option: str
) -> tuple[list[_Pair], list[_Pair]]:
    """What remains for training, and what is held out or stands in a folder of its own."""
    if folder is not None:
        if asked is not None:
            raise UsageError(f"{folder} holds the {option} images, so {option}={asked} has no use; leave it out.")
        return pairs, _pairs(folder)
    share, n = 0.2 if asked is None else asked, len(pairs)
    count = round(share * n) if 0 < share < 1 else int(share)
    if not 1 <= count < n or (share > 1 and count != share):
        raise UsageError(
            f"{option}={share} is no part of {n} images; give a fraction between 0 and 1, or 1 to {n - 1} images."
        )
    order = rng.permutation(n)
    return [pairs[i] for i in np.sort(order[count:])], [pairs[i] for i in np.sort(order[:count])]


def _classes(pairs: Sequence[_Pair], ignored: int) -> tuple[str, ...]:
    largest = 0
    for pair in pairs:
        try:
            mask = _mask(pair.mask)
        except (OSError, ValueError, SyntaxError) as error:
            raise RunError(f"The mask {pair.mask} cannot be read ({error}); repair or remove it.") from error
        largest = max(largest, int(mask[mask != ignored].max(initial=0)))
    return tuple(map(str, range(largest + 1)))


def _transform(size: int, augment: FolderAugment | None) -> Callable[..., Any]:
    """(image, mask) -> both (…, size, size), cut alike."""
    from torchvision.transforms import v2

    if augment is None:
        steps: list[Any] = [v2.Resize(round(size * 8 / 7)), v2.CenterCrop(size)]
    else:
        steps = [v2.RandomResizedCrop(size, scale=(augment.min_area, 1.0))]
        if augment.flip:
            steps.append(v2.RandomHorizontalFlip())
        if augment.colour_jitter:
            jitter = augment.colour_jitter
            steps.append(v2.ColorJitter(brightness=jitter, contrast=jitter, saturation=jitter))
    composed: Callable[..., Any] = v2.Compose(steps)
    return composed
