"""Views as contrastive methods make them: each change can be seen, and depends on its numbers alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from supernet.data import digits
from supernet.data.derived.random_labels import RandomLabelled
from supernet.data.derived.viewed_by import ViewedBy
from supernet.data.view_augment import BYOL_FIRST, BYOL_SECOND, MOCO_V2, WEAK, ViewAugment
from supernet.errors import UsageError

NONE: dict[str, Any] = {"min_area": 1.0, "jitter_p": 0.0, "grey": 0.0, "blur": 0.0, "flip": False}


def images(n: int = 64) -> torch.Tensor:
    return torch.randint(0, 256, (n, 3, 12, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def changed(*, n: int = 64, seed: int = 1, **options: Any) -> torch.Tensor:
    u = torch.rand(n, 8, generator=torch.Generator().manual_seed(seed))
    return ViewAugment(**{**NONE, **options}).warp(images(n), u)


def test_an_image_depends_on_its_numbers_alone() -> None:
    u = torch.rand(6, 8, generator=torch.Generator().manual_seed(2))
    state = torch.get_rng_state()
    whole = MOCO_V2.warp(images(6), u)
    assert torch.equal(MOCO_V2.warp(images(6)[4:5], u[4:5]), whole[4:5])
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(whole, MOCO_V2.warp(images(6), u.flip(0)))
    assert whole.dtype == torch.uint8


@pytest.mark.parametrize(
    ("options", "share"),
    [({"grey": 0.25}, 0.25), ({"solarise": 0.25}, 0.25), ({"blur": 0.75}, 0.75), ({"flip": True}, 0.5)],
)
def test_each_change_happens_as_often_as_is_said(options: dict[str, Any], share: float) -> None:
    found, before = changed(n=200, **options), changed(n=200)
    same = [torch.equal(one, other) for one, other in zip(found, before, strict=True)]
    assert 1 - sum(same) / 200 == pytest.approx(share, abs=0.12)
    grey = (found[:, 0] == found[:, 1]).flatten(1).all(1)
    assert bool(grey.any()) == ("grey" in options)


def test_a_solarised_image_is_inverted_above_one_half() -> None:
    before, after = changed(), changed(solarise=1.0)
    assert torch.equal(after, torch.where(before >= 128, 255 - before, before))


def test_published_values() -> None:
    assert (MOCO_V2.min_area, MOCO_V2.jitter, MOCO_V2.jitter_p) == (0.2, (0.4, 0.4, 0.4, 0.1), 0.8)
    assert (MOCO_V2.grey, MOCO_V2.blur, MOCO_V2.sigma, MOCO_V2.solarise) == (0.2, 0.5, (0.1, 2.0), 0.0)
    assert (BYOL_FIRST.blur, BYOL_SECOND.blur, BYOL_SECOND.solarise) == (1.0, 0.1, 0.2)
    assert (BYOL_FIRST.min_area, BYOL_FIRST.jitter) == (0.08, (0.4, 0.4, 0.2, 0.1))
    assert [type(step).__name__ for step in WEAK.changes(8, 8)] == ["RandomResizedCrop", "RandomHorizontalFlip"]


def test_each_view_has_its_own_changes_and_labels_change_none() -> None:
    data = digits()
    still = ViewAugment(**NONE)
    batch = next(ViewedBy((still, MOCO_V2))(data).train.stream(8, seed=0))
    plain = next(data.train.stream(8, seed=0, augment=False))
    assert isinstance(batch.x, dict)
    assert isinstance(plain.x, torch.Tensor)
    torch.testing.assert_close(batch.x["view1"], plain.x)
    assert not torch.equal(batch.x["view2"], plain.x)
    other: Any = next(ViewedBy((still, MOCO_V2))(RandomLabelled(3)(data)).train.stream(8, seed=0)).x
    assert torch.equal(other["view2"], batch.x["view2"])
    digests = {ViewedBy(views)(data).train.fingerprint() for views in ((still, WEAK), (WEAK, still), (still, still))}
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"blur": 1.5}, "no probability"),
        ({"min_area": 0.0}, "not a share"),
        ({"interpolation": "nearest"}, "'bilinear' or 'bicubic'"),
        ({"jitter": (0.4, 0.4, 0.4, 0.6)}, "0 to 0.5 for the hue"),
        ({"sigma": (2.0, 0.1)}, "the least and the greatest"),
    ],
)
def test_values_outside_their_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        ViewAugment(**options)


def test_one_view_is_refused() -> None:
    with pytest.raises(UsageError, match="give two ViewAugment or more"):
        ViewedBy((MOCO_V2,))
