"""Initial weights that published networks say of themselves."""

from __future__ import annotations

from torch import nn


def he_normal(network: nn.Module) -> None:
    """Draw the weights of all convolutions and linear layers from N(0, 2 / fan-in) (He et al., arXiv 1502.01852)."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
