"""A data set from a directory tree of image files, one folder per class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from supernet.data.folder import FolderAugment, FolderSplit
from supernet.data.image_data import ImageData
from supernet.data.position import SPLIT, generator
from supernet.data.stratify import hold_out, interleave
from supernet.errors import UsageError, require

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def image_folder(
    root: str | Path,
    *,
    size: int = 224,
    seed: int = 0,
    validation: float = 0.2,
    test: float | None = None,
    test_folder: str | None = None,
    augment: FolderAugment | None = None,
    mean: tuple[float, float, float] = IMAGENET_MEAN,
    std: tuple[float, float, float] = IMAGENET_STD,
    num_workers: int = 2,
) -> ImageData:
    """Image files under ``root/train/CLASS/`` and ``root/val/CLASS/``, or all under ``root/CLASS/``.

    Files are decoded as they are used, so the set may be of any size. ``root/val`` (or ``root/test``) holds
    the test images; without it they are held out of the others. Validation images always are.

    Args:
        root: The directory.
        size: Side of the square images, pixels.
        seed: Decides the splits.
        validation: Fraction or number of the images that are not test images.
        test: Fraction or number of all images, where there is no folder of test images; default 0.2.
        test_folder: Which folder holds the test images, where there are several.
        augment: Default: random resized crop and flip.
        mean: Per channel (R, G, B), on the scale 0..1.
        std: Likewise.
        num_workers: Processes that decode images, per stream.

    Raises:
        RunError: torchvision is not installed.
        UsageError: ``root`` is not there or not laid out like this, or a split cannot be drawn.
    """
    require("torchvision", "vision", "A data set of image files")
    root = Path(root).expanduser()
    if not root.is_dir():
        raise UsageError(f"There is no directory {root}; give the one that holds train/CLASS/ or CLASS/.")
    train_folder, held_folder = _folders(root, test_folder)
    classes, files, labels = _scan(train_folder)
    rng = generator(seed, SPLIT)
    if held_folder is None:
        held_files, held_labels = files, labels
        kept, out = hold_out(labels, 0.2 if test is None else test, rng=rng, classes=classes, option="test")
    else:
        if test is not None:
            raise UsageError(f"{held_folder} holds the test images, so test={test} has no use; leave it out.")
        held_classes, held_files, held_labels = _scan(held_folder)
        if held_classes != classes:
            differ = sorted(set(held_classes) ^ set(classes))
            raise UsageError(
                f"{train_folder} and {held_folder} have different classes ({', '.join(differ[:5])} in one only); "
                "both need the same class folders."
            )
        kept, out = np.arange(len(files)), interleave(held_labels, rng)
    train, held = (kept[i] for i in hold_out(labels[kept], validation, rng=rng, classes=classes, option="validation"))
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
        for paths, targets, rows in ((files, labels, train), (files, labels, held), (held_files, held_labels, out))
    ]
    return ImageData(
        name=root.resolve().name,
        train=splits[0],
        validation=splits[1],
        held_out=splits[2],
        classes=classes,
        shape=(3, size, size),
        mean=mean,
        std=std,
    )


def _folders(root: Path, chosen: str | None) -> tuple[Path, Path | None]:
    """Where the training images are, and where the test images, if they have a folder."""
    if not (root / "train").is_dir():
        if chosen is not None:
            raise UsageError(f"test_folder={chosen!r} needs {root / 'train'} beside it, which is not there.")
        return root, None
    present = [name for name in ("val", "test") if (root / name).is_dir()]
    if chosen is None and len(present) == 2:
        raise UsageError(f"{root} has both val and test; say which holds the test images: test_folder='test'.")
    if chosen is not None and not (root / chosen).is_dir():
        raise UsageError(f"There is no folder {root / chosen}; {root} has {', '.join(present) or 'only train'}.")
    name = chosen or (present[0] if present else None)
    return root / "train", root / name if name else None


def _scan(folder: Path) -> tuple[tuple[str, ...], list[str], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    from torchvision.datasets.folder import IMG_EXTENSIONS, find_classes, make_dataset

    try:
        classes, index = find_classes(folder)
        found = make_dataset(str(folder), index, IMG_EXTENSIONS)
    except FileNotFoundError as error:  # no class folder, or an empty one
        raise UsageError(f"{folder} is not laid out as {folder}/CLASS/IMAGE: {error}") from error
    return tuple(classes), [file for file, _ in found], np.array([label for _, label in found], dtype=np.int64)
