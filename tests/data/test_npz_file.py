import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from supernet.data import from_arrays, npz
from supernet.errors import RunError, UsageError

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
Y = np.arange(60) % 3
NAMES = np.array(["cat", "dog", "emu"])


def store(folder: Path, **arrays: Any) -> Path:
    path = folder / "mine.npz"
    np.savez_compressed(path, **arrays)
    return path


def test_a_file_with_test_images(tmp_path: Path) -> None:
    path = store(tmp_path, x_train=X, y_train=Y, x_test=X[:9], y_test=Y[:9], class_names=NAMES, extra=Y)
    with pytest.warns(UserWarning, match="also holds extra, which no split uses; used are x_train, y_train, x_test"):
        data = npz(path, validation=12, seed=3)
    assert str(data) == "mine: 48 train, 12 validation, 9 test images of 3x8x8, 3 classes"
    assert data.classes == ("cat", "dog", "emu")
    same = from_arrays(X, Y, name="", test=(X[:9], Y[:9]), validation=12, seed=3, classes=("cat", "dog", "emu"))
    assert data.fingerprint() == same.fingerprint()


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_file_with_validation_images(tmp_path: Path, name: str) -> None:
    own = {f"x_{name}": X[:21], f"y_{name}": Y[:21]}
    data = npz(store(tmp_path, x_train=X, y_train=Y, x_test=X[:9], y_test=Y[:9], **own), seed=3)
    assert str(data) == "mine: 60 train, 21 validation, 9 test images of 3x8x8, 3 classes"
    assert {i.numpy().tobytes() for i in data.validation.images} == {np.moveaxis(i, -1, 0).tobytes() for i in X[:21]}
    assert len(npz(store(tmp_path, x_train=X, y_train=Y, **own)).test) == 12
    with pytest.raises(UsageError, match=r"has its own validation images, so validation=0.5 has no use"):
        npz(tmp_path / "mine.npz", validation=0.5)


def test_two_sets_of_validation_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has both x_val and x_valid"):
        npz(store(tmp_path, x_train=X, y_train=Y, x_val=X, y_val=Y, x_valid=X, y_valid=Y))


def test_an_array_that_claims_more_than_there_is(tmp_path: Path) -> None:
    store(tmp_path, y_train=Y)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**15, 8, 8)})
    with zipfile.ZipFile(tmp_path / "mine.npz", "a") as archive:
        archive.writestr("x_train.npy", header.getvalue() + bytes(100))
    with pytest.raises(RunError, match=r"x_train in .*mine.npz claims to exceed the memory"):
        npz(tmp_path / "mine.npz")


def test_a_file_without_test_images(tmp_path: Path) -> None:
    path = store(tmp_path, x_train=np.moveaxis(X, -1, 1) / np.float32(255), y_train=Y)
    assert str(npz(path)) == "mine: 38 train, 10 validation, 12 test images of 3x8x8, 3 classes"
    assert len(npz(path, test=30).test) == 30
    assert npz(path, downscale=2).shape == (3, 4, 4)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": X, "labels": Y}, "lacks x_train and y_train; it holds images, labels"),
        ({"x_train": X}, "lacks y_train; it holds x_train"),
        ({"x_train": X, "y_train": Y, "x_test": X}, "lacks y_test; it holds x_test, x_train, y_train"),
        ({"x_train": X, "y_train": Y[1:]}, r"y_train has shape \(59,\), but x_train has 60 images"),
        ({"x_train": X, "y_train": Y * 0.5}, "y_train has dtype float64"),
        ({"x_train": X, "y_train": Y - 2}, "y_train has the negative label -2"),
        ({"x_train": X, "y_train": Y + 1, "class_names": NAMES}, "y_train has the label 3, out of range for 3"),
        ({"x_train": X, "y_train": Y * 0}, "y_train has one class only"),
        (
            {"x_train": X, "y_train": np.append(Y[:59].astype(np.uint64), np.uint64(2**64 - 1))},
            "has the label 18446744",
        ),
        ({"x_train": X * 1e19, "y_train": Y}, r"a pixel of 2.55e\+21, beside which the others vanish"),
        ({"x_train": np.where(np.arange(60).reshape(-1, 1, 1, 1) == 7, -1e38, X), "y_train": Y}, r"a pixel of 1e\+38"),
        ({"x_train": X, "y_train": Y, "x_val": X}, "lacks y_val; it holds x_train, x_val"),
        ({"x_train": X[:, 0, 0], "y_train": Y}, r"x_train has shape \(60, 3\)"),
        ({"x_train": np.where(X > 250, np.nan, X), "y_train": Y}, "x_train has NaN or infinite pixels"),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y + 1}, "y_test has the label 3, out of range"),
        ({"x_train": X, "y_train": Y, "class_names": Y}, "class_names in .* is int64"),
        ({"x_train": np.array([None, "a"]), "y_train": Y}, "x_train in .* cannot be read as numbers or text"),
        ({"x_train": X[:5], "y_train": Y[:5]}, "Class '2' has 1 image left to divide, but test=0.2 needs"),
    ],
)
def test_bad_content_is_refused_in_a_sentence(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        npz(store(tmp_path, **arrays))


def test_a_test_size_beside_test_images_is_refused(tmp_path: Path) -> None:
    path = store(tmp_path, x_train=X, y_train=Y, x_test=X, y_test=Y)
    with pytest.raises(UsageError, match=r"has its own test images, so test=0.2 has no use"):
        npz(path, test=0.2)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no file .*nowhere.npz"):
        npz(tmp_path / "nowhere.npz")


@pytest.mark.parametrize("content", [b"", b"not a zip file at all", b"PK\x03\x04 cut"])
def test_what_is_no_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"bad.npz is not an .npz file, or is cut short"):
        npz(path)


def test_a_single_array_is_no_archive(tmp_path: Path) -> None:
    with (tmp_path / "one.npz").open("wb") as file:
        np.save(file, X)
    with pytest.raises(RunError, match="holds a single array"):
        npz(tmp_path / "one.npz")


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_a_truncated_file(tmp_path: Path, keep: float) -> None:
    path = store(tmp_path, x_train=X, y_train=Y)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(RunError, match="cut short"):
        npz(path)


def test_a_flipped_bit(tmp_path: Path) -> None:
    path = store(tmp_path, x_train=X, y_train=Y)
    damaged = bytearray(path.read_bytes())
    damaged[5000] ^= 0xFF
    path.write_bytes(bytes(damaged))
    with pytest.raises(RunError, match="damaged at x_train"):
        npz(path)
