"""Cutout beside the other random changes."""

from dataclasses import replace

import pytest
import torch

from supernet.data import AllImages, Chained, Cutout, FewerClasses, ImageData, RandomLabelled
from supernet.data.indexed import made_of
from supernet.errors import UsageError


def test_a_square_is_cut_out_of_training_images_alone(data: ImageData) -> None:
    made = Cutout(3)(data)
    assert made.name == "noise, cutout 3"
    before, after = (next(d.train.stream(14, seed=1)) for d in (data, made))
    assert torch.equal(before.y, after.y)
    changed = before.x != after.x
    assert (after.x[changed] == 0).all(), "what is cut out has the mean colour"
    for image in changed.any(1):
        rows, columns = (image.any(axis).sum().item() for axis in (1, 0))
        assert 1 <= rows <= 3, "part of the square may lie outside the image"
        assert 1 <= columns <= 3
    assert changed.any(1).flatten(1).sum(1).max() == 9
    for split in ("validation", "held_out"):
        assert getattr(made, split) is getattr(data, split)
    assert torch.equal(next(made.train.batches(4)).x, next(data.train.batches(4)).x)
    assert made.fingerprint() != data.fingerprint()


def test_splits_that_are_made_of_others_are_cut_inside(data: ImageData) -> None:
    first = Chained((Cutout(3), AllImages(), FewerClasses((0, 1)), RandomLabelled(1)))(data)
    last = Chained((AllImages(), FewerClasses((0, 1)), RandomLabelled(1), Cutout(3)))(data)
    assert torch.equal(next(first.train.stream(8, seed=0)).x, next(last.train.stream(8, seed=0)).x)
    assert torch.equal(next(first.train.stream(8, seed=0)).y, next(last.train.stream(8, seed=0)).y)
    joined = Chained((AllImages(), Cutout(3)))(data)
    assert any(part is data.validation for part in made_of(joined.train)), "it can be told what is trained on"


@pytest.mark.parametrize("side", [0, -1])
def test_no_square_is_refused(side: int) -> None:
    with pytest.raises(UsageError, match="at least 1, or leave it out"):
        Cutout(side)


def test_a_square_as_large_as_the_image_is_refused(data: ImageData) -> None:
    with pytest.raises(UsageError, match="could wipe out"):
        Cutout(8)(data)


def test_images_in_files_are_refused(data: ImageData) -> None:
    class Files:
        def __len__(self) -> int:
            return 4

    with pytest.raises(UsageError, match=r"noise \(Files\) have no cutout"):
        Cutout(2)(replace(data, train=Files()))  # type: ignore[arg-type]
