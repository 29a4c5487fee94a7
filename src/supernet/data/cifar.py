"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), read through torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from supernet.data.arrays import from_arrays
from supernet.data.augment import Augment
from supernet.data.image_data import ImageData
from supernet.errors import RunError, require


def cifar10(
    root: str | Path = "data",
    *,
    download: bool = True,
    seed: int = 0,
    validation: float = 0.2,
    downscale: int = 1,
    augment: Augment | None = None,
) -> ImageData:
    """CIFAR-10: 50,000 training and 10,000 test photographs of 32x32, 10 classes.

    Args:
        root: Folder that holds, or will hold, ``cifar-10-batches-py``.
        download: Fetch the files (170 MB) if they are not there.
        seed: Decides the validation split.
        validation: Fraction or number of the training images; 0.5 is the DARTS protocol.
        downscale: Shrink both sides by this factor, by average pooling.
        augment: Default: crop with a reflected padding of 4 (an eighth of the side) and flip.

    Raises:
        RunError: torchvision is not installed, or the files are missing or cannot be fetched.
        UsageError: A validation split of that size cannot be drawn.
    """
    require("torchvision", "vision", "The data set 'cifar10'")
    from torchvision.datasets import CIFAR10

    return _build("cifar10", CIFAR10, root, download, seed, validation, downscale, augment)


def cifar100(
    root: str | Path = "data",
    *,
    download: bool = True,
    seed: int = 0,
    validation: float = 0.2,
    downscale: int = 1,
    augment: Augment | None = None,
) -> ImageData:
    """CIFAR-100: 50,000 training and 10,000 test photographs of 32x32, 100 classes.

    Args:
        root: Folder that holds, or will hold, ``cifar-100-python``.
        download: Fetch the files (169 MB) if they are not there.
        seed: Decides the validation split.
        validation: Fraction or number of the training images.
        downscale: Shrink both sides by this factor, by average pooling.
        augment: Default: crop with a reflected padding of 4 (an eighth of the side) and flip.

    Raises:
        RunError: torchvision is not installed, or the files are missing or cannot be fetched.
        UsageError: A validation split of that size cannot be drawn.
    """
    require("torchvision", "vision", "The data set 'cifar100'")
    from torchvision.datasets import CIFAR100

    return _build("cifar100", CIFAR100, root, download, seed, validation, downscale, augment)


def _build(
    name: str,
    source: Any,
    root: str | Path,
    download: bool,
    seed: int,
    validation: float,
    downscale: int,
    augment: Augment | None,
) -> ImageData:
    folder = Path(root).expanduser()
    images, labels, classes = _read(name, source, folder, download, train=True)
    test_images, test_labels, _ = _read(name, source, folder, False, train=False)
    return from_arrays(
        images,
        labels,
        name=name,
        test=(test_images, test_labels),
        validation=validation,
        seed=seed,
        classes=classes,
        layout="NHWC",
        downscale=downscale,
        augment=augment,
    )


def _read(
    name: str, source: Any, folder: Path, download: bool, *, train: bool
) -> tuple[npt.NDArray[np.uint8], list[int], list[str]]:
    try:
        part = source(folder, train=train, download=download)
    except (OSError, RuntimeError) as error:  # torchvision: no network, or a checksum that differs
        tried = "could not be downloaded to" if download else "is not complete in"
        raise RunError(
            f"{name} {tried} {folder} ({error}). Fetch {source.url} yourself and unpack it there, "
            f"so that {folder / source.base_folder} exists."
        ) from error
    return part.data, part.targets, part.classes
