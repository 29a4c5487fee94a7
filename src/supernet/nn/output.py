"""What a network returns beside its logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor


class Output(NamedTuple):
    """The result of a network with several heads; one with a single head returns its tensor as it is.

    Attributes:
        logits: (B, K) what is evaluated.
        aux: (B, K) each: logits of heads that exist for the training alone.
        heads: Further results by name, of any shape.
    """

    logits: Tensor
    aux: tuple[Tensor, ...] = ()
    heads: Mapping[str, Tensor] = {}


def as_output(result: Tensor | Output) -> Output:
    """A result as `Output`, whichever of the two a network returns."""
    return result if isinstance(result, Output) else Output(result)
