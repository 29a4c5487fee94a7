"""ImageNet16-120 (Chrabaszcz et al. 2017; Dong and Yang 2020), from its official files."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from supernet.data.arrays import from_arrays
from supernet.data.augment import Augment
from supernet.data.image_data import ImageData
from supernet.data.position import SPLIT, generator
from supernet.data.stratify import hold_out
from supernet.errors import RunError

_CLASSES, _SIDE = 120, 16
_TRAIN: Mapping[str, str] = {
    "train_data_batch_1": "27846dcaa50de8e21a7d1a35f30f0e91",
    "train_data_batch_2": "c7254a054e0e795c69120a5727050e3f",
    "train_data_batch_3": "4333d3df2e5ffb114b05d2ffc19b1e87",
    "train_data_batch_4": "1620cdf193304f4a92677b695d70d10f",
    "train_data_batch_5": "348b3c2fdbb3940c4e9e834affd3b18d",
    "train_data_batch_6": "6e765307c242a1b3d7d5ef9139b48945",
    "train_data_batch_7": "564926d8cbf8fc4818ba23d2faac7564",
    "train_data_batch_8": "f4755871f718ccb653440b9dd0ebac66",
    "train_data_batch_9": "bb6dd660c38c58552125b1a92f86b5d4",
    "train_data_batch_10": "8f03f34ac4b42271a294f91bf480f29b",
}
_HELD: Mapping[str, str] = {"val_data": "3410e3017fdaefba8d5073aaa65e4bd6"}
"""MD5 sums, as NAS-Bench-201's harness publishes them: the files are pickles, and no other ones are read."""


def imagenet16_120(root: str | Path = "data/ImageNet16", *, seed: int = 0, augment: Augment | None = None) -> ImageData:
    """ImageNet16-120: 151,700 training photographs of 16x16 in the first 120 classes of ImageNet.

    The 6,000 official validation images are halved, each class alike: one half compares architectures, the other is
    for testing, as in NAS-Bench-201, whose own halves are drawn otherwise.

    Args:
        root: Folder with the official files ``train_data_batch_1`` to ``_10`` and ``val_data``; they are not fetched.
        seed: Decides the halves.
        augment: Default: crop with a reflected padding of 2 (an eighth of the side) and flip.

    Raises:
        RunError: A file is missing, or is not the official one.
    """
    folder = Path(root).expanduser()
    images, labels = _read(folder, _TRAIN)
    held_images, held_labels = _read(folder, _HELD)
    names = tuple(map(str, range(_CLASSES)))
    kept, out = hold_out(held_labels, 0.5, rng=generator(seed, SPLIT), classes=names, option="test")
    return from_arrays(
        images,
        labels,
        name="imagenet16_120",
        validation=(held_images[kept], held_labels[kept]),
        test=(held_images[out], held_labels[out]),
        seed=seed,
        classes=names,
        layout="NCHW",
        augment=augment,
    )


def _read(folder: Path, files: Mapping[str, str]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    images, labels = [], []
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise RunError(
                f"There is no {path}. Fetch ImageNet16 (http://image-net.org/download-images, or the copy that "
                "NAS-Bench-201's authors offer) and name its folder: root=…, -D root=…."
            )
        content = path.read_bytes()
        if (found := hashlib.md5(content, usedforsecurity=False).hexdigest()) != expected:
            raise RunError(
                f"{path} is not the official file (its MD5 is {found}, not {expected}). It is a pickle, which can run "
                "anything, so it was not read. Fetch it again."
            )
        held: dict[str, Any] = pickle.loads(content, encoding="latin1")
        numbers = np.asarray(held["labels"], dtype=np.int64) - 1  # stored from 1
        chosen = numbers < _CLASSES
        images.append(np.asarray(held["data"], dtype=np.uint8)[chosen].reshape(-1, 3, _SIDE, _SIDE))
        labels.append(numbers[chosen])
    return np.concatenate(images), np.concatenate(labels)
