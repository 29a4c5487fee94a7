"""Two small splits without an image in common, and a data set of them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from supernet.data import Augment, ImageData, MemorySplit
from two_splits import Two, in_files, in_memory


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("photos")


@pytest.fixture(params=["crop", "affine and cutout", "files"])
def two(request: pytest.FixtureRequest, folder: Path) -> Two:
    if request.param == "crop":
        return in_memory(Augment(crop_padding=2, flip=True), of_b=Augment())
    if request.param == "affine and cutout":
        return in_memory(Augment(shift=1.5, rotate_degrees=20, cutout=3), of_b=Augment(flip=True))
    return in_files(folder)


@pytest.fixture
def data() -> ImageData:
    """Train, validation and test images in memory, no two alike."""
    a, b, _ = in_memory(Augment(crop_padding=1), of_b=Augment(crop_padding=1))
    rng = np.random.default_rng(1)
    test = MemorySplit(
        images=torch.from_numpy(rng.integers(0, 256, (6, 3, 8, 10), dtype=np.uint8)),
        labels=torch.arange(6) % 3,
        mean=(0.4,) * 3,
        std=(0.2,) * 3,
        augment=Augment(),
    )
    return ImageData(
        name="noise",
        train=a,
        validation=b,
        held_out=test,
        classes=("x", "y", "z"),
        shape=(3, 8, 10),
        mean=(0.4,) * 3,
        std=(0.2,) * 3,
    )
