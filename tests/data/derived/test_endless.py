from itertools import islice

import numpy as np
import pytest
import torch

from supernet.data import Endless, Part
from supernet.data.position import ORDER, endless_positions, generator
from supernet.errors import UsageError
from two_splits import Two

CHOSEN = np.array([5, 2, 22, 11, 17])


@pytest.mark.parametrize(("batch_size", "world"), [(2, 1), (2, 2), (5, 1), (4, 3), (13, 1)])
def test_its_batches_are_cut_from_permutations_in_one_row(batch_size: int, world: int) -> None:
    row = np.concatenate([generator(9, ORDER, epoch).permutation(5) for epoch in range(40)])
    total = batch_size * world
    for rank in range(world):
        walk = endless_positions(5, batch_size, seed=9, start=3, rank=rank, world=world)
        for t, place in zip(range(3, 8), walk, strict=False):
            first = t * total + rank * batch_size
            assert place.indices.tolist() == row[first : first + batch_size].tolist()
            assert (place.t, place.epoch, place.total) == (t, t * total // 5, total)


def test_a_far_position_needs_no_walk() -> None:
    far = next(endless_positions(5, 12, seed=0, start=10**15, rank=0, world=1))
    assert far.epoch == 12 * 10**15 // 5
    assert np.bincount(far.indices, minlength=5).tolist().count(0) == 0


def test_no_image_is_dropped(two: Two) -> None:
    split = Endless(Part(two.both, CHOSEN))
    stream = split.stream(3, seed=1, augment=False)
    seen = [x.numpy().tobytes() for batch in islice(stream, 5) for x in batch.x]
    assert [seen.count(image) for image in set(seen)] == [3] * 5  # 15 images in five batches are three epochs


def test_an_image_that_is_twice_in_a_batch_is_augmented_anew(two: Two) -> None:
    batch = next(Endless(two.a.head(1)).stream(4, seed=0))
    assert batch.y.tolist() == [0] * 4
    assert len({x.numpy().tobytes() for x in batch.x}) > 1
    plain = next(Endless(two.a.head(1)).stream(4, seed=0, augment=False))
    assert torch.equal(plain.x, plain.x[:1].expand_as(plain.x))


def test_where_epochs_fill_whole_batches_it_is_the_plain_stream(two: Two) -> None:
    part = Part(two.both, CHOSEN)
    for a, b in islice(zip(Endless(part).stream(5, seed=2), part.stream(5, seed=2), strict=True), 3):
        assert torch.equal(a.y, b.y)


def test_arguments_are_checked_when_the_stream_is_made(two: Two) -> None:
    split = Endless(two.a)
    with pytest.raises(UsageError, match="batch_size=0"):
        split.stream(0, seed=0)
    with pytest.raises(UsageError, match="rank=1 does not exist among world=1"):
        split.stream(4, seed=0, rank=1)
    with pytest.raises(UsageError, match="start=-1 is negative"):
        split.stream(4, seed=0, start=-1)
    with pytest.raises(UsageError, match="seed=-1 is negative"):
        split.stream(4, seed=-1)
