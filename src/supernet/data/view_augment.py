"""The augmentations by which contrastive methods make views of an image (MoCo v2, BYOL, ReSSL)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from supernet.data.photographs import one_by_one
from supernet.errors import UsageError, require


@dataclass(frozen=True, kw_only=True)
class ViewAugment:
    """Random crop, jitter of colours, grey, blur, solarisation, mirror; by torchvision, one image after another.

    The default is MoCo v2's ([arXiv 2003.04297](https://arxiv.org/abs/2003.04297)). The kernel of the blur has about a
    tenth of the image's side, as in SimCLR. Jitter of saturation and hue, and grey, leave grey images as they are.

    Args:
        min_area: Least share of the image that the crop shows, which is resized to the size of the image.
        interpolation: How it is resized.
        jitter: Brightness, contrast and saturation change by up to these shares, hue by up to this share of a turn.
        jitter_p: Probability with which colours change.
        grey: Probability with which an image becomes grey.
        blur: Probability with which an image is blurred.
        sigma: Least and greatest standard deviation of the blur, in pixels.
        solarise: Probability with which values above one half are inverted (BYOL).
        flip: Whether to mirror left and right, every other time.

    Raises:
        UsageError: a value out of its range.
    """

    min_area: float = 0.2
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.4, 0.1)
    jitter_p: float = 0.8
    grey: float = 0.2
    blur: float = 0.5
    sigma: tuple[float, float] = (0.1, 2.0)
    solarise: float = 0.0
    flip: bool = True

    def __post_init__(self) -> None:
        for name in ("jitter_p", "grey", "blur", "solarise"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"ViewAugment({name}={getattr(self, name)}) is no probability; give 0 to 1.")
        if not 0 < self.min_area <= 1:
            raise UsageError(f"ViewAugment(min_area={self.min_area}) is not a share; give 0 < min_area <= 1.")
        if self.interpolation not in ("bilinear", "bicubic"):
            raise UsageError(f"Views are resized 'bilinear' or 'bicubic'; got interpolation={self.interpolation!r}.")
        if len(self.jitter) != 4 or not all(0 <= share <= 1 for share in self.jitter) or self.jitter[3] > 0.5:
            raise UsageError(
                f"ViewAugment(jitter={self.jitter}): give three shares of 0 to 1, and 0 to 0.5 for the hue."
            )
        if len(self.sigma) != 2 or not 0 < self.sigma[0] <= self.sigma[1]:
            raise UsageError(f"ViewAugment(sigma={self.sigma}): give the least and the greatest, both above 0.")

    def warp(self, images: Tensor, u: Tensor) -> Tensor:
        """Images (B, C, H, W), uint8 or float32 in [0, 1], each changed by draws that its row of u (B, n) decides."""
        require("torchvision", "vision", "Making views of images")
        from torchvision.transforms import v2

        return one_by_one(images, u, v2.Compose(self.changes(*images.shape[2:])))

    def cut(self, x: Tensor, u: Tensor) -> Tensor:
        """The images as they are: no square is cut out."""
        return x

    def changes(self, height: int, width: int) -> list[Any]:
        """The transforms of torchvision, for an image of PIL or a tensor, to images of this size."""
        from torchvision.transforms import v2

        resized = v2.InterpolationMode.BICUBIC if self.interpolation == "bicubic" else v2.InterpolationMode.BILINEAR
        ratio = (3 / 4 * width / height, 4 / 3 * width / height)
        steps: list[Any] = [
            v2.RandomResizedCrop((height, width), scale=(self.min_area, 1.0), ratio=ratio, interpolation=resized)
        ]
        if self.jitter_p:
            steps.append(v2.RandomApply([v2.ColorJitter(*self.jitter)], p=self.jitter_p))
        if self.grey:
            steps.append(v2.RandomGrayscale(p=self.grey))
        if self.blur:
            sides = [max(3, side // 10 // 2 * 2 + 1) for side in (height, width)]
            steps.append(v2.RandomApply([v2.GaussianBlur((sides[1], sides[0]), self.sigma)], p=self.blur))
        if self.solarise:
            steps.append(_Solarise(self.solarise))
        if self.flip:
            steps.append(v2.RandomHorizontalFlip())
        return steps


class _Solarise:
    """Inverts what is above one half, with a probability; pixels are uint8, float32 in [0, 1], or of PIL."""

    def __init__(self, p: float) -> None:
        self.p = p

    def __call__(self, image: Any) -> Any:
        from torchvision.transforms import v2

        half = 0.5 if isinstance(image, Tensor) and image.is_floating_point() else 128
        return v2.RandomSolarize(half, p=self.p)(image)


MOCO_V2 = ViewAugment()
"""MoCo v2's, of both views."""

BYOL_FIRST = ViewAugment(min_area=0.08, interpolation="bicubic", jitter=(0.4, 0.4, 0.2, 0.1), blur=1.0)
"""BYOL's of the first view ([arXiv 2006.07733](https://arxiv.org/abs/2006.07733), appendix B)."""

BYOL_SECOND = ViewAugment(min_area=0.08, interpolation="bicubic", jitter=(0.4, 0.4, 0.2, 0.1), blur=0.1, solarise=0.2)
"""BYOL's of the second view."""

WEAK = ViewAugment(jitter_p=0.0, grey=0.0, blur=0.0)
"""Crop and mirror: what ReSSL's teacher sees ([arXiv 2107.09282](https://arxiv.org/abs/2107.09282), §3.2)."""
