"""ImageNet16-120's own files, small ones of the same format whose sums the reader is told."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest

from supernet.data import imagenet16, imagenet16_120
from supernet.errors import RunError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rng = np.random.default_rng(0)
    for name in ("_TRAIN", "_HELD"):
        sums = {}
        for file in getattr(imagenet16, name):
            labels = rng.permutation(np.repeat(np.arange(1, 131), 4))  # ten classes too many
            data = rng.integers(0, 256, (len(labels), 3 * 16 * 16), dtype=np.uint8)
            data[:, 0], data[:, 256] = labels - 1, 7  # the first pixel: red tells the label, green is 7
            (tmp_path / file).write_bytes(pickle.dumps({"data": data, "labels": labels.tolist()}))
            sums[file] = hashlib.md5((tmp_path / file).read_bytes()).hexdigest()
        monkeypatch.setattr(imagenet16, name, sums)
    return tmp_path


def test_the_first_120_classes_are_read_and_the_held_images_halved(folder: Path) -> None:
    data = imagenet16_120(folder)
    assert str(data) == "imagenet16_120: 4800 train, 240 validation, 240 test images of 3x16x16, 120 classes"
    for split in (data.train, data.validation, data.test):
        images, labels = split.images, split.labels  # type: ignore[attr-defined]
        assert images[:, 0, 0, 0].tolist() == labels.tolist()
        assert set(images[:, 1, 0, 0].tolist()) == {7}
    assert data.validation.labels.bincount().tolist() == [2] * 120  # type: ignore[attr-defined]


def test_other_files_are_not_unpickled(folder: Path) -> None:
    (folder / "val_data").write_bytes(pickle.dumps({"data": print}))
    with pytest.raises(RunError, match=r"val_data is not the official file.*so it was not read"):
        imagenet16_120(folder)
    (folder / "val_data").unlink()
    with pytest.raises(RunError, match=r"There is no .*val_data"):
        imagenet16_120(folder)
