"""A network that translates images from one domain to another."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.train.part import Setting
from supernet.train.parts.image_classifier import image_shape


class DomainGenerator(nn.Module):
    """Image, its domain and a target domain -> the image in the target domain, (B, C, H, W) -> (B, C, H, W).

    NAS-OoD's released code, after StarGAN ([arXiv 1711.09020](https://arxiv.org/abs/1711.09020)): a 7x7 convolution;
    two of 4x4 that halve the sides and double the channels, of which the first also sees both domains as one-hot maps;
    residual blocks; two transposed ones back; a 7x7 one to what is added to the image, in (−1, 1). Instance
    normalisation, with scale and shift, keeps no statistics.

    Args:
        channels: C.
        domains: D, the known domains; one more, number D, is the novel one.
        width: The channels of the first convolution.
        blocks: The number of residual blocks.
    """

    def __init__(self, channels: int, domains: int, width: int = 64, blocks: int = 3) -> None:
        super().__init__()
        self.domains = domains
        self.enter = nn.Sequential(nn.Conv2d(channels, width, 7, padding=3, bias=False), *_after(width))
        self.down = nn.Sequential(
            nn.Conv2d(width + 2 * (domains + 1), 2 * width, 4, stride=2, padding=1, bias=False),
            *_after(2 * width),
            nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1, bias=False),
            *_after(4 * width),
        )
        self.blocks = nn.ModuleList(_residual(4 * width) for _ in range(blocks))
        self.up = nn.Sequential(
            nn.ConvTranspose2d(4 * width, 2 * width, 4, stride=2, padding=1, bias=False),
            *_after(2 * width),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False),
            *_after(width),
            nn.Conv2d(width, channels, 7, padding=3, bias=False),
            nn.Tanh(),
        )

    @property
    def novel(self) -> int:
        """The number of the domain that no image comes from."""
        return self.domains

    def forward(self, x: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """Translate images.

        Args:
            x: The images (B, C, H, W).
            source: The numbers of their domains (B,), int64.
            target: The numbers of the domains they shall be of (B,), int64.
        """
        told = torch.cat([F.one_hot(numbers, self.domains + 1) for numbers in (source, target)], 1).to(x)
        maps = told[:, :, None, None].expand(-1, -1, *x.shape[2:])
        found = self.down(torch.cat([self.enter(x), maps], 1))
        for block in self.blocks:
            found = found + block(found)
        added: Tensor = self.up(found)
        return x + added


def _after(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(channels, affine=True), nn.ReLU()


def _residual(channels: int) -> nn.Sequential:
    first, second = (nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2))
    return nn.Sequential(first, *_after(channels), second, nn.InstanceNorm2d(channels, affine=True))


@dataclass(frozen=True, kw_only=True)
class GeneratorOfDomains:
    """Builds a `DomainGenerator` for the images of the supernet.

    Args:
        domains: The number of known domains.
        width: The channels of its first convolution.
        blocks: The number of its residual blocks.

    Raises:
        UsageError: a number outside its range; where it is built, images whose sides are not multiples of 4 of 8 or
            more.
    """

    domains: int = 3
    width: int = 64
    blocks: int = 3

    def __post_init__(self) -> None:
        if min(self.domains, self.width) < 1 or self.blocks < 0:
            raise UsageError(
                f"A generator of {self.domains} domains, {self.width} channels and {self.blocks} blocks was asked for; "
                "give 1 or more domains and channels, and no fewer than 0 blocks."
            )

    def __call__(self, setting: Setting) -> DomainGenerator:
        """The module, on the device of the supernet."""
        channels, *sides = image_shape(setting.net, "A generator of images")
        if any(side < 8 or side % 4 for side in sides):
            raise UsageError(
                f"Images of {sides[0]}x{sides[1]} cannot be halved twice and doubled again. Bring both sides to a "
                "multiple of 4 pixels, 8 or more."
            )
        built = DomainGenerator(channels, self.domains, self.width, self.blocks)
        return built.to(next(setting.net.parameters()).device)
