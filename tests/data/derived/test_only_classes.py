from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from supernet.data import Augment, FewerClasses, ImageData, MemorySplit, OnlyClasses
from supernet.errors import UsageError
from two_splits import images, in_memory, same


def test_it_streams_what_a_split_of_these_classes_alone_streams() -> None:
    both = in_memory(Augment(shift=1.5), Augment()).both
    assert isinstance(both, MemorySplit)
    mine = (both.labels == 0) | (both.labels == 2)
    alone = replace(both, images=both.images[mine], labels=both.labels[mine])
    split = OnlyClasses(both, (2, 0))
    assert len(split) == int(mine.sum()) == 15  # 8 of class 0 and 7 of class 2 among 23
    assert split.labels.tolist() == alone.labels.tolist()
    assert all(same(a, b) for a, b in islice(zip(split.stream(4, seed=1), alone.stream(4, seed=1), strict=True), 8))


def test_classes_that_cannot_be_chosen_are_refused() -> None:
    split = in_memory(Augment(), Augment()).a
    with pytest.raises(UsageError, match="no image of class 3; it has images of 3 classes, of indices 0 to 2"):
        OnlyClasses(split, (0, 3))
    for classes in ((), (1, 1)):
        with pytest.raises(UsageError, match="chooses no class, or one twice"):
            OnlyClasses(split, classes)


def test_data_of_fewer_classes_keep_their_outputs_and_test_images(data: ImageData) -> None:
    fewer = FewerClasses((2, 1))(data.sealed())
    for made, whole in ((fewer.train, data.train), (fewer.validation, data.validation)):
        labels = np.concatenate([b.y.numpy() for b in whole.batches(5)])
        assert len(made) == int(np.isin(labels, (1, 2)).sum())
        assert images(made) < images(whole)
        assert set(next(made.batches(50)).y.tolist()) == {1, 2}
    assert fewer.held_out is data.held_out
    assert fewer.is_sealed
    assert fewer.num_classes == 3
    assert fewer.name == "noise, classes 2, 1"
    assert len({d.fingerprint() for d in (data, fewer, FewerClasses((0, 1))(data))}) == 3
    with pytest.raises(UsageError, match="Only class 2 of noise would be left"):
        FewerClasses((2,))(data)
    with pytest.raises(UsageError, match="no image of class 9"):
        FewerClasses((2, 9))(data)


def test_many_classes_are_not_all_named() -> None:
    from supernet.data import digits

    assert str(FewerClasses((0, 1, 2, 3, 4))(digits())).startswith("digits, classes 0, 1, 2 … (5): ")
