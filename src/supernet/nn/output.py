"""What a network returns beside its logits."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor

from supernet.errors import UsageError


class Output(NamedTuple):
    """Logits with further outputs; a network may return it instead of a tensor, in training or always.

    Attributes:
        logits: (B, K); or what else the task asks for, such as (B, K, H, W) of a segmentation.
        aux: Logits of auxiliary heads, for a weighted loss beside that of `logits`.
        heads: Other outputs by name, such as those of further tasks.
    """

    logits: Tensor
    aux: tuple[Tensor, ...] = ()
    heads: Mapping[str, Tensor] = MappingProxyType({})


def as_output(result: object) -> Output:
    """A result as `Output`.

    A network may return logits, an `Output`, or what other libraries return: a mapping, whose logits are called
    `logits` or `out` and whose `aux` is an auxiliary head (torchvision, transformers), or a tuple that begins with the
    logits. Other tensors in it are heads, by name or place.

    Raises:
        UsageError: There is no tensor in it.

    >>> import torch
    >>> as_output({"out": torch.zeros(2, 5, 8, 8), "aux": torch.zeros(2, 5, 8, 8)}).logits.shape
    torch.Size([2, 5, 8, 8])
    """
    if isinstance(result, Tensor):
        return Output(result)
    if isinstance(result, Output):
        return result
    found = result if isinstance(result, Mapping) else {}
    if isinstance(result, tuple | list):
        found = {str(place): value for place, value in enumerate(result)}
    named = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    if not named:
        raise UsageError(
            f"The network returned a {type(result).__name__} without a tensor in it. It has to return logits, an "
            "nn.Output, a mapping with the logits as 'logits' or 'out', or a tuple that begins with them."
        )
    first = next((name for name in ("logits", "out") if name in named), next(iter(named)))
    logits, aux = named.pop(first), named.pop("aux", None)
    return Output(logits, () if aux is None else (aux,), named)
