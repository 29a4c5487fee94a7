"""Corruptions of images at five severities: noise, blur, and what weather and storage do to pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from supernet.data.position import CORRUPTION, Indices, generator
from supernet.errors import UsageError, require

if TYPE_CHECKING:
    import PIL.Image

Pixels = npt.NDArray[np.float32]
"""An image (C, H, W) on the scale 0..1."""

CONSTANTS: Mapping[str, Mapping[str, tuple[Any, ...]]] = MappingProxyType(
    {
        "cifar": {
            "gaussian_noise": (0.04, 0.06, 0.08, 0.09, 0.10),
            "shot_noise": (500, 250, 100, 75, 50),
            "impulse_noise": (0.01, 0.02, 0.03, 0.05, 0.07),
            "speckle_noise": (0.06, 0.10, 0.12, 0.16, 0.20),
            "gaussian_blur": (0.4, 0.6, 0.7, 0.8, 1.0),
            "defocus_blur": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)),
            "brightness": (0.05, 0.10, 0.15, 0.20, 0.30),
            "contrast": (0.75, 0.50, 0.40, 0.30, 0.15),
            "saturate": ((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2)),
            "pixelate": (0.95, 0.90, 0.85, 0.75, 0.65),
            "jpeg_compression": (80, 65, 58, 50, 40),
        },
        "imagenet": {
            "gaussian_noise": (0.08, 0.12, 0.18, 0.26, 0.38),
            "shot_noise": (60, 25, 12, 5, 3),
            "impulse_noise": (0.03, 0.06, 0.09, 0.17, 0.27),
            "speckle_noise": (0.15, 0.20, 0.35, 0.45, 0.60),
            "gaussian_blur": (1, 2, 3, 4, 6),
            "defocus_blur": ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
            "brightness": (0.1, 0.2, 0.3, 0.4, 0.5),
            "contrast": (0.40, 0.30, 0.20, 0.10, 0.05),
            "saturate": ((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2)),
            "pixelate": (0.60, 0.50, 0.40, 0.30, 0.25),
            "jpeg_compression": (25, 18, 15, 10, 7),
        },
    }
)
"""What each severity means, from 1 to 5, for images as small as CIFAR's and for those of 224 pixels."""


@dataclass(frozen=True, kw_only=True)
class Corruption:
    """A corruption of images, at one of five severities.

    The formulas and constants of CIFAR-10-C and ImageNet-C (Hendrycks and Dietterich,
    [arXiv 1903.12261](https://arxiv.org/abs/1903.12261), and their code): eleven of its nineteen; those that paint
    weather, move pixels about or need a picture of frost are not here. What is drawn for an image is a function of the
    seed and of its number. Grey images have one channel: brightness is added to it, and there is nothing to saturate.

    Args:
        kind: `gaussian_noise`, `shot_noise`, `impulse_noise`, `speckle_noise`, `gaussian_blur`, `defocus_blur`,
            `brightness`, `contrast`, `saturate`, `pixelate` or `jpeg_compression`.
        severity: How bad it is, 1 to 5.
        constants: Whose constants are meant by these numbers: for small images or for those of 224 pixels.
        seed: The seed that decides the noise.

    Raises:
        UsageError: There is no such corruption, or a value is out of range.

    >>> dim = np.full((1, 2, 2), 0.5, dtype=np.float32)
    >>> Corruption(kind="brightness", severity=5)(dim, 0).tolist()
    [[[0.800000011920929, 0.800000011920929], [0.800000011920929, 0.800000011920929]]]
    """

    kind: str
    severity: int = 3
    constants: Literal["cifar", "imagenet"] = "cifar"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.constants not in CONSTANTS:
            raise UsageError(f"constants={self.constants!r} are of no benchmark; give {' or '.join(CONSTANTS)}.")
        if self.kind not in _KINDS:
            raise UsageError(f"There is no corruption {self.kind!r}; there are {', '.join(_KINDS)}.")
        if isinstance(self.severity, bool) or self.severity not in (1, 2, 3, 4, 5):
            raise UsageError(f"severity={self.severity} of {self.kind} is none; give a whole number from 1 to 5.")
        generator(self.seed, CORRUPTION)

    def __str__(self) -> str:
        return f"{self.kind} {self.severity}" + ("" if self.constants == "cifar" else f" of {self.constants}")

    def __call__(self, image: Pixels, number: int) -> Pixels:
        """The image (C, H, W), corrupted, on the scale 0..1.

        Args:
            image: The image (C, H, W) on the scale 0..1; it stays as it is.
            number: Which image it is, which decides the noise.

        Raises:
            UsageError: A grey image was to be saturated, or one to be stored has neither one channel nor three.
            RunError: Pillow is needed and not installed.
        """
        channels = len(image)
        if self.kind in ("brightness", "saturate", "pixelate", "jpeg_compression") and channels not in (1, 3):
            raise UsageError(
                f"{self.kind} is of grey or RGB images, and these have {channels} channels. Take another corruption."
            )
        if self.kind == "saturate" and channels == 1:
            raise UsageError("Grey images have no colour to saturate. Take another corruption, such as contrast.")
        constant = CONSTANTS[self.constants][self.kind][self.severity - 1]
        found = _KINDS[self.kind](image.astype(np.float64), constant, generator(self.seed, CORRUPTION, number))
        return np.clip(found, 0.0, 1.0).astype(np.float32)

    def of(self, images: Pixels, numbers: Indices) -> Pixels:
        """Several images (B, C, H, W) with these numbers ``(B,)``, corrupted; errors as of one."""
        made = [self(image, int(number)) for image, number in zip(images, numbers, strict=True)]
        return np.stack(made) if made else images.copy()


# -- the formulas, on float64 images (C, H, W) of 0..1; what leaves this range is clipped afterwards -----------------

_Image = npt.NDArray[np.float64]
_Drawn = np.random.Generator


def _gaussian_noise(x: _Image, scale: float, rng: _Drawn) -> _Image:
    return x + rng.normal(scale=scale, size=x.shape)


def _shot_noise(x: _Image, photons: float, rng: _Drawn) -> _Image:
    return rng.poisson(np.clip(x, 0, 1) * photons) / photons


def _impulse_noise(x: _Image, amount: float, rng: _Drawn) -> _Image:
    """Salt and pepper: each value of each channel is hit with probability `amount`, half of them white."""
    hit, white = rng.random(x.shape) < amount, rng.random(x.shape) < 0.5
    salted: _Image = np.where(hit, white.astype(np.float64), x)
    return salted


def _speckle_noise(x: _Image, scale: float, rng: _Drawn) -> _Image:
    return x + x * rng.normal(scale=scale, size=x.shape)


def _gaussian_blur(x: _Image, sigma: float, rng: _Drawn) -> _Image:
    from scipy import ndimage

    blurred: _Image = ndimage.gaussian_filter(x, sigma=(0, sigma, sigma), mode="nearest", truncate=4.0)
    return blurred


def _defocus_blur(x: _Image, sizes: tuple[float, float], rng: _Drawn) -> _Image:
    """A mean over a disk whose edge is smoothed by a small Gaussian."""
    from scipy import ndimage

    radius, smooth = sizes
    reach = max(8, math.ceil(radius))
    along = np.arange(-reach, reach + 1)
    disk = (along[:, None] ** 2 + along[None, :] ** 2 <= radius**2).astype(np.float64)
    edge = 1 if radius <= 8 else 2  # pixels that the Gaussian reaches, as in the benchmark's code
    kernel = ndimage.gaussian_filter(disk / disk.sum(), smooth, mode="mirror", radius=edge)
    blurred: _Image = np.stack([ndimage.correlate(channel, kernel, mode="mirror") for channel in x])
    return blurred


def _brightness(x: _Image, more: float, rng: _Drawn) -> _Image:
    """More value at the same hue and saturation (HSV)."""
    value = x.max(axis=0, keepdims=True)
    wanted = np.clip(value + more, 0, 1)
    brighter: _Image = np.where(value > 0, x * wanted / np.where(value > 0, value, 1), wanted)
    return brighter


def _contrast(x: _Image, share: float, rng: _Drawn) -> _Image:
    mean = x.mean(axis=(1, 2), keepdims=True)
    flatter: _Image = (x - mean) * share + mean
    return flatter


def _saturate(x: _Image, change: tuple[float, float], rng: _Drawn) -> _Image:
    """Another saturation at the same hue and value (HSV); what has no hue is taken as red."""
    value, least = x.max(axis=0, keepdims=True), x.min(axis=0, keepdims=True)
    spread = value - least
    red = np.asarray([1.0, 0.0, 0.0]).reshape(3, 1, 1)
    hue = np.where(spread > 0, (x - least) / np.where(spread > 0, spread, 1), red)
    saturation = np.where(value > 0, spread / np.where(value > 0, value, 1), 0)
    factor, more = change
    found: _Image = value * (1 - np.clip(saturation * factor + more, 0, 1) * (1 - hue))
    return found


def _pixelate(x: _Image, share: float, rng: _Drawn) -> _Image:
    image = _stored(x)
    width, height = image.size
    small = image.resize((max(1, int(width * share)), max(1, int(height * share))), _box())
    return _read(small.resize((width, height), _box()))


def _jpeg_compression(x: _Image, quality: int, rng: _Drawn) -> _Image:
    from PIL import Image

    file = BytesIO()
    _stored(x).save(file, "JPEG", quality=quality)
    return _read(Image.open(file))


def _stored(x: _Image) -> PIL.Image.Image:
    require("PIL", "vision", "This corruption")
    from PIL import Image

    bytes_ = np.rint(np.clip(x, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(bytes_[0] if len(bytes_) == 1 else np.ascontiguousarray(bytes_.transpose(1, 2, 0)))


def _read(image: PIL.Image.Image) -> _Image:
    pixels = np.asarray(image, dtype=np.float64) / 255
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _box() -> Any:
    from PIL import Image

    return Image.Resampling.BOX


_KINDS: Mapping[str, Callable[[_Image, Any, _Drawn], _Image]] = {
    "gaussian_noise": _gaussian_noise,
    "shot_noise": _shot_noise,
    "impulse_noise": _impulse_noise,
    "speckle_noise": _speckle_noise,
    "gaussian_blur": _gaussian_blur,
    "defocus_blur": _defocus_blur,
    "brightness": _brightness,
    "contrast": _contrast,
    "saturate": _saturate,
    "pixelate": _pixelate,
    "jpeg_compression": _jpeg_compression,
}
