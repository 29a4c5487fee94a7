"""A data set from a directory tree of image files, one folder per class."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from supernet.data.folder import FolderAugment, FolderSplit
from supernet.data.image_data import ImageData
from supernet.data.position import SPLIT, generator
from supernet.data.stratify import hold_out, interleave
from supernet.errors import UsageError, require

Labels: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
GREY_MEAN, GREY_STD = (0.459,), (0.226,)
"""ImageNet's as brightness: 0.299 R + 0.587 G + 0.114 B."""


def image_folder(
    root: str | Path,
    *,
    size: int | tuple[int, int] = 224,
    grey: bool = False,
    seed: int = 0,
    validation: float | None = None,
    test: float | None = None,
    test_folder: str | None = None,
    augment: FolderAugment | None = None,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    num_workers: int = 2,
) -> ImageData:
    """Image files under ``root/train/CLASS/`` and its neighbours, or all under ``root/CLASS/``.

    Files are decoded as they are used, so the set may be of any size. Beside ``train``, the folder ``val`` (or
    ``valid``, ``validation``) holds the validation images and ``test`` the test images; what is not there is held out
    of the training images. ``test_folder="val"`` is the custom with ImageNet: its validation images are the test
    images, and validation images are held out of the training images. A warning names the folders that no split uses.

    Pixels become 8-bit RGB, or grey where asked for: 16-bit grey from 0..65535, floats from 0..1 (others are refused),
    transparent images on white, and rotated as their EXIF orientation says.

    Args:
        root: The directory that holds the images.
        size: Side of the square images, pixels; or height and width.
        grey: Whether the images have one channel, their brightness, and not three.
        seed: The seed that decides the splits.
        validation: Fraction or number of the images that are not test images, where there is no folder of validation
            images; default 0.2.
        test: Fraction or number of all images, where there is no folder of test images; default 0.2.
        test_folder: Which folder beside ``train`` holds the test images; default ``test``, where there is one.
        augment: Random changes of training images; None: random resized crop and flip.
        mean: Mean of each channel, (R, G, B) or grey, on the scale 0..1; None: those of ImageNet.
        std: Standard deviation of each channel, on the same scale; None: those of ImageNet.
        num_workers: Number of processes that decode images, per stream.

    Raises:
        RunError: torchvision is not installed.
        UsageError: ``root`` is not there or not laid out like this, or a split cannot be drawn.
    """
    require("torchvision", "vision", "A data set of image files")
    mean = (GREY_MEAN if grey else IMAGENET_MEAN) if mean is None else mean
    std = (GREY_STD if grey else IMAGENET_STD) if std is None else std
    if len(mean) != (1 if grey else 3):
        raise UsageError(f"{'Grey' if grey else 'Coloured'} images have {1 if grey else 3} channels; got mean={mean}.")
    root = Path(root).expanduser()
    if not root.is_dir():
        raise UsageError(f"There is no directory {root}; give the one that holds train/CLASS/ or CLASS/.")
    folders = _folders(root, test_folder)
    classes, files, labels = _scan(folders.train)
    rng = generator(seed, SPLIT)
    test_files, test_labels, held_files, held_labels = files, labels, files, labels
    if folders.test is None:
        kept, out = hold_out(labels, 0.2 if test is None else test, rng=rng, classes=classes, option="test")
    else:
        if test is not None:
            raise UsageError(f"{folders.test} holds the test images, so test={test} has no use; leave it out.")
        test_files, test_labels = _scan_alike(folders.test, folders.train, classes)
        kept, out = np.arange(len(files)), interleave(test_labels, rng)
    if folders.validation is None:
        share = 0.2 if validation is None else validation
        train, held = (kept[i] for i in hold_out(labels[kept], share, rng=rng, classes=classes, option="validation"))
    else:
        if validation is not None:
            raise UsageError(
                f"{folders.validation} holds the validation images, so validation={validation} has no use; leave it "
                "out."
            )
        held_files, held_labels = _scan_alike(folders.validation, folders.train, classes)
        train, held = kept[interleave(labels[kept], rng)], interleave(held_labels, rng)
    splits = [
        FolderSplit(
            files=tuple(paths[i] for i in rows),
            labels=tuple(targets[rows].tolist()),
            size=size,
            mean=mean,
            std=std,
            augment=FolderAugment() if augment is None else augment,
            num_workers=num_workers,
        )
        for paths, targets, rows in (
            (files, labels, train),
            (held_files, held_labels, held),
            (test_files, test_labels, out),
        )
    ]
    return ImageData(
        name=root.resolve().name,
        train=splits[0],
        validation=splits[1],
        held_out=splits[2],
        classes=classes,
        shape=splits[0].shape,
        mean=mean,
        std=std,
    )


class _Folders(NamedTuple):
    """Where the images of each split are; None: held out of the training images."""

    train: Path
    validation: Path | None
    test: Path | None


def _folders(root: Path, chosen: str | None) -> _Folders:
    if not (root / "train").is_dir():
        if chosen is not None:
            raise UsageError(f"test_folder={chosen!r} needs {root / 'train'} beside it, which is not there.")
        return _Folders(root, None, None)
    beside = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and entry.name[0] != ".")
    beside.remove("train")
    if chosen is not None and chosen not in beside:
        raise UsageError(f"There is no folder {root / chosen}; {root} has {', '.join(beside) or 'only train'}.")
    test = chosen or ("test" if "test" in beside else None)
    held = [name for name in ("val", "valid", "validation") if name in beside and name != test]
    if len(held) > 1:
        raise UsageError(f"{root} has both {held[0]} and {held[1]}; leave one folder of validation images.")
    if unused := [name for name in beside if name not in (test, *held)]:
        warnings.warn(
            f"{root} also holds {', '.join(unused[:5])}, which no split uses: training images are read from train, "
            f"validation images from {held[0] if held else 'train'}, test images from {test or 'train'}.",
            stacklevel=3,
        )
    return _Folders(root / "train", root / held[0] if held else None, root / test if test else None)


def _scan_alike(folder: Path, train: Path, classes: tuple[str, ...]) -> tuple[list[str], Labels]:
    """The files and labels of a folder that has the same classes as the training images."""
    found, files, labels = _scan(folder)
    if found != classes:
        differ = sorted(set(found) ^ set(classes))
        raise UsageError(
            f"{train} and {folder} have different classes ({', '.join(differ[:5])} in one only); "
            "both need the same class folders."
        )
    return files, labels


def _scan(folder: Path) -> tuple[tuple[str, ...], list[str], Labels]:
    from torchvision.datasets.folder import IMG_EXTENSIONS, find_classes, make_dataset

    try:
        classes, index = find_classes(folder)
        found = make_dataset(str(folder), index, IMG_EXTENSIONS)
    except FileNotFoundError as error:  # no class folder, or an empty one
        raise UsageError(f"{folder} is not laid out as {folder}/CLASS/IMAGE: {error}") from error
    for file, _ in found:
        if not Path(file).is_file():  # a pipe would be waited for without end
            raise UsageError(f"{file} is not a regular file (a pipe, a device or a broken link); remove it.")
    return tuple(classes), [file for file, _ in found], np.array([label for _, label in found], dtype=np.int64)
