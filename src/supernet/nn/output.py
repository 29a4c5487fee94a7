"""What a network returns beside its logits."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor


class Output(NamedTuple):
    """Logits with further outputs; a network may return it instead of a tensor, in training or always.

    Attributes:
        logits: (B, K).
        aux: Logits (B, K) of auxiliary heads, for a weighted loss beside that of `logits`.
        heads: Other outputs by name, such as those of further tasks.
    """

    logits: Tensor
    aux: tuple[Tensor, ...] = ()
    heads: Mapping[str, Tensor] = MappingProxyType({})


def as_output(result: Tensor | Output) -> Output:
    """A result as `Output`, whichever of the two a network returns."""
    return result if isinstance(result, Output) else Output(result)
