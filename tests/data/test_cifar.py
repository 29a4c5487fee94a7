"""The real reading code, on small files in CIFAR's format whose checksums torchvision is told."""

import hashlib
import pickle
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
from torchvision.datasets import CIFAR10, CIFAR100

from supernet.data import cifar10, cifar100
from supernet.errors import RunError, UsageError


def write(folder: Path, source: Any, label_key: str, classes: int, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Write each of the source's files with 20 images per class; return the training pixels as stored."""
    rng, training = np.random.default_rng(0), []
    base = folder / source.base_folder
    base.mkdir()

    def dump(name: str, content: dict[str, Any]) -> str:
        (base / name).write_bytes(pickle.dumps(content))
        return hashlib.md5((base / name).read_bytes()).hexdigest()

    lists: dict[str, list[list[str]]] = {}
    for part in ("train_list", "test_list"):
        lists[part] = []
        for name, _ in getattr(source, part):
            labels = rng.permutation(np.repeat(np.arange(classes), 20))
            data = rng.integers(0, 256, (len(labels), 3072), dtype=np.uint8)
            data[:, 0], data[:, 1024] = labels, 7  # first pixel: red tells the label, green is 7
            lists[part].append([name, dump(name, {"data": data, label_key: labels.tolist()})])
            if part == "train_list":
                training.append(data)
        monkeypatch.setattr(source, part, lists[part])
    meta = source.meta
    names = {meta["key"]: [f"name {i}" for i in range(classes)]}
    monkeypatch.setattr(source, "meta", {**meta, "md5": dump(meta["filename"], names)})
    return np.concatenate(training)


def test_cifar10_reads_all_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = write(tmp_path, CIFAR10, "labels", 10, monkeypatch)
    data = cifar10(tmp_path, validation=0.5)
    assert str(data) == "cifar10: 500 train, 500 validation, 200 test images of 3x32x32, 10 classes"
    assert data.classes[3] == "name 3"
    for split in (data.train, data.validation, data.test):
        assert split.images[:, 0, 0, 0].tolist() == split.labels.tolist()
        assert split.images[:, 1, 0, 0].unique().tolist() == [7]
        assert np.ptp(split.labels.bincount().numpy()) == 0
    ours = {i.numpy().tobytes() for s in (data.train, data.validation) for i in s.images}
    assert ours == {row.tobytes() for row in stored}


def test_cifar100_uses_fine_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, CIFAR100, "fine_labels", 100, monkeypatch)
    data = cifar100(tmp_path, validation=400, downscale=2)
    assert str(data) == "cifar100: 1600 train, 400 validation, 2000 test images of 3x16x16, 100 classes"
    with pytest.raises(UsageError, match="with 100 classes, both sides need one of each"):
        cifar100(tmp_path, validation=50)


def test_a_failed_download_says_what_to_fetch_and_where_to_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", unreachable)
    with pytest.raises(RunError, match=r"could not be downloaded.*no route to host.*cifar-10-python.tar.gz") as caught:
        cifar10(tmp_path)
    assert str(tmp_path / "cifar-10-batches-py") in str(caught.value)


def test_without_download_missing_files_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cifar100 is not complete in .*cifar-100-python"):
        cifar100(tmp_path, download=False)


def test_a_file_with_another_checksum_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, CIFAR10, "labels", 10, monkeypatch)
    with (tmp_path / CIFAR10.base_folder / "data_batch_2").open("ab") as file:
        file.write(b"x")
    with pytest.raises(RunError, match="is not complete"):
        cifar10(tmp_path, download=False)
