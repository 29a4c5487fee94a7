from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from supernet.data import (
    Augment,
    Corrupted,
    CorruptedFiles,
    Corruption,
    Data,
    ImageData,
    MemorySplit,
    Noise,
    Part,
    TensorSplit,
    WrongLabels,
    digit_domains,
    digits,
)
from supernet.data.derived import corrupted
from supernet.data.indexed import indexed
from supernet.errors import UsageError
from two_splits import in_files, same

NOISE = Corruption(kind="gaussian_noise", severity=4, seed=2)


def test_images_in_memory_are_corrupted_as_they_are_stored(data: ImageData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrupted, "_AT_ONCE", 4)  # their numbers go on from piece to piece
    made = Corrupted(train=NOISE)(data)
    assert isinstance(made.train, MemorySplit)
    assert isinstance(data.train, MemorySplit)
    pixels = data.train.images.float().numpy() / 255
    expected = np.stack([NOISE(image, number) for number, image in enumerate(pixels)]) * 255
    assert torch.equal(made.train.images, torch.from_numpy(expected).round().to(torch.uint8))
    assert torch.equal(made.train.labels, data.train.labels)
    assert (made.train.mean, made.train.std, made.train.augment) == (
        data.train.mean,
        data.train.std,
        data.train.augment,
    )
    assert (made.validation, made.held_out) == (data.validation, data.held_out)
    assert made.name == "noise, gaussian_noise 4 (train)"
    assert made.fingerprint() != data.fingerprint()


def test_each_split_has_a_switch_of_its_own(data: ImageData) -> None:
    for name, held in (("train", "train"), ("validation", "validation"), ("test", "held_out")):
        made = Corrupted(**{name: NOISE})(data)
        for other in ("train", "validation", "held_out"):
            assert (getattr(made, other) is getattr(data, other)) == (other != held)


def test_floats_stay_floats() -> None:
    split = MemorySplit(
        images=torch.rand(5, 1, 4, 4), labels=torch.zeros(5).long(), mean=(0.5,), std=(0.2,), augment=Augment()
    )
    whole = replace(digits(), train=split)
    made = Corrupted(train=Corruption(kind="contrast"))(whole).train
    assert made.images.dtype == torch.float32  # type: ignore[attr-defined]
    wide = replace(whole, train=replace(split, images=split.images * 3))
    with pytest.raises(UsageError, match="corruptions are of pixels from 0 to 1"):
        Corrupted(train=NOISE)(wide)


def test_a_split_of_others_is_corrupted_where_its_images_are() -> None:
    data = digit_domains(target="rotated")
    made = Corrupted(train=NOISE)(data)
    plain = replace(data, train=data.train.split)  # type: ignore[attr-defined]
    assert torch.equal(made.train.split.images, Corrupted(train=NOISE)(plain).train.images)  # type: ignore[attr-defined]
    assert made.train.names == data.train.names  # type: ignore[attr-defined]
    part = replace(plain, train=Part(indexed(plain.train, "a test"), np.array([5, 2])))
    assert torch.equal(
        next(Corrupted(train=NOISE)(part).train.batches(2)).images,
        next(Corrupted(train=NOISE)(plain).train.batches(6)).images[[5, 2]],
    )


def test_files_are_corrupted_as_the_network_is_given_them(tmp_path: Path) -> None:
    two = in_files(tmp_path)
    split = CorruptedFiles(two.a, NOISE)
    for made, own in zip(split.batches(5), two.a.batches(5), strict=True):
        assert torch.equal(made.y, own.y)
        assert not torch.equal(made.images, own.images)
    first = next(two.a.batches(1)).images[0].numpy() * 0.2 + 0.4
    assert np.allclose(next(split.batches(1)).images[0].numpy(), (NOISE(first, 0) - 0.4) / 0.2, atol=1e-5)
    sixth, made = (list(islice(s.batches(5), 2))[1].images[0].numpy() * 0.2 + 0.4 for s in (two.a, split))
    assert np.allclose(made, NOISE(sixth, 5), atol=1e-5), "noise of the image, not of its place in the batch"
    dim = Corruption(kind="contrast", severity=5)
    twice = Corrupted(train=dim)(replace(digits(), train=split)).train
    once = next(split.batches(1)).images[0].numpy() * 0.2 + 0.4
    assert np.allclose(next(twice.batches(1)).images[0].numpy(), (dim(once, 0) - 0.4) / 0.2, atol=1e-5)
    whole = list(islice(split.stream(4, seed=3), 6))
    assert same(next(split.stream(4, seed=3, start=4)), whole[4])
    assert same(next(split.head(3).batches(3)), next(split.batches(3, limit=3)))
    assert len({split.fingerprint(), two.a.fingerprint(), split.head(3).fingerprint()}) == 3


def test_labels_and_images_together() -> None:
    data = digits()
    made = Noise(labels=WrongLabels(rate=0.3), train=NOISE, test=Corruption(kind="contrast", severity=5))(data)
    one_by_one = Corrupted(train=NOISE, test=Corruption(kind="contrast", severity=5))(WrongLabels(rate=0.3)(data))
    assert (made.name, made.fingerprint()) == (one_by_one.name, one_by_one.fingerprint())
    assert Noise()(data) is data
    assert Noise(labels=WrongLabels())(data) is data


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Corrupted(), "asks for nothing; give train, validation or test"),
        (lambda: Corrupted(test=NOISE)(_tensors()), "has no test images that could be corrupted"),
        (lambda: Corrupted(train=NOISE)(_tensors()), r"\(TensorSplit\) cannot be corrupted: what their numbers mean"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(make: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()


def _tensors() -> Data:
    split = TensorSplit(x=torch.rand(4, 3, 8, 8), y=torch.arange(4) % 2)
    return Data(name="t", train=split, validation=split, shape=(3, 8, 8), classes=("a", "b"))
