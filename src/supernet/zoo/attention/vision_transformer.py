"""What the vision transformers have in common: blocks before which a norm stands, and the way from images to logits."""

from __future__ import annotations

from typing import Literal, TypeAlias, cast, get_args

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import DropPath, ElasticDropout, ElasticLayerNorm, ElasticLinear
from supernet.space import Expr

Pooling: TypeAlias = Literal["mean", "token"]
"""What the classifier reads: the mean of all tokens but the class token, or the class token."""


class TransformerBlock(nn.Module):
    """Attention and two linear layers, each behind a norm and beside the identity: (B, T, c) -> (B, T, c).

    Args:
        width: Width c of the tokens.
        attention: A module (B, T, c) -> (B, T, c).
        hidden: Width between the linear layers.
        drop_path: Share of the setting `drop_path` with which an image goes without either branch.
        dropout: Probability of dropping a feature behind attention and behind both linear layers, at the full width.
        eps: What the norms add to the variance.
    """

    def __init__(
        self,
        width: Expr | int,
        attention: nn.Module,
        *,
        hidden: Expr | int,
        drop_path: float,
        dropout: float = 0.0,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()

        def dropped() -> list[nn.Module]:
            return [ElasticDropout(dropout, width)] if dropout else []

        first, second = ElasticLinear(width, hidden), ElasticLinear(hidden, width)
        self.attend = nn.Sequential(ElasticLayerNorm(width, eps=eps), attention, *dropped(), DropPath(drop_path))
        self.mix = nn.Sequential(
            ElasticLayerNorm(width, eps=eps), first, nn.GELU(), *dropped(), second, *dropped(), DropPath(drop_path)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(x)
        return cast(Tensor, x + self.mix(x))


class VisionTransformer(nn.Module):
    """Patches, a class token, positions, blocks, a norm, a classifier: (B, C, H, W) -> (B, K).

    Args:
        embed: Images to tokens with positions, the class token first, (B, T + 1, c).
        blocks: The blocks.
        norm: The last norm.
        head: The classifier (B, c) -> (B, K).
        pooling: What the classifier reads.

    Raises:
        UsageError: an unknown pooling.
    """

    def __init__(
        self, *, embed: nn.Module, blocks: nn.Module, norm: nn.Module, head: nn.Module, pooling: Pooling
    ) -> None:
        super().__init__()
        if pooling not in get_args(Pooling):
            raise UsageError(f"The pooling {pooling!r} does not exist; use one of {get_args(Pooling)}.")
        self.embed, self.blocks, self.norm, self.head, self.pooling = embed, blocks, norm, head, pooling

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(self.blocks(self.embed(x)))
        read = tokens[:, 1:].mean(1) if self.pooling == "mean" else tokens[:, 0]
        logits: Tensor = self.head(read)
        return logits


def truncated_normal(network: nn.Module) -> None:
    """Draw the weights of linear layers from a normal distribution of deviation 0.02, cut at ±2; biases are zero."""
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


def side_of_grid(image_size: int, patch: int) -> int:
    """Patches per row and column.

    Raises:
        UsageError: patches do not fill the image.
    """
    if image_size % patch:
        raise UsageError(
            f"Patches of {patch} × {patch} pixels do not fill images of {image_size} × {image_size}; choose a size of "
            "patches that divides the side of the images."
        )
    return image_size // patch
