"""The transformer layer of NASViT's hybrid stages, between maps of convolutions."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, cast

from torch import Tensor, nn

from supernet.nn import (
    ElasticAttention,
    ElasticGroupNorm,
    ElasticLayerNorm,
    ElasticLinear,
    RelativeBias2d,
    ScalingBank,
    TokenGrid,
)
from supernet.space import Expr
from supernet.zoo.drawing import Block, Value

HEAD_DIM = 8
"""Width of a query and a key; widths are multiples of it."""

VALUE_RATIO = 4
"""Width of a value over that of a query."""

Norm: TypeAlias = Literal["joint", "token"]
"""What LayerNorm takes mean and variance over: all features of all tokens of an image (`"joint"`), or the features of
each token (`"token"`)."""


class HybridLayer(nn.Module):
    """Attention and two MLPs over the pixels of a map, beside the identity: (B, c, s, s) -> (B, c, s, s).

    Each of the three branches begins with a norm and ends with switchable scaling (`ScalingBank`); the MLPs share one.
    There are c / 8 heads, with queries and keys of width 8 and values of width 32 that go through a depthwise 3 × 3
    convolution; the heads talk before and after the softmax, and the logits have a bias by head and offset. The hidden
    width of an MLP is c. Activations are swish, also between attention and its last projection.

    Args:
        width: Width c, a multiple of 8.
        depth: Number of active layers of the stage.
        side: Side s of the map.
        window: Side of the window whose offsets have a bias each; None: that of the largest map.
        norm: What LayerNorm normalises over.
    """

    def __init__(
        self, width: Expr | int, depth: Expr | int, side: Expr | int, *, window: int | None = 18, norm: Norm = "joint"
    ) -> None:
        super().__init__()
        heads, tokens = cast(Any, width) // HEAD_DIM, cast(Any, side) * side
        attention = ElasticAttention(
            width,
            heads,
            HEAD_DIM,
            value_dim=VALUE_RATIO * HEAD_DIM,
            grid=side,
            value_kernel=3,
            activation=nn.SiLU(),
            relative_bias=RelativeBias2d(side, heads, window=window),
            talking=True,
        )
        self.width, self.stride = width, 1
        self.attend = _Branch(_norm(width, norm), attention, ScalingBank(width, depth, tokens))
        scale = ScalingBank(width, depth, tokens)
        self.mix = nn.Sequential(*(_Branch(_norm(width, norm), _mlp(width), scale) for _ in range(2)))
        self.grid = TokenGrid(side)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.mix(self.attend(x.flatten(2).transpose(1, 2)))
        out: Tensor = self.grid(tokens.transpose(1, 2))
        return out

    def drawn(self, value: Value) -> Block:
        """The layer in a picture."""
        width = value(self.width)
        return Block(f"attention {width // HEAD_DIM} heads", width, width)


class _Branch(nn.Module):
    """x + scale(body(norm(x))): (B, T, c) -> (B, T, c)."""

    def __init__(self, norm: nn.Module, body: nn.Module, scale: nn.Module) -> None:
        super().__init__()
        self.norm, self.body, self.scale = norm, body, scale

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.scale(self.body(self.norm(x)))
        return out


class _JointNorm(nn.Module):
    """LayerNorm over tokens and features together, with a scale and a shift per feature: (B, T, c) -> (B, T, c)."""

    def __init__(self, width: Expr | int) -> None:
        super().__init__()
        self.norm = ElasticGroupNorm(None, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(x.transpose(1, 2)).transpose(1, 2)
        return out


def _norm(width: Expr | int, over: Norm) -> nn.Module:
    return _JointNorm(width) if over == "joint" else ElasticLayerNorm(width)


def _mlp(width: Expr | int) -> nn.Module:
    return nn.Sequential(ElasticLinear(width, width), nn.SiLU(), ElasticLinear(width, width))
