from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from supernet.data import Augment, digits, image_folder, load, npz
from supernet.data.folder import FolderAugment
from supernet.errors import RunError, UsageError


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "noise.npz"
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    np.savez(path, x_train=images, y_train=np.arange(40) % 2)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("cat", "dog"):
        (tmp_path / "tree" / name).mkdir(parents=True)
        for i in range(10):
            Image.fromarray(np.full((9, 9, 3), i, dtype=np.uint8)).save(tmp_path / "tree" / name / f"{i}.png")
    return tmp_path / "tree"


def test_load_is_the_loader_of_that_name_or_path(archive: Path, tree: Path) -> None:
    expected = digits(seed=2, validation=100, test=0.3, downscale=2).fingerprint()
    assert load("digits", seed=2, validation=100, test=0.3, downscale=2).fingerprint() == expected
    expected = npz(archive, seed=2, validation=0.5, test=10, downscale=4).fingerprint()
    assert load(str(archive), seed=2, validation=0.5, test=10, downscale=4).fingerprint() == expected
    expected = image_folder(tree, seed=2, validation=0.5, test=4, size=8).fingerprint()
    loaded = load(tree, seed=2, validation=0.5, test=4, size=8, num_workers=0)
    assert loaded.fingerprint() == expected
    assert loaded.train.num_workers == 0


def test_augmentation_by_its_settings(archive: Path, tree: Path) -> None:
    for source in ("digits", archive):
        assert load(source, augment={}).train.augment == Augment()
        assert load(source, augment={"flip": True}).train.augment == Augment(flip=True)
        assert load(source).train.augment != Augment()
    assert load(tree, augment={"min_area": 0.5}).train.augment == FolderAugment(min_area=0.5)
    with pytest.raises(UsageError, match="no augmentation 'mixup' for this data; there are crop_padding"):
        load("digits", augment={"mixup": 0.1})
    with pytest.raises(UsageError, match=r'a table of settings, in JSON such as {"flip": true} .* got \'{flip=true}\''):
        load("digits", augment="{flip=true}")


def test_without_options_the_loaders_defaults_hold(archive: Path, tree: Path) -> None:
    assert load("digits").fingerprint() == digits().fingerprint()
    assert load(archive).fingerprint() == npz(archive).fingerprint()
    assert load(tree).fingerprint() == image_folder(tree).fingerprint()
    assert load("mnist5k").name == "mnist5k"


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_root_and_download_reach_cifar(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match=f"{name} is not complete in {tmp_path}"):
        load(name, root=tmp_path, download=False)


def test_options_without_meaning_are_refused(archive: Path, tree: Path) -> None:
    with pytest.raises(UsageError, match="root=data, size=8 has no meaning for the data set digits"):
        load("digits", root="data", size=8)
    with pytest.raises(UsageError, match=r"test=0.2 has no meaning for the data set cifar10"):
        load("cifar10", test=0.2)
    with pytest.raises(UsageError, match="num_workers=2 has no meaning"):
        load(archive, num_workers=2)
    with pytest.raises(UsageError, match="downscale=2 has no meaning"):
        load(tree, downscale=2)


def test_an_unknown_name_lists_what_is_allowed() -> None:
    with pytest.raises(UsageError, match="no data set 'cifar11'; give digits, mnist5k, cifar10, cifar100"):
        load("cifar11")


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("mine.py", "as module:name, such as mine:load"),
        ("mine.csv", "x_train and y_train with numpy.savez"),
        ("mine.zip", "unpack it, and give the directory"),
        ("passwd", "give an .npz file with x_train and y_train, a directory of images, or a function"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_what_is_wanted(name: str, instead: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(UsageError, match=f"is a file, but not of data: .*{instead}"):
        load(tmp_path / name)
