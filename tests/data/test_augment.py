from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from supernet.data.augment import UNIFORMS, Augment, default_augment
from supernet.errors import UsageError

H, W = 6, 9
CROP_Y, CROP_X, FLIP, ANGLE, SHIFT_Y, SHIFT_X, CUT_Y, CUT_X = range(UNIFORMS)


def pictures(batch: int, dtype: torch.dtype = torch.uint8) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(1, 256, (batch, 2, H, W))).to(dtype)


def uniforms(batch: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((batch, UNIFORMS), dtype=np.float32))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize(("padding", "numpy_mode"), [("zero", "constant"), ("reflect", "reflect")])
@settings(deadline=None)
@given(P=st.integers(0, 5), flip=st.booleans(), seed=st.integers(0, 1000))
def test_crop_and_flip_image_by_image(
    dtype: torch.dtype, padding: str, numpy_mode: str, P: int, flip: bool, seed: int
) -> None:
    images, u = pictures(5, dtype), uniforms(5, seed)
    result = Augment(crop_padding=P, flip=flip, padding=padding).warp(images, u)
    for image, numbers, got in zip(images.numpy(), u.numpy(), result.numpy(), strict=True):
        padded = np.pad(image, ((0, 0), (P, P), (P, P)), mode=numpy_mode)
        y, x = int(numbers[CROP_Y] * (2 * P + 1)), int(numbers[CROP_X] * (2 * P + 1))
        expected = padded[:, y : y + H, x : x + W]
        if flip and numbers[FLIP] < 0.5:
            # the window is placed in the mirrored image's own coordinates
            mirrored = padded[:, :, ::-1]
            expected = mirrored[:, y : y + H, 2 * P - x : 2 * P - x + W]
        assert np.array_equal(got, expected)


def test_crop_offsets_and_flips_are_uniform() -> None:
    image = torch.arange(1, 26, dtype=torch.uint8).view(1, 1, 5, 5).expand(20_000, 1, 5, 5)
    centre = Augment(crop_padding=1, flip=True).warp(image, uniforms(20_000))[:, 0, 2, 2]
    # the centre shows one of nine pixels; the flip mirrors the row around it
    counts = centre.long().bincount()
    assert counts.nonzero().flatten().tolist() == [7, 8, 9, 12, 13, 14, 17, 18, 19]
    expected = 20_000 / 9
    assert ((counts[counts > 0] - expected) ** 2 / expected).sum() < 31.8  # chi-squared, 8 d.o.f., p = 1e-4
    rising = Augment(flip=True).warp(image, uniforms(20_000))[:, 0, 0, 0] == 1
    assert abs(rising.float().mean().item() - 0.5) < 4 * 0.5 / 20_000**0.5


def test_shift_moves_down_and_right_by_fractions_of_pixels() -> None:
    images = pictures(1, torch.float32)
    u = torch.full((1, UNIFORMS), 0.5)
    u[0, SHIFT_Y], u[0, SHIFT_X] = 1.0, 0.25  # +2 pixels down, -1 right
    moved = Augment(shift=2).warp(images, u)
    assert torch.allclose(moved[:, :, 2:, :-1], images[:, :, :-2, 1:], atol=1e-3)
    assert torch.allclose(moved[:, :, :2], torch.zeros(()), atol=1e-3)
    u[0, SHIFT_Y], u[0, SHIFT_X] = 0.5, 0.625  # half a pixel right: the mean of two neighbours
    half = Augment(shift=2).warp(images, u)
    assert torch.allclose(half[..., 1:], (images[..., 1:] + images[..., :-1]) / 2, atol=1e-3)


@pytest.mark.parametrize("place", [0.0, 0.3, 1.0])
def test_rotation_agrees_with_torchvision(place: float) -> None:
    images = pictures(1, torch.float32)
    u = torch.full((1, UNIFORMS), 0.5)
    u[0, ANGLE] = place
    turned = Augment(rotate_degrees=30).warp(images, u)
    expected = tv.rotate(images, 30 * (2 * place - 1), InterpolationMode.BILINEAR)
    assert torch.allclose(turned, expected, atol=0.05)


def test_reflection_leaves_no_black_corner() -> None:
    images, u = torch.full((8, 1, H, W), 200, dtype=torch.uint8), uniforms(8)
    warp = Augment(rotate_degrees=40, shift=3, crop_padding=2, padding="reflect").warp
    assert torch.allclose(warp(images, u), torch.tensor(200.0))


@settings(deadline=None)
@given(side=st.integers(1, 5), seed=st.integers(0, 100))
def test_cutout_blanks_one_square(side: int, seed: int) -> None:
    u = uniforms(3, seed)
    x = Augment(cutout=side).cut(torch.ones(3, 2, H, W), u)
    for numbers, got in zip(u.numpy(), x.numpy(), strict=True):
        expected = np.ones((2, H, W))
        top, left = int(numbers[CUT_Y] * H) - side // 2, int(numbers[CUT_X] * W) - side // 2
        expected[:, max(top, 0) : top + side, max(left, 0) : left + side] = 0
        assert np.array_equal(got, expected)


def test_the_default_is_to_do_nothing() -> None:
    images, u = pictures(4), uniforms(4)
    assert Augment().warp(images, u) is images
    x = torch.ones(4, 2, H, W)
    assert Augment().cut(x, u) is x
    assert x.min() == 1


def test_bad_values_are_refused() -> None:
    with pytest.raises(UsageError, match="crop_padding=-1"):
        Augment(crop_padding=-1)
    with pytest.raises(UsageError, match="shift=nan"):
        Augment(shift=float("nan"))
    with pytest.raises(UsageError, match=r"'mirror'. is unknown; use 'zero' or 'reflect'"):
        Augment(padding="mirror")
    with pytest.raises(UsageError, match=r"cutout=6.*6x9 image; use less than 6"):
        Augment(cutout=6).check(6, 9)


def test_the_default_for_a_shape() -> None:
    assert default_augment(3, 32, 32) == Augment(crop_padding=4, padding="reflect", flip=True)
    assert default_augment(1, 28, 28) == Augment(crop_padding=3)
    assert default_augment(3, 4, 4) == Augment(padding="reflect", flip=True)


def test_the_default_leaves_the_statistics_of_a_batch_of_photographs_alone() -> None:
    rng = np.random.default_rng(0)
    smooth = np.kron(rng.integers(60, 200, (512, 3, 4, 4)), np.ones((4, 4)))  # neighbours alike
    photos = torch.from_numpy(smooth + rng.normal(0, 10, smooth.shape)).float()

    def moved(augment: Augment) -> float:
        """By how many standard deviations of the plain pixels their mean moves."""
        return abs(float((augment.warp(photos, uniforms(512)).mean() - photos.mean()) / photos.std()))

    default = default_augment(3, 16, 16)
    assert moved(default) < 0.02
    assert moved(replace(default, padding="zero")) > 0.2
