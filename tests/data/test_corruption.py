import colorsys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.signal import convolve2d

from supernet.data import Corruption
from supernet.data.corruption import _KINDS, CONSTANTS
from supernet.errors import UsageError

RNG = np.random.default_rng(0)
PHOTO = RNG.random((3, 32, 32)).astype(np.float32)
GREY = np.full((1, 200, 200), 0.5, dtype=np.float32)
CIFAR, IMAGENET = CONSTANTS["cifar"], CONSTANTS["imagenet"]


def test_every_kind_has_five_severities_in_both_tables() -> None:
    assert set(CIFAR) == set(IMAGENET) == set(_KINDS)
    assert {len(row) for table in CONSTANTS.values() for row in table.values()} == {5}


PUBLISHED = {  # make_cifar_c.py and imagenet_c/corruptions.py of hendrycks/robustness, a kind a line
    "cifar": """
        gaussian_noise .04 .06 .08 .09 .1
        shot_noise 500 250 100 75 50
        impulse_noise .01 .02 .03 .05 .07
        speckle_noise .06 .1 .12 .16 .2
        gaussian_blur .4 .6 .7 .8 1
        defocus_blur .3,.4 .4,.5 .5,.6 1,.2 1.5,.1
        brightness .05 .1 .15 .2 .3
        contrast .75 .5 .4 .3 .15
        saturate .3,0 .1,0 1.5,0 2,.1 2.5,.2
        pixelate .95 .9 .85 .75 .65
        jpeg_compression 80 65 58 50 40""",
    "imagenet": """
        gaussian_noise .08 .12 .18 .26 .38
        shot_noise 60 25 12 5 3
        impulse_noise .03 .06 .09 .17 .27
        speckle_noise .15 .2 .35 .45 .6
        gaussian_blur 1 2 3 4 6
        defocus_blur 3,.1 4,.5 6,.5 8,.5 10,.5
        brightness .1 .2 .3 .4 .5
        contrast .4 .3 .2 .1 .05
        saturate .3,0 .1,0 2,0 5,.1 20,.2
        pixelate .6 .5 .4 .3 .25
        jpeg_compression 25 18 15 10 7""",
}


@pytest.mark.parametrize("constants", CONSTANTS)
def test_the_constants_are_the_published_ones(constants: str) -> None:
    made = Corruption(kind="contrast", constants=constants)  # type: ignore[arg-type]
    assert str(made) == {"cifar": "contrast 3", "imagenet": "contrast 3 of imagenet"}[constants]
    for line in PUBLISHED[constants].strip().splitlines():
        kind, *words = line.split()
        found = [constant if isinstance(constant, tuple) else (constant,) for constant in CONSTANTS[constants][kind]]
        assert found == [tuple(map(float, word.split(","))) for word in words], kind


@pytest.mark.parametrize("constants", CONSTANTS)
@pytest.mark.parametrize("kind", sorted(set(_KINDS) - {"saturate"}))
def test_it_gets_worse_with_the_severity_and_stays_an_image(kind: str, constants: str) -> None:
    smooth = np.stack([np.outer(np.sin(np.linspace(0, a, 32)), np.linspace(0, 1, 32)) ** 2 for a in (3, 5, 9)])
    image = (0.1 + 0.6 * smooth).astype(np.float32)
    kept = image.copy()
    away = []
    for severity in range(1, 6):
        made = Corruption(kind=kind, severity=severity, constants=constants)(image, 7)  # type: ignore[arg-type]
        assert made.shape == image.shape
        assert made.dtype == np.float32
        assert 0 <= made.min() <= made.max() <= 1
        away.append(float(np.abs(made - image).mean()))
    assert np.array_equal(image, kept)
    assert away[0] > 0
    assert away[0] < away[-1]


@pytest.mark.parametrize("severity", [1, 5])
def test_noise_has_the_spread_of_its_formula(severity: int) -> None:
    def spread(kind: str) -> float:
        return float(Corruption(kind=kind, severity=severity)(GREY, 0).std())

    at = severity - 1
    assert spread("gaussian_noise") == pytest.approx(CIFAR["gaussian_noise"][at], rel=0.02)
    assert spread("speckle_noise") == pytest.approx(0.5 * CIFAR["speckle_noise"][at], rel=0.02)
    assert spread("shot_noise") == pytest.approx((0.5 / CIFAR["shot_noise"][at]) ** 0.5, rel=0.02)
    hit = Corruption(kind="impulse_noise", severity=severity)(GREY, 0)
    black, white = ((hit == value).mean() for value in (0, 1))
    assert black + white == pytest.approx(CIFAR["impulse_noise"][at], rel=0.1)
    assert black == pytest.approx(white, rel=0.2)


def test_blur_is_a_convolution_of_its_kernel() -> None:
    spot = np.zeros((1, 21, 21), dtype=np.float32)
    spot[0, 10, 10] = 1
    along = np.exp(-(np.arange(-4, 5) ** 2) / 2)
    gauss = np.outer(along, along) / along.sum() ** 2
    made = Corruption(kind="gaussian_blur", severity=5)(spot, 0)[0]  # σ = 1, cut off at 4 σ
    assert np.allclose(made[6:15, 6:15], gauss, atol=1e-6)
    made = Corruption(kind="defocus_blur", severity=5)(spot, 0)[0]  # radius 1.5: 3x3 pixels, smoothed by σ = 0.1
    assert np.allclose(made[9:12, 9:12], 1 / 9, atol=1e-6)
    made = Corruption(kind="defocus_blur", severity=1)(spot, 0)[0]  # one pixel, smoothed by σ = 0.4
    small = np.exp(-(np.arange(-1, 2) ** 2) / (2 * 0.4**2))
    assert np.allclose(made[9:12, 9:12], np.outer(small, small) / small.sum() ** 2, atol=1e-6)
    disk = Corruption(kind="defocus_blur", severity=2, constants="imagenet")(spot, 0)[0]
    y, x = np.mgrid[-10:11, -10:11]
    plain = (x**2 + y**2 <= 16) / 49
    smooth = np.exp(-(np.arange(-1, 2) ** 2) / (2 * 0.5**2))
    assert np.allclose(disk, convolve2d(plain, np.outer(smooth, smooth) / smooth.sum() ** 2, mode="same"), atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "severity", "constants", "radius", "sigma", "edge"),
    [
        ("gaussian_blur", 2, "cifar", 0, 0.6, 2),
        ("gaussian_blur", 4, "cifar", 0, 0.8, 3),
        ("defocus_blur", 4, "cifar", 1, 0.2, 1),
        ("defocus_blur", 2, "imagenet", 4, 0.5, 1),
        ("defocus_blur", 5, "imagenet", 10, 0.5, 2),
    ],
)
def test_blur_is_the_sum_of_shifted_images_up_to_the_border(
    kind: str, severity: int, constants: str, radius: int, sigma: float, edge: int
) -> None:
    """The benchmark's Gaussian repeats the last pixel, its disk mirrors image and kernel at theirs."""

    def summed(image: np.ndarray, kernel: np.ndarray, border: str) -> np.ndarray:
        reach, (height, width) = len(kernel) // 2, image.shape[-2:]
        around: Any = ((0, 0),) * (image.ndim - 2) + ((reach, reach),) * 2
        padded, found = np.pad(image.astype(float), around, mode=border), np.zeros(image.shape)  # type: ignore[call-overload]
        for (top, left), share in np.ndenumerate(kernel):
            found += share * padded[..., top : top + height, left : left + width]
        return found

    y, x = np.mgrid[-edge : edge + 1, -edge : edge + 1]
    gauss = np.exp(-(y**2 + x**2) / (2 * sigma**2))
    gauss /= gauss.sum()
    if radius:
        y, x = np.mgrid[-max(8, radius) : max(8, radius) + 1, -max(8, radius) : max(8, radius) + 1]
        disk = (y**2 + x**2 <= radius**2).astype(float)
        expected = summed(PHOTO, summed(disk / disk.sum(), gauss, "reflect"), "reflect")
    else:
        expected = summed(PHOTO, gauss, "edge")
    made = Corruption(kind=kind, severity=severity, constants=constants)(PHOTO, 0)  # type: ignore[arg-type]
    assert np.allclose(made, expected, atol=2e-6)


@pytest.mark.parametrize(("severity", "size"), [(1, 30), (4, 24)])
def test_pixelate_is_a_mean_over_boxes_there_and_back(severity: int, size: int) -> None:
    """Rows and columns of 32 pixels become `size`, each the mean of what lies in its box, and 32 again."""

    def box(before: int, after: int) -> np.ndarray:
        """A pixel of the result is the mean of those whose centres lie in its box, or else of the one it is in."""
        step = before / after
        rows = np.zeros((after, before))
        for number in range(after):
            if step <= 1:
                rows[number, int((number + 0.5) * step)] = 1
            else:
                centres = np.arange(before) + 0.5
                inside = (centres > number * step) & (centres <= (number + 1) * step)
                rows[number] = inside / inside.sum()
        return rows

    made = Corruption(kind="pixelate", severity=severity)(PHOTO, 0)
    there, back = box(32, size), box(size, 32)
    bytes_ = np.rint(PHOTO.astype(float) * 255)
    expected = back @ there @ bytes_ @ there.T @ back.T
    assert np.abs(made * 255 - expected).mean() < 1, "but for the rounding of each way"


def test_brightness_and_saturation_are_those_of_hsv() -> None:
    few = PHOTO[:, :4, :4].copy()
    few[:, 0, 0], few[:, 0, 1] = 0.4, 0.0  # grey, and black
    for kind in ("brightness", "saturate"):
        for severity in range(1, 6):
            made = Corruption(kind=kind, severity=severity)(few, 0)
            constant = CIFAR[kind][severity - 1]
            for y in range(4):
                for x in range(4):
                    h, s, v = colorsys.rgb_to_hsv(*few[:, y, x].astype(float))
                    if kind == "brightness":
                        v = min(1.0, v + constant)
                    else:
                        s = min(1.0, max(0.0, s * constant[0] + constant[1]))
                    assert made[:, y, x] == pytest.approx(colorsys.hsv_to_rgb(h, s, v), abs=1e-6)


def test_contrast_goes_to_the_mean_of_each_channel() -> None:
    made = Corruption(kind="contrast", severity=5)(PHOTO, 0)
    mean = PHOTO.mean(axis=(1, 2), keepdims=True)
    assert np.allclose(made, mean + 0.15 * (PHOTO - mean), atol=1e-6)


def test_noise_follows_from_the_seed_and_the_number_of_the_image() -> None:
    noise = Corruption(kind="gaussian_noise")
    assert np.array_equal(noise(PHOTO, 3), noise(PHOTO, 3))
    assert not np.array_equal(noise(PHOTO, 3), noise(PHOTO, 4))
    assert not np.array_equal(noise(PHOTO, 3), Corruption(kind="gaussian_noise", seed=1)(PHOTO, 3))
    both = noise.of(np.stack([PHOTO, PHOTO]), np.array([4, 3]))
    assert np.array_equal(both, np.stack([noise(PHOTO, 4), noise(PHOTO, 3)]))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Corruption(kind="fog"), "There is no corruption 'fog'; there are gaussian_noise, shot_noise"),
        (lambda: Corruption(kind="contrast", severity=0), "severity=0 of contrast is none; give a whole number from 1"),
        (lambda: Corruption(kind="contrast", severity=6), "severity=6"),
        (lambda: Corruption(kind="contrast", severity=2.5), "severity=2.5"),  # type: ignore[arg-type]
        (lambda: Corruption(kind="contrast", severity=True), "severity=True"),
        (lambda: Corruption(kind="contrast", constants="mnist"), "constants='mnist' are of no benchmark"),  # type: ignore[arg-type]
        (lambda: Corruption(kind="contrast", seed=-1), "seed=-1 is negative"),
        (lambda: Corruption(kind="saturate")(GREY, 0), "Grey images have no colour to saturate"),
        (lambda: Corruption(kind="pixelate")(PHOTO[:2], 0), "pixelate is of grey or RGB images, and these have 2"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(make: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()
