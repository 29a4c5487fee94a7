from dataclasses import replace

import numpy as np
import pytest

from supernet.data import ImageData, from_arrays
from supernet.errors import UsageError


@pytest.fixture
def data() -> ImageData:
    images = np.random.default_rng(0).integers(0, 256, (100, 6, 6), dtype=np.uint8)
    return from_arrays(images, np.arange(100) % 4, name="noise")


def test_sealed_data_hides_the_test_images_only(data: ImageData) -> None:
    sealed = data.sealed()
    with pytest.raises(UsageError, match="Architecture search never sees test data"):
        _ = sealed.test
    assert sealed.train is data.train
    assert sealed.validation is data.validation
    assert len(data.test) == 20  # the original stays open
    assert sealed.fingerprint() == data.fingerprint()
    assert str(sealed) == str(data)
    with pytest.raises(UsageError):
        _ = sealed.subset(8).test


def test_a_subset_keeps_class_shares_and_the_other_splits(data: ImageData) -> None:
    small = data.subset(8)
    assert next(small.train.batches(100)).y.bincount().tolist() == [2, 2, 2, 2]
    assert small.validation is data.validation
    assert small.mean == data.mean
    with pytest.raises(UsageError, match="ask for 1 to 64"):
        data.subset(65)


def test_the_fingerprint_covers_every_split(data: ImageData) -> None:
    others = [
        data.subset(63),
        replace(data, validation=data.validation.head(3)),
        replace(data, held_out=data.held_out.head(3)),
        replace(data, classes=("a", "b", "c", "d")),
    ]
    assert len({d.fingerprint() for d in [data, *others]}) == 5
    assert replace(data, name="renamed").fingerprint() == data.fingerprint()


def test_one_class_is_not_a_data_set(data: ImageData) -> None:
    with pytest.raises(UsageError, match="nothing to tell apart"):
        replace(data, classes=("cat",))


def test_str_says_what_is_inside(data: ImageData) -> None:
    assert str(data) == "noise: 64 train, 16 validation, 20 test images of 1x6x6, 4 classes"


def test_splits_by_name(data: ImageData) -> None:
    more = {"target": data.train.head(8), **{f"client/{i}": data.train.head(i + 1) for i in range(9)}}
    wide = replace(data, more=more)
    assert wide.split("train") is data.split("train") is data.train
    assert wide.split("validation") is data.validation
    assert wide.split("target") is more["target"]
    with pytest.raises(UsageError, match=r"noise has no split 'target'; there are train, validation\. Test examples"):
        data.split("target")
    listed = "there are train, validation, target, client/0, client/1, client/2 and 6 more"
    with pytest.raises(UsageError, match=f"no split 'client/9'; {listed}"):
        wide.split("client/9")
    assert wide.sealed().subset(4).more is more


@pytest.mark.parametrize("name", ["test", "held_out"])
def test_test_images_have_no_name(data: ImageData, name: str) -> None:
    for each in (data, data.sealed()):
        with pytest.raises(UsageError, match=r"Test examples are read through \.test alone"):
            each.split(name)
    with pytest.raises(UsageError, match=f"a split '{name}' of its own"):
        replace(data, more={name: data.train})


def test_further_splits_are_in_the_fingerprint(data: ImageData) -> None:
    """And none of them changes nothing."""
    digests = [
        data.fingerprint(),
        replace(data, more={"a": data.train}).fingerprint(),
        replace(data, more={"b": data.train}).fingerprint(),
        replace(data, more={"a": data.validation}).fingerprint(),
    ]
    assert len(set(digests)) == 4
    a, b = {"a": data.train, "b": data.validation}, {"b": data.validation, "a": data.train}
    assert replace(data, more=a).fingerprint() == replace(data, more=b).fingerprint()
    assert hash(replace(data, more=a)) == hash(data)
