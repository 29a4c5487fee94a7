"""A small convolutional classifier of images beside the supernet, such as one of domains."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.headless import classifier
from supernet.nn.supernet import Supernet
from supernet.train.part import Setting


class ImageClassifier(nn.Module):
    """Four blocks of convolution, BatchNorm, ReLU and pooling, a mean, two linear layers: (B, C, H, W) -> (B, K).

    NAS-OoD's released code. BatchNorms normalise by the batch and keep no statistics, so that passes leave no trace.
    Images of less than 16 pixels are pooled as often as they can be (reconstruction: there are none in the paper).

    Args:
        channels: C.
        classes: K.
        width: The channels of the blocks, and the numbers of the features.
    """

    def __init__(self, channels: int, classes: int, width: int = 64) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels if number == 0 else width, width, 3, padding=1),
                nn.BatchNorm2d(width, track_running_stats=False),
                nn.ReLU(),
            )
            for number in range(4)
        )
        self.embed, self.last = nn.Linear(width, width), nn.Linear(width, classes)

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees (B, width)."""
        for block in self.blocks:
            x = block(x)
            x = F.max_pool2d(x, 2) if min(x.shape[2:]) > 1 else x
        out: Tensor = self.embed(x.mean((2, 3)))
        return out

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.features(x))
        return out


@dataclass(frozen=True, kw_only=True)
class ClassifierOfImages:
    """Builds an `ImageClassifier` for the images of the supernet.

    Args:
        classes: The number of classes; None: those of the supernet.
        width: The channels of its convolutions, and the numbers of its features.

    Raises:
        UsageError: a number below 1; where it is built, a supernet that is not for images.
    """

    classes: int | None = None
    width: int = 64

    def __post_init__(self) -> None:
        if self.width < 1 or (self.classes is not None and self.classes < 1):
            raise UsageError(
                f"A classifier of {self.classes} classes and {self.width} channels was asked for; give 1 or more."
            )

    def __call__(self, setting: Setting) -> ImageClassifier:
        """The module, on the device of the supernet."""
        channels, _, _ = image_shape(setting.net, "A classifier of images")
        last = classifier(setting.net)
        classes = last.out_features if self.classes is None else self.classes
        return ImageClassifier(channels, classes, self.width).to(_device(setting.net))


def image_shape(net: Supernet, what: str) -> tuple[int, int, int]:
    """(C, H, W) of the images that a supernet is for.

    Raises:
        UsageError: it is for something else, or does not know.
    """
    shape = net.input_shape
    if not isinstance(shape, tuple) or len(shape) != 3:
        raise UsageError(f"{what} needs images (C, H, W), but the inputs of the network are {shape}.")
    return shape[0], shape[1], shape[2]


def _device(net: Supernet) -> torch.device:
    return next(net.parameters()).device
