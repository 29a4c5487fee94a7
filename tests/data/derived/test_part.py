from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from supernet.data import Augment, FolderSplit, MemorySplit, Part
from supernet.errors import UsageError
from two_splits import Two, in_memory, same

CHOSEN = np.array([5, 2, 22, 11, 17, 3, 8])


def test_it_streams_what_a_split_of_these_images_alone_streams(two: Two) -> None:
    if isinstance(two.both, MemorySplit):
        alone = replace(two.both, images=two.both.images[CHOSEN], labels=two.both.labels[CHOSEN])
    else:
        assert isinstance(two.both, FolderSplit)
        files, labels = two.both.files, two.both.labels
        alone = replace(two.both, files=tuple(files[i] for i in CHOSEN), labels=tuple(labels[i] for i in CHOSEN))
    part = Part(two.both, CHOSEN)
    pairs = zip(part.stream(3, seed=7, start=1), alone.stream(3, seed=7, start=1), strict=True)
    assert all(same(a, b) for a, b in islice(pairs, 5))
    assert all(same(a, b) for a, b in zip(part.batches(3), alone.batches(3), strict=True))


def test_indices_that_make_no_part_are_refused() -> None:
    split = in_memory(Augment(), Augment()).a
    with pytest.raises(UsageError, match="no image 14 in a split of 14"):
        Part(split, np.array([3, 14]))
    with pytest.raises(UsageError, match="no image -1 in a split of 14"):
        Part(split, np.array([-1, 3]))
    with pytest.raises(UsageError, match="Image 3 is chosen 2 times"):
        Part(split, np.array([3, 1, 3]))
    with pytest.raises(UsageError, match=r"got int64 of shape \(0,\)"):
        Part(split, np.arange(0))
    with pytest.raises(UsageError, match=r"got bool of shape \(14,\)"):
        Part(split, np.ones(14, dtype=bool))
    with pytest.raises(UsageError, match=r"got int64 of shape \(2, 2\)"):
        Part(split, np.arange(4).reshape(2, 2))
    with pytest.raises(UsageError, match="got list"):
        Part(split, [1, 2])  # type: ignore[arg-type]
