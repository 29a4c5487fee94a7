"""Only training images have views."""

from __future__ import annotations

import pytest
import torch

from supernet.data import Augment, Viewed, digits
from supernet.errors import UsageError


def test_training_images_have_views_and_others_are_plain() -> None:
    data = digits(augment=Augment(crop_padding=2))
    seen = Viewed(3)(data)
    batch, plain = next(seen.train.stream(4, seed=0)), next(data.train.stream(4, seed=0))
    assert list(batch.x) == ["view1", "view2", "view3"]
    assert torch.equal(batch.x["view1"], plain.images)
    assert not torch.equal(batch.x["view2"], batch.x["view3"])
    assert torch.equal(batch.y, plain.y)
    assert seen.validation is data.validation
    assert seen.shape == data.shape
    assert seen.fingerprint() != data.fingerprint() != Viewed(2)(data).fingerprint()


def test_alone_nothing_is_viewed_and_one_view_is_refused() -> None:
    assert Viewed(2).alone() is None
    with pytest.raises(UsageError, match="1 views; give two or more"):
        Viewed(1)
