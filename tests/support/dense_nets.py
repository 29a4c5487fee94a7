"""A densely connected network that is as small as one can be."""

from __future__ import annotations

from functools import partial

import torch

from supernet import Supernet
from supernet.nn import batch_norm
from supernet.zoo.initialisation import fan_out_normal
from supernet.zoo.macro.densenas_network import DenseBlocks, dense_chain

SMALL = DenseBlocks(
    widths=(8, 8, 12, 16),
    levels=(0, 1, 1, 1),
    stages=(0, 1, 1, 1, 2),
    layers=(0, 1, 0, 0),
    reach=3,
    heads=("MB3_K3", "MB6_K3"),
    stacked=("MB3_K3", "MB6_K3", "skip"),
    stem=8,
    strides=(2, 2),
    last=16,
    first=True,
)


def dense_net(*, seed: int = 0) -> Supernet:
    """Three blocks behind a fixed one, for images of 8 × 8 pixels and ten classes: 7 routes."""
    torch.manual_seed(seed)
    net = dense_chain(
        SMALL,
        norm=partial(batch_norm, affine=False, statistics="calibrate"),
        num_classes=10,
        in_channels=1,
        image_size=8,
        strides=SMALL.strides,
        last_conv=True,
        normalise_last=False,
    )
    fan_out_normal(net, by="inputs", depthwise_alone=True)
    return Supernet(net, input_shape=(1, 8, 8))
