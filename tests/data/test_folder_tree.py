import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from supernet.data import ImageData, image_folder, load
from supernet.errors import UsageError


def grow(root: Path, counts: dict[str, int]) -> Path:
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(np.full((10, 10, 3), i, dtype=np.uint8)).save(root / name / f"{i}.jpg")
    return root


def from_folders(data: ImageData) -> list[set[str]]:
    return [{Path(f).parents[1].name for f in s.files} for s in (data.train, data.validation, data.held_out)]


def files(data: ImageData) -> list[set[str]]:
    return [set(s.files) for s in (data.train, data.validation, data.held_out)]


def test_train_and_val_folders(tmp_path: Path) -> None:
    grow(tmp_path, {"train/cat": 12, "train/dog": 8, "val/cat": 3, "val/dog": 4})
    data = image_folder(tmp_path, size=8, num_workers=0, validation=0.25, test_folder="val")
    assert str(data) == f"{tmp_path.name}: 15 train, 5 validation, 7 test images of 3x8x8, 2 classes"
    assert data.classes == ("cat", "dog")
    train, held, test = files(data)
    assert train | held == {str(f) for f in (tmp_path / "train").rglob("*.jpg")}
    assert test == {str(f) for f in (tmp_path / "val").rglob("*.jpg")}
    for split in (data.train, data.validation, data.test):
        assert [data.classes[y] for y in split.labels] == [Path(f).parent.name for f in split.files]
    assert sum(data.validation.labels) == 2  # 3 cats, 2 dogs
    assert next(data.validation.batches(5)).x.shape == (5, 3, 8, 8)


def test_class_folders_alone(tmp_path: Path) -> None:
    grow(tmp_path, {"cat": 10, "dog": 10, "emu": 10})
    data = image_folder(tmp_path, size=8, test=6, validation=0.5)
    parts = files(data)
    assert [len(p) for p in parts] == [12, 12, 6]
    assert len(set.union(*parts)) == 30
    assert files(image_folder(tmp_path, size=8, test=6, validation=0.5)) == parts
    assert files(image_folder(tmp_path, size=8, test=6, validation=0.5, seed=1)) != parts


def test_a_train_folder_without_test_folder(tmp_path: Path) -> None:
    grow(tmp_path, {"train/cat": 10, "train/dog": 10})
    assert [len(p) for p in files(image_folder(tmp_path, size=8))] == [13, 3, 4]


def test_the_test_folder_can_be_chosen(tmp_path: Path) -> None:
    grow(tmp_path, {f"{part}/{name}": 4 for part in ("train", "val", "test") for name in ("cat", "dog")})
    for chosen in (load(tmp_path, size=8), load(tmp_path, size=8, test_folder="test")):
        assert from_folders(chosen) == [{"train"}, {"val"}, {"test"}]
    with pytest.warns(UserWarning, match=r"also holds test, which no split uses: .* validation images from train"):
        assert from_folders(load(tmp_path, size=8, test_folder="val")) == [{"train"}, {"train"}, {"val"}]
    with pytest.raises(UsageError, match=r"There is no folder .*holdout; .* has test, val"):
        image_folder(tmp_path, test_folder="holdout")


def test_bad_trees_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no directory"):
        image_folder(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"is not laid out as .*CLASS/IMAGE"):
        image_folder(grow(tmp_path / "train", {"cat": 3}) / "cat")
    with pytest.raises(UsageError, match="no valid file for the classes dog"):
        image_folder(grow(tmp_path / "empty", {"cat": 5, "dog": 0}))
    with pytest.raises(UsageError, match=r"nothing to tell apart"):
        image_folder(grow(tmp_path / "single", {"cat": 9}))
    with pytest.raises(UsageError, match=r"different classes \(dog in one only\)"):
        image_folder(grow(tmp_path / "differ", {"train/cat": 5, "train/dog": 5, "val/cat": 2}))
    with pytest.raises(UsageError, match="Class 'dog' has 1 image"):
        image_folder(grow(tmp_path / "scarce", {"cat": 9, "dog": 1}))
    with pytest.raises(UsageError, match="test_folder='test' needs"):
        image_folder(tmp_path / "single", test_folder="test")
    both = grow(tmp_path / "both", {f"{part}/{name}": 4 for part in ("train", "val") for name in "ab"})
    with pytest.raises(UsageError, match=r"holds the test images, so test=0.5 has no use"):
        image_folder(both, test=0.5, test_folder="val")
    with pytest.raises(UsageError, match=r"holds the validation images, so validation=0.5 has no use"):
        image_folder(both, validation=0.5)
    os.mkfifo(both / "train" / "a" / "x.png")
    with pytest.raises(UsageError, match=r"x\.png is not a regular file"):
        image_folder(both)


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_validation_images_of_their_own(tmp_path: Path, name: str) -> None:
    grow(tmp_path, {f"{part}/{kind}": 5 for part in ("train", name, "unlabelled") for kind in "ab"})
    with pytest.warns(UserWarning, match=f"also holds unlabelled, .* images from {name}, test .* from train"):
        data = image_folder(tmp_path, size=8)
    assert from_folders(data) == [{"train"}, {name}, {"train"}]
    assert [len(split) for split in (data.train, data.validation, data.test)] == [8, 10, 2]
    assert sum(data.validation.labels[:4]) == 2  # every prefix is balanced
    (tmp_path / "val").mkdir(exist_ok=True)
    (tmp_path / "valid").mkdir(exist_ok=True)
    with pytest.raises(UsageError, match="has both val and valid"):
        image_folder(tmp_path, size=8)


def test_images_may_be_grey_and_not_square(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(0, 240, 5, dtype=np.uint8), (32, 1))  # (32, 48), dark at the left
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(5):
            Image.fromarray(ramp).save(tmp_path / name / f"{i}.png")
    grey = load(tmp_path, size=(16, 24), grey=True, num_workers=0)
    assert str(grey).endswith("images of 1x16x24, 2 classes")
    whole, colour = (
        next(grey.validation.batches(2)).x,
        next(load(tmp_path, size=(16, 24), num_workers=0).train.batches(2)).x,
    )
    assert (whole.shape, colour.shape) == ((2, 1, 16, 24), (2, 3, 16, 24))
    pixels = (whole[0, 0] * grey.std[0] + grey.mean[0]) * 255
    seen = (np.arange(24) + 2.5) * 48 / 27 - 0.5  # 27 pixels cover 8/7 of the width, the middle 24 are cut out
    assert pixels[0].tolist() == pytest.approx(5 * seen, abs=3)
    assert np.ptp(pixels.numpy(), axis=0).max() < 1.5, "all rows alike"
    streamed = next(grey.train.stream(4, seed=0)).x
    assert streamed.shape == (4, 1, 16, 24)
    assert grey.train.fingerprint() != image_folder(tmp_path, size=(24, 16), grey=True).train.fingerprint()
    with pytest.raises(UsageError, match=r"Grey images have 1 channels; got mean=\(0.5, 0.5, 0.5\)"):
        image_folder(tmp_path, grey=True, mean=(0.5, 0.5, 0.5))
    with pytest.raises(UsageError, match="grey"):
        load("digits", grey=True)
