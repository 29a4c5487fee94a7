"""Images brought to another shape: values, order, randomness and fingerprints."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from small_nets import images
from supernet.data import AllImages, ImageData
from supernet.deploy import resized
from supernet.errors import UsageError


def colours(data: ImageData, channels: int) -> ImageData:
    return resized(data, (channels, 8, 8))


def test_grey_is_repeated_and_colours_are_averaged() -> None:
    grey, colour = next(images().validation.batches(20)), next(colours(images(), 3).validation.batches(20))
    assert colour.x.shape == (20, 3, 8, 8)
    assert torch.equal(colour.y, grey.y)
    assert all(torch.equal(colour.x[:, channel], grey.x[:, 0]) for channel in range(3))
    back = next(resized(colours(images(), 3), (1, 8, 8)).validation.batches(20))
    torch.testing.assert_close(back.x, grey.x)


def test_sizes_change_by_bilinear_interpolation_of_the_same_images() -> None:
    larger = resized(images(), (3, 13, 10))
    assert larger.shape == (3, 13, 10)
    assert len(larger.mean) == len(larger.std) == 3
    assert larger.num_classes == images().num_classes
    for split in ("train", "validation", "test"):
        assert len(getattr(larger, split)) == len(getattr(images(), split))
    plain = images().train.stream(16, seed=3, start=5)
    stream = larger.train.stream(16, seed=3, start=5)
    for (x, y), (big, label) in itertools.islice(zip(plain, stream, strict=True), 3):
        expected = F.interpolate(x, size=(13, 10), mode="bilinear")
        torch.testing.assert_close(big, expected.expand(-1, 3, -1, -1))
        assert torch.equal(y, label)
    halved = next(resized(images(), (1, 4, 4)).validation.batches(5)).x
    pooled = F.avg_pool2d(next(images().validation.batches(5)).x, 2)
    assert (halved - pooled).abs().mean() < 0.5 * (
        next(images().validation.batches(5)).x[..., ::2, ::2] - pooled
    ).abs().mean()


def test_the_fingerprint_tells_the_shape_and_nothing_is_wrapped_in_vain() -> None:
    assert resized(images(), images().shape) is images()
    found = {resized(images(), shape).fingerprint() for shape in ((1, 8, 8), (3, 8, 8), (1, 9, 8), (1, 8, 9))}
    assert len(found) == 4
    assert len(resized(images(), (3, 8, 8)).subset(30).train) == 30
    assert resized(images().sealed(), (3, 8, 8)).is_sealed


def test_further_splits_are_resized_too() -> None:
    data = replace(images(), more={"target": images().validation})
    more = colours(data, 3).split("target")
    assert torch.equal(next(more.batches(20)).x, next(colours(data, 3).validation.batches(20)).x)


def test_splits_are_made_of_resized_ones_as_of_others() -> None:
    made, first = AllImages()(resized(images(), (1, 6, 6))), resized(AllImages()(images()), (1, 6, 6))
    for a, b in itertools.islice(zip(made.train.stream(8, seed=1), first.train.stream(8, seed=1), strict=True), 5):
        assert torch.equal(a.x, b.x)
        assert torch.equal(a.y, b.y)


def test_channels_that_cannot_be_adapted() -> None:
    with pytest.raises(UsageError, match=r"have 3 channels, .* trained with 4.*adapt='learned'"):
        resized(colours(images(), 3), (4, 8, 8))
