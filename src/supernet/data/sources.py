"""Data sets by name or path, as the command line asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from supernet.data.augment import Augment
from supernet.data.cifar import cifar10, cifar100
from supernet.data.folder import FolderAugment
from supernet.data.folder_tree import image_folder
from supernet.data.image_data import ImageData
from supernet.data.npz_file import npz
from supernet.data.small import digits, mnist5k
from supernet.errors import UsageError


def load(
    source: str | Path,
    *,
    seed: int = 0,
    validation: float | None = None,
    test: float | None = None,
    test_folder: str | None = None,
    downscale: int | None = None,
    root: str | Path | None = None,
    download: bool | None = None,
    size: int | tuple[int, int] | None = None,
    grey: bool | None = None,
    num_workers: int | None = None,
    augment: Mapping[str, Any] | None = None,
) -> ImageData:
    """Load a data set by name or path. What is left at None takes the loader's own default.

    Args:
        source: ``digits``, ``mnist5k``, ``cifar10``, ``cifar100``, a directory of images or an ``.npz`` file.
        seed: The seed that decides the splits.
        validation: Fraction or number of the images that are not test images, for sources without validation images of
            their own (default 0.2).
        test: Fraction or number of all images, for sources without test images of their own (default 0.2).
        test_folder: Which folder of a directory holds the test images (default ``test``, where there is one).
        downscale: Shrink both sides by this factor (all but directories).
        root: Where CIFAR's files are or go (default ``data``).
        download: Fetch CIFAR's files if they are missing (default yes).
        size: Side of the images of a directory, pixels, or height and width (default 224).
        grey: Whether the images of a directory have one channel, their brightness (default no).
        num_workers: Number of processes that decode the images of a directory (default 2).
        augment: Settings of ``Augment`` (of ``FolderAugment`` for a directory), such as ``{"flip": True}``; what is
            left out keeps the class's own default, so that ``{}`` changes no small image at all.

    Raises:
        UsageError: The source is unknown, or an option has no meaning for it.
        RunError: The source cannot be read.

    >>> print(load("digits", validation=0.5))
    digits: 719 train, 719 validation, 359 test images of 1x8x8, 10 classes
    """
    name = str(source)
    factor = 1 if downscale is None else downscale
    share = 0.2 if validation is None else validation
    if name in ("digits", "mnist5k"):
        _refuse(
            name, root=root, download=download, size=size, grey=grey, num_workers=num_workers, test_folder=test_folder
        )
        small = digits if name == "digits" else mnist5k
        held = 0.2 if test is None else test
        changes = _augment(Augment, augment)
        return small(seed=seed, validation=share, test=held, downscale=factor, augment=changes)
    if name in ("cifar10", "cifar100"):
        _refuse(name, test=test, size=size, grey=grey, num_workers=num_workers, test_folder=test_folder)
        cifar = cifar10 if name == "cifar10" else cifar100
        return cifar(
            "data" if root is None else root,
            download=True if download is None else download,
            seed=seed,
            validation=share,
            downscale=factor,
            augment=_augment(Augment, augment),
        )
    if name.endswith(".npz"):
        _refuse(
            name, root=root, download=download, size=size, grey=grey, num_workers=num_workers, test_folder=test_folder
        )
        changes = _augment(Augment, augment)
        return npz(name, seed=seed, validation=validation, test=test, downscale=factor, augment=changes)
    if Path(name).expanduser().is_dir():
        _refuse(name, root=root, download=download, downscale=downscale)
        return image_folder(
            name,
            size=224 if size is None else size,
            grey=bool(grey),
            seed=seed,
            validation=validation,
            test=test,
            test_folder=test_folder,
            num_workers=2 if num_workers is None else num_workers,
            augment=_augment(FolderAugment, augment),
        )
    if Path(name).expanduser().is_file():
        raise UsageError(f"{name} is a file, but not of data: {_instead(Path(name))}.")
    raise UsageError(
        f"There is no data set {name!r}; give digits, mnist5k, cifar10, cifar100, "
        "an existing directory of images, or an .npz file."
    )


def _instead(file: Path) -> str:
    """What to give in place of a file that holds no data set."""
    if file.suffix == ".py":
        return f"a function in it that makes the data is given as module:name, such as {file.stem}:load"
    if file.suffix in (".npy", ".csv", ".tsv", ".parquet", ".json", ".jsonl", ".pt", ".h5"):
        return (
            "store its arrays as x_train and y_train with numpy.savez in an .npz file, or give a function of your own "
            "that reads it, as module:name"
        )
    if file.suffix in (".zip", ".tar", ".gz", ".tgz"):
        return "unpack it, and give the directory of images"
    return "give an .npz file with x_train and y_train, a directory of images, or a function of your own as module:name"


Kind = TypeVar("Kind", Augment, FolderAugment)


def _augment(kind: type[Kind], settings: Mapping[str, Any] | None) -> Kind | None:
    if settings is None:
        return None
    known = [field.name for field in fields(kind)]
    if not isinstance(settings, Mapping):
        raise UsageError(
            f'An augmentation is a table of settings, in JSON such as {{"flip": true}} or {{}} for none; '
            f"got {settings!r}. There are {', '.join(known)}."
        )
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise UsageError(f"There is no augmentation {unknown[0]!r} for this data; there are {', '.join(known)}.")
    return kind(**settings)


def _refuse(source: str, **options: object) -> None:
    """No option is accepted and ignored."""
    given = [f"{option}={value}" for option, value in options.items() if value is not None]
    if given:
        raise UsageError(f"{', '.join(given)} has no meaning for the data set {source}; leave it out.")
