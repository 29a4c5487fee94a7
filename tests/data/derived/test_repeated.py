"""Batches that hold each image several times."""

from __future__ import annotations

from itertools import islice

import pytest
import torch

from supernet.data import Augment, Mixed, Repeated, RepeatedSplit, digits
from supernet.data.position import positions
from supernet.errors import UsageError


def test_an_epoch_is_as_long_as_ever_and_shows_a_part_of_the_images() -> None:
    walk = list(islice(positions(20, 6, seed=0, start=0, rank=0, world=1, times=3), 6))
    assert [place.epoch for place in walk] == [0, 0, 0, 1, 1, 1]
    plain = list(islice(positions(20, 20, seed=0, start=0, rank=0, world=1), 2))
    for epoch in (0, 1):
        seen = [image for place in walk if place.epoch == epoch for image in place.indices.tolist()]
        assert seen == [image for image in plain[epoch].indices[:6].tolist() for _ in range(3)]


def test_a_batch_may_begin_in_the_middle_of_the_copies_and_ranks_share_it() -> None:
    whole = list(islice(positions(20, 8, seed=0, start=0, rank=0, world=1, times=3), 2))
    shares = [list(islice(positions(20, 4, seed=0, start=0, rank=rank, world=2, times=3), 2)) for rank in (0, 1)]
    for t in (0, 1):
        assert whole[t].indices.tolist() == [i for rank in (0, 1) for i in shares[rank][t].indices.tolist()]
        assert whole[t].keys.tolist() == [i for rank in (0, 1) for i in shares[rank][t].keys.tolist()]
    assert whole[0].indices[7] == whole[1].indices[0], "the third copy of the third image"


def test_without_repeating_the_walk_is_as_before() -> None:
    for place in islice(positions(20, 6, seed=3, start=2, rank=1, world=3), 4):
        assert place.keys.tolist() == place.indices.tolist()


def test_copies_are_augmented_each_by_itself() -> None:
    train = digits(augment=Augment(crop_padding=2)).train
    batch = next(RepeatedSplit(train, 3).stream(12, seed=0))
    assert batch.y.view(4, 3).unique(dim=1).shape == (4, 1)
    copies = batch.x.view(4, 3, -1)
    assert not torch.equal(copies[:, 0], copies[:, 1])
    plain = next(RepeatedSplit(train, 3).stream(12, seed=0, augment=False))
    assert torch.equal(plain.x[0], plain.x[2])


def test_it_is_the_last_change_of_several() -> None:
    with pytest.raises(UsageError, match="asked for by number"):
        Mixed(mixup=0.2)(Repeated(3)(digits()))
    with pytest.raises(UsageError, match="two or more"):
        Repeated(1)
