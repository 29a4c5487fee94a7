"""Masks beside images: found by name, cut and flipped alike, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from supernet.data import Data, FolderAugment, segmentation_folder
from supernet.errors import RunError, UsageError
from supernet.tasks import Segmentation

PLAIN = {"size": 8, "num_workers": 0, "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


def write(folder: Path, numbers: range, *, side: int = 24) -> None:
    """Images whose red is 40 times the label of their mask: blocks of 6 pixels."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in numbers:
        rng = np.random.default_rng(number)
        labels = rng.integers(0, 4, (side // 6, side // 6)).repeat(6, 0).repeat(6, 1).astype(np.uint8)
        labels[labels == 3] = 255
        red = np.where(labels == 255, 240, 40 * labels).astype(np.uint8)
        Image.fromarray(np.stack([red, 0 * red, 0 * red], 2)).save(folder / f"images/{number}.png")
        Image.fromarray(labels).save(folder / f"masks/{number}.png")


def read(data: Data) -> None:
    for split in (data.train, data.validation, data.test):
        next(split.batches(8))


def test_image_and_mask_go_through_the_same_changes(tmp_path: Path) -> None:
    write(tmp_path, range(10))
    data = segmentation_folder(tmp_path, **PLAIN, augment=FolderAugment(min_area=0.2))  # type: ignore[arg-type]
    assert (len(data.train), len(data.validation), len(data.test)) == (6, 2, 2)
    assert data.classes == ("0", "1", "2"), "255 is no class"
    assert data.task == Segmentation()
    agree, flipped = [], []
    stream, plain = data.train.stream(6, seed=0), next(data.train.batches(6))
    for x, y in (plain, *(next(stream) for _ in range(5))):
        assert isinstance(x, torch.Tensor)
        assert isinstance(y, torch.Tensor)
        assert x.shape == (6, 3, 8, 8)
        assert y.dtype == torch.int64
        red = torch.where(y == 255, 240, 40 * y) / 255
        agree.append(float(((x[:, 0] - red).abs() < 0.04).float().mean()))
        flipped.append(float(((x[:, 0] - red.flip(-1)).abs() < 0.04).float().mean()))
    assert min(agree) > 0.4, "but for the borders of blocks, which are mixed in images"
    assert max(flipped) < min(agree)
    again = next(data.train.stream(6, seed=0, start=3))
    walked = data.train.stream(6, seed=0)
    late = [next(walked) for _ in range(4)][3]
    assert torch.equal(again.images, late.images)
    assert torch.equal(again.labels, late.labels)


def test_folders_of_their_own_are_read(tmp_path: Path) -> None:
    write(tmp_path / "train", range(6))
    write(tmp_path / "val", range(6, 9))
    data = segmentation_folder(tmp_path, **PLAIN, classes=("a", "b", "c"))  # type: ignore[arg-type]
    assert (len(data.train), len(data.validation), len(data.test)) == (5, 3, 1)
    assert data.classes == ("a", "b", "c")
    with pytest.raises(UsageError, match="holds the validation images, so validation=2 has no use"):
        segmentation_folder(tmp_path, validation=2)


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a", range(4))
    (tmp_path / "a/masks/2.png").unlink()
    with pytest.raises(UsageError, match="has no mask for 2; every image needs a mask"):
        segmentation_folder(tmp_path / "a")
    with pytest.raises(UsageError, match=r"There is no .*/images; masks lie in masks/"):
        segmentation_folder(tmp_path)
    write(tmp_path / "b", range(4))
    Image.new("RGB", (24, 24)).save(tmp_path / "b/masks/0.png")
    data = segmentation_folder(tmp_path / "b", **PLAIN, classes=("a", "b"), validation=1, test=1)  # type: ignore[arg-type]
    with pytest.raises(RunError, match=r"the mask .*/0\.png is of mode RGB"):
        read(data)
    Image.new("L", (20, 24)).save(tmp_path / "b/masks/0.png")
    with pytest.raises(RunError, match="has 24x24 pixels, and its mask 20x24"):
        read(data)
