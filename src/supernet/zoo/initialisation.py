"""Initial weights that published networks say of themselves."""

from __future__ import annotations

import math
from typing import Literal

from torch import nn


def he_normal(network: nn.Module) -> None:
    """Draw the weights of all convolutions and linear layers from N(0, 2 / fan-in) (He et al., arXiv 1502.01852)."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")


def fan_out_normal(
    network: nn.Module, *, by: Literal["outputs", "inputs"] = "outputs", depthwise_alone: bool = False
) -> None:
    """Draw convolutions from N(0, 2 / (k² · C_out)), and linear layers uniform in ±1 / √n; biases are zero.

    Args:
        network: The network.
        by: Whether n is the number of a linear layer's `"outputs"` (MixPath) or `"inputs"` (OFA).
        depthwise_alone: Whether C_out counts as 1 where a convolution is depthwise (HR-NAS).
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            alone = depthwise_alone and layer.groups == layer.in_channels
            fan_out = layer.kernel_size[0] ** 2 * (1 if alone else layer.out_channels)
            nn.init.normal_(layer.weight, 0, math.sqrt(2 / fan_out))
        elif isinstance(layer, nn.Linear):
            bound = 1 / math.sqrt(layer.out_features if by == "outputs" else layer.in_features)
            nn.init.uniform_(layer.weight, -bound, bound)
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
