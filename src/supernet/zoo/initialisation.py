"""Initial weights that published networks say of themselves."""

from __future__ import annotations

import math

from torch import nn


def he_normal(network: nn.Module) -> None:
    """Draw the weights of all convolutions and linear layers from N(0, 2 / fan-in) (He et al., arXiv 1502.01852)."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")


def fan_out_normal(network: nn.Module) -> None:
    """Draw convolutions from N(0, 2 / (k² · C_out)), and linear layers uniform in ±1 / √K without biases (MixPath)."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0, math.sqrt(2 / (layer.kernel_size[0] ** 2 * layer.out_channels)))
        elif isinstance(layer, nn.Linear):
            nn.init.uniform_(layer.weight, -1 / math.sqrt(len(layer.weight)), 1 / math.sqrt(len(layer.weight)))
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
