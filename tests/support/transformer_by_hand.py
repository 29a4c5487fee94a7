"""A vision transformer of the zoo once more, from its weights by plain operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def logits(
    subnet: Any, x: Tensor, *, attend: Callable[[nn.Module, Tensor], Tensor], pooling: str, eps: float = 1e-5
) -> Tensor:
    """Patches row by row, class token, positions; x + attention(norm x), x + MLP(norm x); norm, pooling, classifier.

    Args:
        subnet: An extracted network without dropout.
        x: Images (B, C, H, W).
        attend: The attention of a block, projection included, of its module and the normed tokens (B, T, c).
        pooling: What the classifier reads.
        eps: That of the norms in the blocks; the last one has 1e-5.
    """
    found = {name.rpartition(".")[2]: parameter for name, parameter in subnet.embed.named_parameters()}
    kernels = next(parameter for parameter in subnet.embed.parameters() if parameter.ndim == 4)
    patches = F.unfold(x, kernels.shape[2:], stride=kernels.shape[2]).mT @ kernels.flatten(1).T + found["bias"]
    tokens = torch.cat([found["token"].expand(len(x), 1, -1), patches], 1)
    tokens = tokens + found["positions"][: tokens.shape[1]]

    def normed(norm: Any, eps: float) -> Tensor:
        centred = tokens - tokens.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt() * norm.weight + norm.bias

    for block in subnet.blocks:
        tokens = tokens + attend(block.attend[1], normed(block.attend[0], eps))
        hidden = block.mix[1](normed(block.mix[0], eps))
        hidden = hidden * (1 + torch.erf(hidden / 2**0.5)) / 2
        tokens = tokens + block.mix[3](hidden)
    tokens = normed(subnet.norm, 1e-5)
    read = tokens[:, 0] if pooling == "token" else tokens[:, 1:].mean(1)
    return read @ subnet.head.weight.T + subnet.head.bias


def products(q: Tensor, k: Tensor, v: Tensor, keys: Tensor | float = 0.0, values: Tensor | float = 0.0) -> Tensor:
    """Attention of (B, T, h, d): softmax over s of q_t · (k_s + keys_ts) / √d, of v_s + values_ts; (B, T, h · d)."""
    k, v = k[:, None] + keys, v[:, None] + values  # (B, T, S, h, d)
    weights = ((q[:, :, None] * k).sum(-1) / q.shape[-1] ** 0.5).softmax(2)
    return (weights[..., None] * v).sum(2).flatten(2)
