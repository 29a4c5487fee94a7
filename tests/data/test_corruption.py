from collections.abc import Callable

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


def test_the_constants_are_the_published_ones() -> None:
    assert CIFAR["gaussian_noise"] == (0.04, 0.06, 0.08, 0.09, 0.10)
    assert CIFAR["shot_noise"] == (500, 250, 100, 75, 50)
    assert CIFAR["impulse_noise"] == (0.01, 0.02, 0.03, 0.05, 0.07)
    assert CIFAR["contrast"] == (0.75, 0.5, 0.4, 0.3, 0.15)
    assert CIFAR["brightness"] == (0.05, 0.1, 0.15, 0.2, 0.3)
    assert IMAGENET["gaussian_noise"] == (0.08, 0.12, 0.18, 0.26, 0.38)
    assert IMAGENET["contrast"] == (0.4, 0.3, 0.2, 0.1, 0.05)


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


def test_brightness_and_saturation_are_those_of_hsv() -> None:
    colorsys = pytest.importorskip("colorsys")
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
