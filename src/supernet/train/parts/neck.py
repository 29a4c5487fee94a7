"""A perceptron behind the features of a network, as contrastive methods train it."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.headless import classifier
from supernet.train.part import Setting
from supernet.train.processes.seeds import seeded


class Neck(nn.Module):
    """Linear, ReLU, linear: features (B, D) -> (B, width), float32 (MoCo v2).

    Weights are drawn as by He et al. (`kaiming_normal_`), biases are zero, as in Π-NAS's released code.

    Args:
        features: D.
        hidden: The number of units between.
        width: The number of outputs.
    """

    def __init__(self, features: int, hidden: int, width: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(features, hidden), nn.Linear(hidden, width)
        for layer in (self.first, self.last):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.first(x.float()).relu())
        return out


@dataclass(frozen=True, kw_only=True)
class NeckOfNet:
    """Builds a `Neck` behind what enters the classifier of the supernet.

    All that are built in one training with one `draw` begin with the same weights, such as those of a student and of
    its teacher.

    Args:
        hidden: The number of units between.
        width: The number of outputs.
        learn: Whether its weights have a gradient.
        draw: What the first weights are drawn by, beside the seed of the training.

    Raises:
        UsageError: a number below 1; when it is built, a network without a classifier of fixed width.
    """

    hidden: int = 2048
    width: int = 128
    learn: bool = True
    draw: str = "neck"

    def __post_init__(self) -> None:
        if self.hidden < 1 or self.width < 1:
            raise UsageError(f"A neck has 1 unit or more; got hidden={self.hidden} and width={self.width}.")

    def __call__(self, setting: Setting) -> Neck:
        """The module, on the device of the supernet."""
        last = classifier(setting.net)
        with seeded(setting.seed, crc32(self.draw.encode())):
            built = Neck(last.in_features, self.hidden, self.width)
        return built.requires_grad_(self.learn).to(last.weight.device)
