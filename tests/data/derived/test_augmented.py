"""Images that are augmented further than the data set says; RandAugment and jitter of colours."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import pytest
import torch
from torch import Tensor

from supernet.data import (
    AllImages,
    Augment,
    Augmented,
    Batch,
    Chained,
    Corrupted,
    Corruption,
    Data,
    FolderAugment,
    Mixed,
    TensorSplit,
    Viewed,
    WrongLabels,
    digits,
    from_arrays,
)
from supernet.data.derived.viewed_by import ViewedBy
from supernet.data.view_augment import WEAK
from supernet.errors import UsageError


def colours(augment: Augment) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (40, 3, 12, 12), generator=generator, dtype=torch.uint8).permute(0, 2, 3, 1).numpy()
    data = from_arrays(x, [0, 1] * 20, name="colours", augment=augment)
    return next(data.train.stream(8, seed=1)).images


def test_images_are_changed_one_by_one_and_the_same_each_time() -> None:
    plain, changed = colours(Augment()), colours(Augment(rand_augment=(2, 9)))
    assert torch.equal(changed, colours(Augment(rand_augment=(2, 9))))
    differing = (plain != changed).flatten(1).any(1)
    assert 4 <= int(differing.sum()) <= 8, "an operation may be the identity"
    assert not torch.equal(changed, colours(Augment(rand_augment=(2, 20))))


def test_no_draw_of_others_is_touched() -> None:
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    colours(Augment(rand_augment=(1, 5), colour_jitter=0.4))
    assert torch.equal(torch.rand(2), wanted)


def test_an_image_alone_is_changed_as_in_a_batch() -> None:
    """What happens to an image depends on its own row of numbers, not on the ones before it."""
    augment = Augment(rand_augment=(2, 9), crop_padding=1)
    x, u = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8), torch.rand(5, 8)
    together = augment.warp(x, u)
    assert torch.equal(together[3:4], augment.warp(x[3:4], u[3:4]))


def test_it_goes_on_after_a_rotation() -> None:
    found = colours(Augment(rotate_degrees=10, rand_augment=(1, 9)))
    assert found.isfinite().all()


def test_data_take_further_changes_beside_their_own() -> None:
    data = digits(augment=Augment(crop_padding=1))
    changed = Augmented(rand_augment=(1, 5))(data)
    assert changed.train.augment == Augment(crop_padding=1, rand_augment=(1, 5))
    assert changed.validation is data.validation
    batches = [next(islice(split.stream(8, seed=0), 3, None)).x for split in (data.train, changed.train)]
    assert not torch.equal(*batches)


def test_images_of_noisy_data_are_augmented_and_keep_their_labels() -> None:
    """Inside all that was made of them, as if they had been augmented first; `Joined` goes by its first split."""
    blurred, further = Corruption(kind="gaussian_blur"), Augmented(rand_augment=(1, 5))
    changes = (WrongLabels(rate=0.4), Corrupted(train=blurred), AllImages(), Mixed(mixup=0.2), Viewed(2))
    for count in range(1, len(changes) + 1):
        first, last = Chained((further, *changes[:count])), Chained((*changes[:count], further))
        one, other, plain = (next(change(digits()).train.stream(8, seed=0)) for change in (first, last, changes[0]))
        assert same_batches(one, other)
        assert not same_batches(one, plain)


def same_batches(a: Batch, b: Batch) -> bool:
    each = [[*x.values()] if isinstance(x, Mapping) else [x] for x in (a.x, b.x)]
    return all(torch.equal(*pair) for pair in zip(*each, strict=False)) and torch.equal(a.y, b.y)


def test_data_that_do_not_ask_for_it_are_known_as_before() -> None:
    assert "rand" not in repr(Augment(crop_padding=2))
    assert repr(FolderAugment()) == "FolderAugment(min_area=0.08, flip=True, colour_jitter=0.0)"
    plain, changed = digits().train, digits(augment=Augment(rand_augment=(1, 5))).train
    assert plain.fingerprint() != changed.fingerprint()


def test_what_makes_no_sense_is_refused() -> None:
    for pair in ((2,), (2, 40), (-1, 9), (99, 9)):
        with pytest.raises(UsageError, match="rand_augment"):
            Augment(rand_augment=pair)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="FolderAugment\\(colour_jitter=2"):
        FolderAugment(colour_jitter=2.0)
    with pytest.raises(UsageError, match="asks for nothing"):
        Augmented()
    for made in (ViewedBy((WEAK, WEAK))(digits()), _tensors()):
        with pytest.raises(UsageError, match=r"cannot be augmented further \((Views|TensorSplit)\)"):
            Augmented(rand_augment=(1, 5))(made)


def _tensors() -> Data:
    split = TensorSplit(x=torch.rand(4, 3, 8, 8), y=torch.arange(4) % 2)
    return Data(name="t", train=split, validation=split, shape=(3, 8, 8), classes=("a", "b"))
