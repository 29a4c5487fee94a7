from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from supernet.data import (
    AllImages,
    Augment,
    Chained,
    FewerClasses,
    ImageData,
    Joined,
    MemorySplit,
    Part,
    RandomLabelled,
    RandomLabels,
)
from supernet.errors import UsageError
from two_splits import A, B, Two, images, in_files, in_memory, same, streamed


@pytest.mark.parametrize("world", [1, 2])
def test_it_streams_what_one_split_of_all_images_streams(two: Two, world: int) -> None:
    """The second split is given another augmentation, which must not be seen."""
    joined = Joined(two.a, two.b)
    assert len(joined) == len(two.both) == A + B
    streams = (split.stream(3, seed=7, start=2, rank=world - 1, world=world) for split in (joined, two.both))
    assert all(same(a, b) for a, b in islice(zip(*streams, strict=True), 10))
    assert all(same(a, b) for a, b in zip(joined.batches(4), two.both.batches(4), strict=True))


def test_splits_in_splits_stream_what_one_split_of_their_images_streams(two: Two) -> None:
    halves = Joined(two.a, Joined(two.b.head(4), Part(two.b, np.arange(4, B))))
    chosen = np.array([20, 3, 15, 0, 7, 22, 9])
    for nested, plain in ((halves, two.both), (Part(halves, chosen), Part(two.both, chosen))):
        pairs = zip(nested.stream(3, seed=7, start=1), plain.stream(3, seed=7, start=1), strict=True)
        assert all(same(a, b) for a, b in islice(pairs, 10))


def test_batches_from_one_of_the_two_alone_are_in_place() -> None:
    two = in_memory(Augment(crop_padding=1), Augment())
    joined = Joined(two.a, two.b.head(1))
    assert isinstance(two.both, MemorySplit)
    whole = replace(two.both, images=two.both.images[: A + 1], labels=two.both.labels[: A + 1])
    pairs = zip(joined.stream(1, seed=0), whole.stream(1, seed=0), strict=True)
    assert all(same(a, b) for a, b in islice(pairs, 2 * (A + 1)))


def test_splits_that_do_not_fit_together_are_refused(folder: Path) -> None:
    two, files = in_memory(Augment(), Augment()), in_files(folder)
    assert isinstance(two.b, MemorySplit)
    with pytest.raises(UsageError, match="3x8x10 and of 3x4x4 make no batch"):
        Joined(two.a, replace(two.b, images=two.b.images[:, :, :4, :4]))
    with pytest.raises(UsageError, match="cannot be joined with itself"):
        Joined(two.a, two.a)
    square = replace(two.b, images=two.b.images[:, :, :7, :7])
    with pytest.raises(UsageError, match="augmented by Augment and FolderAugment cannot be joined"):
        Joined(square, files.a)


def test_an_epoch_of_all_images_has_every_one_once(data: ImageData) -> None:
    made = AllImages()(data.sealed())
    assert len(made.train) == A + B
    for epoch in (0, 3):
        seen = Counter(streamed(made.train, A + B, seed=1, start=epoch, steps=1))
        assert set(seen.values()) == {1}
        assert set(seen) == images(data.train) | images(data.validation)
    assert not set(seen) & images(data.test)
    assert (made.validation, made.held_out, made.is_sealed) == (data.validation, data.held_out, True)
    assert made.fingerprint() != data.fingerprint()
    assert made.name == "noise, all images"


@pytest.mark.parametrize("change", [RandomLabelled(), FewerClasses((0, 1))])
def test_no_other_change_trains_on_an_image_for_validation_or_testing(
    change: RandomLabelled | FewerClasses, data: ImageData
) -> None:
    made = change(data)
    seen = set(streamed(made.train, 4, seed=1, start=0, steps=30))
    assert seen <= images(data.train)
    assert not seen & (images(data.validation) | images(data.test))


def test_all_images_are_joined_once_and_under_labels_of_one_kind(data: ImageData) -> None:
    for first in (AllImages(), Chained((AllImages(), FewerClasses((0, 1)))), Chained((AllImages(), RandomLabelled()))):
        with pytest.raises(UsageError, match="among the training images already; join once"):
            AllImages()(first(data))
    for first in (RandomLabelled(), Chained((RandomLabelled(), FewerClasses((0, 1))))):
        with pytest.raises(UsageError, match=r"Join first: Chained\(\(AllImages\(\), RandomLabelled"):
            AllImages()(first(data))


def test_all_images_under_random_labels(data: ImageData) -> None:
    made = Chained((AllImages(), RandomLabelled(seed=4)))(data)
    assert isinstance(made.train, RandomLabels)
    assert len(np.unique(made.train.labels)) == 3
    assert images(made.train) == images(data.train) | images(data.validation)
    assert same(next(made.validation.batches(9)), next(data.validation.batches(9)))
