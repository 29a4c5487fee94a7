"""Digests of data: those of SHA-256, computed once, and never those of other data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from small_nets import images, operations_net
from supernet.data import MemorySplit, TensorSplit, iid
from supernet.data import digest as module
from supernet.data.augment import Augment
from supernet.data.digest import sketch
from supernet.errors import UsageError
from supernet.methods import spos
from supernet.train import fit

PIXELS = torch.randint(256, (400, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def split(pixels: torch.Tensor = PIXELS) -> MemorySplit:
    labels = torch.arange(len(pixels)) % 4
    return MemorySplit(images=pixels.clone(), labels=labels, mean=(0.5,) * 3, std=(0.2,) * 3, augment=Augment())


class Counting:
    """SHA-256 that counts what goes through it."""

    def __init__(self) -> None:
        self.bytes = 0

    def sha256(self, given: bytes = b"") -> Any:
        whole, made = self, hashlib.sha256(given)
        whole.bytes += len(given)

        class Counted:
            def update(self, more: Any) -> None:
                whole.bytes += memoryview(more).nbytes
                made.update(more)

            digest, hexdigest = made.digest, made.hexdigest

        return Counted()


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    counted = Counting()
    monkeypatch.setattr(module, "hashlib", counted)
    return counted


def test_they_are_what_older_checkpoints_hold() -> None:
    there = split()
    settings = f"torch.uint8 (400, 3, 16, 16) {there.mean} {there.std} {there.augment}"
    plain = hashlib.sha256(settings.encode() + there.images.numpy().tobytes() + there.labels.numpy().tobytes())
    assert there.fingerprint() == plain.hexdigest()
    fields = TensorSplit(x={"ids": torch.arange(12).view(4, 3)}, y=torch.tensor([True, False, True, True]))
    first, second = (tensor.numpy().tobytes() for tensor in (fields.x["ids"], fields.y))  # type: ignore[index]
    told = b"x.ids torch.int64 (4, 3)" + first + b"y. torch.bool (4,)" + second
    assert fields.fingerprint() == hashlib.sha256(told).hexdigest()


def test_what_has_not_changed_is_not_hashed_again(counting: Counting) -> None:
    there, size = split(), PIXELS.numel() + 8 * len(PIXELS)
    first = there.fingerprint()
    assert size < counting.bytes < 1.1 * size
    counting.bytes = 0
    assert there.fingerprint() == first
    assert counting.bytes < size / 50, "sums of 4 KiB each, and what is left over"
    assert split().fingerprint() == first
    assert counting.bytes > size, "another split of the same images is another split"


def with_numpy(there: MemorySplit) -> None:
    there.images.numpy()[399, 2, 15, 15] ^= 1  # torch hears nothing of it


def with_torch(there: MemorySplit) -> None:
    there.images[0, 0, 0, 0] += 1


def two_images(there: MemorySplit) -> None:
    there.images[[3, 7]] = there.images[[7, 3]]


def channels(there: MemorySplit) -> None:
    there.images.copy_(there.images.flip(1))


def mirror(there: MemorySplit) -> None:
    there.images.copy_(there.images.flip(3))


def label(there: MemorySplit) -> None:
    there.labels.numpy()[5] = 0


@pytest.mark.parametrize("change", [with_numpy, with_torch, two_images, channels, mirror, label])
def test_whatever_was_written_is_noticed(change: Callable[[MemorySplit], None]) -> None:
    there = split()
    before = there.fingerprint()
    change(there)
    assert there.fingerprint() != before
    assert there.fingerprint() == replace(there).fingerprint(), "that of a split that was never looked at"


@pytest.mark.parametrize("shape", [(1,), (7,), (511, 8), (512, 8), (513, 8), (3, 5, 1000)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.bool])
def test_one_value_changes_a_sketch(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    rng = np.random.default_rng(0)
    tensor = torch.from_numpy(rng.integers(2, size=shape)).to(dtype)
    before = sketch(tensor)
    for place in rng.integers(tensor.numel(), size=20).tolist():
        flat = tensor.clone().view(-1)
        flat[place] = 1 - flat[place].int()
        assert sketch(flat.view(shape)) != before
    assert sketch(tensor.clone()) == before
    assert sketch(tensor.t() if tensor.ndim == 2 else tensor) == sketch(
        tensor.t().clone() if tensor.ndim == 2 else tensor
    )


def test_words_that_change_places_change_a_sketch() -> None:
    words = torch.arange(1024)
    assert sketch(words.view(32, 32).t()) == sketch(words.view(32, 32).t().clone()), "as it is read, not as it lies"
    for a, b in ((0, 1), (10, 500), (3, 515), (511, 512)):
        other = words.clone()
        other[[a, b]] = other[[b, a]]
        assert sketch(other) != sketch(words), (a, b)


def test_images_of_many_clients_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []

    def counted(tensor: torch.Tensor) -> bytes:
        looked.append(tensor.numel())
        return sketch(tensor)

    monkeypatch.setattr(module, "sketch", counted)
    data = images()
    parts = {f"part {n}": part for n, part in enumerate(iid(data.train, clients=9))}
    divided = replace(data, more=parts)
    before = divided.fingerprint()
    assert looked.count(data.train.images.numel()) == 1
    data.train.images.numpy()[0, 0, 0, 0] += 1
    assert divided.fingerprint() != before
    assert looked.count(data.train.images.numel()) == 2, "once in each call: it may change in between"


@pytest.mark.parametrize("change", [with_numpy, with_torch])
def test_a_training_does_not_go_on_with_data_in_which_a_pixel_has_changed(
    change: Callable[[MemorySplit], None], tmp_path: Path
) -> None:
    data = images()
    train = replace(data.train, images=data.train.images.clone())
    mine = replace(data, train=train)
    settings: dict[str, Any] = {"steps": 4, "batch_size": 16, "accelerator": "cpu", "progress": False, "out": tmp_path}
    fit(operations_net(), spos(), mine, stop_after=2, **settings)
    assert fit(operations_net(), spos(), mine, stop_after=3, resume=True, **settings).steps == 3
    pixel = train.images[-1, -1, -1, -1].clone()
    if change is with_torch:
        train.images[-1, -1, -1, -1] += 1
    else:
        train.images.numpy()[-1, -1, -1, -1] += 1
    with pytest.raises(UsageError, match="data"):
        fit(operations_net(), spos(), mine, resume=True, **settings)
    train.images[-1, -1, -1, -1] = pixel
    assert fit(operations_net(), spos(), mine, resume=True, **settings).steps == 4
