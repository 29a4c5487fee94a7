"""The two residual blocks of HyTra, at one scale of a network and behind every map that may enter them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from supernet.nn import DotProductAttention, DropPath, Switch
from supernet.space import Expr
from supernet.zoo.layers import Norm, activation_layer

EXPANSION = 4
"""Channels of a block over those of what stands inside it."""


@dataclass(frozen=True)
class Style:
    """How the blocks of a network are made, beside their sizes.

    Attributes:
        norm: Makes a BatchNorm.
        activation: Name of the activation.
        pooled: Whether a shortcut that changes the map is a mean over 2 × 2 pixels and a 1 × 1 convolution with
            BatchNorm (the released networks); else a convolution, 3 × 3 where it halves the map, with BatchNorm and
            activation (the released supernet).
        squeeze: Whether blocks of convolutions end with squeeze-and-excitation, a sixteenth of the channels between.
        head_width: Channels of a head of attention.
    """

    norm: Norm
    activation: str
    pooled: bool
    squeeze: bool
    head_width: int


@dataclass(frozen=True)
class Entry:
    """A map that may enter a block: its channels, and by how much the block reduces its sides."""

    channels: int
    stride: int


class ResidualBlock(nn.Module):
    """A block of HyTra: (B, c', H, W) -> (B, c, H / s, W / s), with c' and s of the map that enters.

    A 1 × 1 convolution and a depthwise 3 × 3 one, which encodes positions and reduces the map; BatchNorm; the
    body; all beside a shortcut, with an activation behind the sum.

    Args:
        project: What the body is given.
        body: Convolutions or attention.
        shortcut: The way around it.
        activation: Name of the activation.
    """

    def __init__(self, project: nn.Module, body: nn.Module, shortcut: nn.Module, activation: str) -> None:
        super().__init__()
        self.project, self.body, self.shortcut = project, body, shortcut
        self.activation = activation_layer(activation)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(self.body(self.project(x)) + self.shortcut(x))
        return out


def residual_block(
    kind: str,
    width: int,
    entries: Mapping[int, Entry],
    entered: Expr | int,
    style: Style,
    *,
    drop_path: float | None = None,
) -> ResidualBlock:
    """A block `"conv"` or `"att"` of some channels.

    Args:
        kind: What its body is.
        width: Channels c of its output.
        entries: The maps that may enter it, by a key each.
        entered: The key of the map that enters: an expression, or a number where there is one map alone.
        style: How it is made.
        drop_path: Share of the setting `drop_path` with which an image goes without the body of convolutions.
    """
    inner = width // EXPANSION

    def project(entry: Entry) -> nn.Module:
        positions = nn.Conv2d(inner, inner, 3, stride=entry.stride, padding=1, groups=inner)
        return nn.Sequential(nn.Conv2d(entry.channels, inner, 1, bias=False), positions, style.norm(inner))

    body = _convolutions(width, style, drop_path) if kind == "conv" else _attention(width, style)
    return ResidualBlock(
        by_value(entered, {key: project(entry) for key, entry in entries.items()}),
        body,
        by_value(entered, {key: _shortcut(entry, width, style) for key, entry in entries.items()}),
        style.activation,
    )


def by_value(value: Expr | int, candidates: Mapping[int, nn.Module]) -> nn.Module:
    """A switch between modules; where there is one alone, that."""
    if len(candidates) == 1:
        return next(iter(candidates.values()))
    return Switch(cast(Expr, value), candidates)


def _shortcut(entry: Entry, width: int, style: Style) -> nn.Module:
    if entry.stride == 1 and entry.channels == width:
        return nn.Identity()
    if style.pooled:
        pool = [nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)] if entry.stride > 1 else []
        return nn.Sequential(*pool, nn.Conv2d(entry.channels, width, 1, bias=False), style.norm(width))
    kernel = 3 if entry.stride > 1 else 1
    convolution = nn.Conv2d(entry.channels, width, kernel, stride=entry.stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, style.norm(width), activation_layer(style.activation))


def _convolutions(width: int, style: Style, drop_path: float | None) -> nn.Module:
    inner = width // EXPANSION
    layers: list[nn.Module] = [
        activation_layer(style.activation),
        nn.Conv2d(inner, inner, 3, padding=1, bias=False),
        style.norm(inner),
        activation_layer(style.activation),
        nn.Conv2d(inner, width, 1, bias=False),
        style.norm(width),
    ]
    if style.squeeze:
        layers.append(_Squeeze(width))
    if drop_path is not None:
        layers.append(DropPath(drop_path))
    return nn.Sequential(*layers)


def _attention(width: int, style: Style) -> nn.Module:
    inner = width // EXPANSION
    return nn.Sequential(
        activation_layer(style.activation),
        PixelAttention(inner, max(1, inner // style.head_width)),
        style.norm(inner),
        activation_layer(style.activation),
        nn.Conv2d(inner, width, 1, bias=False),
        style.norm(width),
    )


class PixelAttention(nn.Module):
    """Attention of all pixels to all pixels: (B, c, H, W) -> (B, c, H, W), without positions and last projection.

    Args:
        width: Channels c.
        heads: Number of heads, which divides them.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.qkv = nn.Conv2d(width, 3 * width, 1, bias=False)
        self.attend = DotProductAttention(heads, width // heads)
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.qkv(x).flatten(2).transpose(1, 2)
        q, k, v = torch.split(tokens, self.width, dim=2)
        return cast(Tensor, self.attend(q, k, v)).transpose(1, 2).reshape(x.shape)


class _Squeeze(nn.Module):
    """Squeeze-and-excitation with a sixteenth of the channels between, at least 8."""

    def __init__(self, width: int) -> None:
        super().__init__()
        reduced = max(width // 16, 8)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, reduced, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(reduced, width, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.gate(x)
        return x * gate


def depthwise_down(channels: int, width: int, stride: int, norm: Callable[[Any], nn.Module]) -> nn.Sequential:
    """The way to a map of another scale: a depthwise convolution over s × s pixels, a 1 × 1 one, BatchNorm."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, stride, stride=stride, groups=channels, bias=False),
        nn.Conv2d(channels, width, 1, bias=False),
        norm(width),
    )
