from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from supernet.data import Augment, ImageData, from_arrays
from supernet.errors import UsageError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (60, 8, 12, 3), dtype=np.uint8)
LABELS = np.arange(60) % 3


def build(images: Any = IMAGES, labels: Any = LABELS, **options: Any) -> ImageData:
    return from_arrays(images, labels, name="mine", **options)


def pixels(data: ImageData) -> set[bytes]:
    return {i.numpy().tobytes() for s in (data.train, data.validation, data.held_out) for i in s.images}


def test_the_splits_are_disjoint_and_complete() -> None:
    data = build(test=12, validation=0.25)
    assert [len(s) for s in (data.train, data.validation, data.test)] == [36, 12, 12]
    assert pixels(data) == {np.ascontiguousarray(np.moveaxis(i, -1, 0)).tobytes() for i in IMAGES}
    assert data.classes == ("0", "1", "2")
    assert data.num_classes == 3
    assert data.shape == (3, 8, 12)


def test_labels_stay_with_their_images() -> None:
    marked = np.broadcast_to(LABELS[:, None, None].astype(np.uint8) * 50, (60, 4, 4))
    data = build(marked)
    for split in (data.train, data.validation, data.test):
        assert torch.equal(split.images[:, 0, 2, 1].long(), split.labels * 50)


def test_normalisation_is_that_of_the_training_images() -> None:
    data = build()
    x = next(data.train.batches(1000)).x.double()
    assert torch.allclose(x.mean((0, 2, 3)), torch.zeros(3).double(), atol=1e-5)
    assert torch.allclose(x.std((0, 2, 3), correction=0), torch.ones(3).double(), atol=1e-5)
    assert data.mean == data.train.mean == data.validation.mean == data.test.mean
    assert next(data.test.batches(1000)).x.mean().abs() > 1e-4


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_layouts_hold_the_same_images(dtype: Any) -> None:
    images = IMAGES.astype(dtype)
    last = build(images)
    assert last.fingerprint() == build(np.moveaxis(images, -1, 1)).fingerprint()
    assert last.fingerprint() == build(images, layout="NHWC").fingerprint()
    assert build(images[:, :, :3], layout="NCHW").shape == (8, 3, 3)
    assert build(images[..., 0]).fingerprint() == build(images[..., :1]).fingerprint()


def test_tensors_and_column_labels_are_accepted() -> None:
    as_tensors = build(torch.from_numpy(IMAGES), torch.from_numpy(LABELS)[:, None])
    assert as_tensors.fingerprint() == build().fingerprint()


def test_own_test_images_are_the_test_split() -> None:
    test = (IMAGES[:6] // 2, np.array([0, 0, 2, 2, 2, 2]))  # a test set may lack a class
    data = build(test=test, validation=30)
    assert [len(s) for s in (data.train, data.validation, data.test)] == [30, 30, 6]
    assert data.test.labels.bincount().tolist() == [2, 0, 4]


def test_the_seed_decides_the_splits() -> None:
    assert build(seed=1).fingerprint() == build(seed=1).fingerprint()
    assert build(seed=1).fingerprint() != build(seed=2).fingerprint()


def test_downscale_averages() -> None:
    data = build(downscale=4, augment=Augment())
    assert data.shape == (3, 2, 3)
    blocks = IMAGES.reshape(60, 2, 4, 3, 4, 3).mean((2, 4)).transpose(0, 3, 1, 2)
    rounded = {np.rint(b).astype(np.uint8).tobytes() for b in blocks}
    assert pixels(data) == rounded
    floats = build(IMAGES.astype(np.float64), downscale=4, augment=Augment())
    got = torch.cat([s.images for s in (floats.train, floats.validation, floats.test)])
    assert sorted(got.sum((1, 2, 3)).tolist()) == pytest.approx(sorted(blocks.sum((1, 2, 3))), rel=1e-6)


def test_the_augmentation_follows_the_scaled_size() -> None:
    photos = RNG.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    assert build(photos, np.arange(20) % 2).train.augment == Augment(crop_padding=4, padding="reflect", flip=True)
    assert build(photos, np.arange(20) % 2, downscale=2).train.augment == Augment(
        crop_padding=2, padding="reflect", flip=True
    )


def with_nan() -> np.ndarray:
    images = IMAGES.astype(np.float32)
    images[3, 0, 0, 0] = np.nan
    images[4, 1, 1, 1] = np.inf
    return images


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: build(IMAGES.astype(np.int64)), r"images has dtype int64; store images as uint8 .* or as floats"),
        (lambda: build(IMAGES[0, 0]), r"images has shape \(12, 3\); images have shape \(N, H, W\)"),
        (lambda: build(IMAGES[:0], LABELS[:0]), r"images has shape \(0, 8, 12, 3\)"),
        (lambda: build(with_nan()), "NaN or infinite pixels in 2 of 60 images"),
        (lambda: build(labels=LABELS * 1.0), "labels has dtype float64; labels are whole numbers"),
        (lambda: build(labels=LABELS[:50]), r"labels has shape \(50,\), but images has 60 images"),
        (lambda: build(labels=np.eye(60, dtype=int)), r"labels has shape \(60, 60\)"),
        (lambda: build(labels=LABELS - 1), "negative label -1; labels count from 0"),
        (lambda: build(labels=LABELS * 0), "one class only"),
        (lambda: build(labels=LABELS * 2), "no image of class 1, though labels go up to 4"),
        (lambda: build(labels=LABELS * 10**12), "no image of class 1"),
        (lambda: build(classes=("a", "b")), "label 2, out of range for 2 class names; labels go from 0 to 1"),
        (lambda: build(classes=("a", "b", "c", "d")), "no image of class 3"),
        (lambda: build(np.zeros((60, 8, 8, 7), np.uint8)), "layout='NHWC' .* or layout='NCHW'"),
        (lambda: build(np.zeros((60, 3, 8, 3), np.uint8)), "layout='NHWC' .* or layout='NCHW'"),
        (lambda: build(layout="HWCN"), "layout='HWCN' is unknown"),
        (lambda: build(downscale=3), r"downscale=3 does not divide images of 8x12; use one of \[1, 2, 4\]"),
        (lambda: build(downscale=0), "downscale=0 does not divide"),
        (lambda: build(test=(IMAGES[:, :4], LABELS)), r"shape \(4, 12, 3\).*store both alike"),
        (lambda: build(test=(IMAGES / 255, LABELS)), "test images has float32 .*store both alike"),
        (lambda: build(test=(IMAGES, LABELS + 1)), "test labels has the label 3, out of range for the 3 classes"),
        (lambda: build(test=(IMAGES, LABELS[1:])), "test labels has shape"),
        (lambda: build(validation=0), "validation=0 is not a size"),
        (lambda: build(test=0.999), "test=0.999 holds out 60 images of 60"),
        (lambda: build(IMAGES[:5], LABELS[:5]), "Class '2' has 1 image left to divide, but test=0.2"),
        (lambda: build(seed=-3), "seed=-3 is negative"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(make: Callable[[], ImageData], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
