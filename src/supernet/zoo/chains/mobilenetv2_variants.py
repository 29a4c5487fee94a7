"""The published single-path spaces on MobileNetV2's chain, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Variant: TypeAlias = Literal["fairnas", "proxyless", "proxyless_gpu", "greedynas", "greedynas_augmented"]

IDENTITY = "identity"
OPS = ("MB3_K3", "MB6_K3", "MB3_K5", "MB6_K5", "MB3_K7", "MB6_K7")
GATED_OPS = (*OPS, *(f"{op}_SE" for op in OPS))


@dataclass(frozen=True, kw_only=True)
class Stages:
    """A chain of inverted residual blocks, and what may stand in each of its layers.

    Attributes:
        identity: Where a layer may also be the identity: nowhere; inside the stages, where the shape stays; or
            everywhere, as a 1 × 1 convolution in the first layer of a stage.
        stem: Width of the stem.
        first: Width of the fixed block after it.
        widths: Widths of the stages.
        depths: Numbers of layers of the stages.
        strides: Strides of the stem and of the first layer of each stage.
        head: Width before the classifier.
        ops: Blocks to choose from.
        activation: Activation in stem, blocks and head.
    """

    identity: Literal["nowhere", "inside", "everywhere"]
    stem: int = 32
    first: int = 16
    widths: tuple[int, ...] = (32, 40, 80, 96, 192, 320)
    depths: tuple[int, ...] = (4, 4, 4, 4, 4, 1)
    strides: tuple[int, ...] = (2, 2, 2, 2, 1, 2, 1)
    head: int = 1280
    ops: tuple[str, ...] = OPS
    activation: Literal["relu6", "relu", "hswish"] = "relu6"

    def options(self, *, first: bool) -> tuple[str, ...]:
        """What may stand in a layer, which is the first of its stage or not."""
        skips = self.identity == "everywhere" or (self.identity == "inside" and not first)
        return (*self.ops, IDENTITY) if skips else self.ops


VARIANTS: Mapping[Variant, Stages] = {
    "fairnas": Stages(identity="nowhere", depths=(2, 4, 4, 4, 4, 1)),
    "proxyless": Stages(identity="inside", widths=(24, 40, 80, 96, 192, 320)),
    "proxyless_gpu": Stages(identity="inside", stem=40, first=24, widths=(32, 56, 112, 128, 256, 432), head=1728),
    "greedynas": Stages(identity="everywhere", activation="relu"),
    "greedynas_augmented": Stages(identity="everywhere", ops=GATED_OPS, activation="hswish"),
}
