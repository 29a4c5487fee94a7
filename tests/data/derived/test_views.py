"""Views: each augmented anew, the first as in the split itself, stored ones always the same."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from supernet.data import Augment, Views, digits
from supernet.data.derived.viewed import Viewed
from supernet.errors import UsageError
from supernet.nn.batch import Batch


def views(batch: Batch) -> list[Tensor]:
    assert not isinstance(batch.x, Tensor)
    return list(batch.x.values())


def test_training_images_come_in_views_and_others_do_not() -> None:
    plain = digits(augment=Augment(shift=1.0))
    data = Viewed(4)(plain)
    batch, alone = next(data.train.stream(8, seed=3)), next(plain.train.stream(8, seed=3))
    assert list(batch.x) == ["view1", "view2", "view3", "view4"]  # type: ignore[arg-type]
    assert torch.equal(views(batch)[0], alone.images), "the first view is that of the split itself"
    assert torch.equal(batch.labels, alone.labels)
    for number, one in enumerate(views(batch)):
        assert not any(torch.equal(one, other) for other in views(batch)[number + 1 :])
    assert data.validation is plain.validation
    assert data.fingerprint() != plain.fingerprint()


def test_stored_views_are_the_same_whenever_they_are_asked_for() -> None:
    split = Views(digits(augment=Augment(shift=1.0)).validation, 2)  # type: ignore[arg-type]
    once = [views(b) for b in split.drawn_once(50, seed=0, limit=120)]
    again = [views(b) for b in split.drawn_once(50, seed=0, limit=120)]
    assert [len(pair[0]) for pair in once] == [50, 50, 20]
    for pair, same in zip(once, again, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(pair, same, strict=True))
        assert not torch.equal(*pair)
    other = next(split.drawn_once(50, seed=1))
    assert not torch.equal(views(other)[0], once[0][0])
    labels = torch.cat([b.labels for b in split.drawn_once(50, seed=0)])
    assert torch.equal(labels, torch.as_tensor(split.labels)), "every image once, in order"


def test_one_view_is_refused() -> None:
    with pytest.raises(UsageError, match="two or more"):
        Viewed(1)
    assert Viewed(2).alone() is None
