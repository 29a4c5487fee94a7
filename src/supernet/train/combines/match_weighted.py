"""The gradient of another path counts as much as it matches (DC-NAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.train.combines._protocol import Gradients
from supernet.train.optimisers._protocol import check_number

__all__ = ["Match"]


class Match(Protocol):
    """How well two gradients match."""

    def __call__(self, own: Tensor, other: Tensor) -> Tensor | float:
        """A weight, 0 or more, by both gradients (P,) on the parameters that both paths use."""
        ...


@dataclass(frozen=True, kw_only=True)
class CosineMatch:
    """The cosine of the two gradients, 0 where they contradict each other.

    Args:
        power: The cosine's exponent; a larger one trusts close matches alone.

    Raises:
        UsageError: an exponent that is not positive.
    """

    power: float = 1.0

    def __post_init__(self) -> None:
        check_number("The exponent of the cosine", self.power, above=0)

    def __call__(self, own: Tensor, other: Tensor) -> Tensor:
        return torch.nn.functional.cosine_similarity(own, other, dim=0).clamp(min=0) ** self.power


@dataclass(frozen=True)
class ConstantMatch:
    """The same weight whatever the gradients are.

    Args:
        weight: The weight; 1 adds both gradients, 0 leaves the other one out.

    Raises:
        UsageError: a negative weight.
    """

    weight: float = 1.0

    def __post_init__(self) -> None:
        check_number("The weight of the other path", self.weight, at_least=0)

    def __call__(self, own: Tensor, other: Tensor) -> float:
        return self.weight


@dataclass(frozen=True, kw_only=True)
class MatchWeighted:
    """g = g₁ + Σ sᵢ gᵢ on what the first path uses, with sᵢ by how well gᵢ matches g₁ there.

    DC-NAS (Pan et al., CVPR 2022; an interpretation, see `methods.dc_nas`). What only the other paths use has no
    gradient, so that it stays as it is, or is trained by `rest="train"` with its gradients as they are.

    Args:
        match: What measures how well two gradients match.
        rest: What becomes of parameters that the first path does not use.

    Raises:
        UsageError: an unknown value of `rest`.
    """

    match: Match = field(default_factory=CosineMatch)
    rest: Literal["leave", "train"] = "leave"

    def __post_init__(self) -> None:
        if self.rest not in ("leave", "train"):
            raise UsageError(
                f"What the first path does not use is left alone, rest='leave', or trained, 'train'; got "
                f"rest={self.rest!r}."
            )
        if not callable(self.match):
            raise UsageError(f"match is {self.match!r}; give what measures two gradients, such as CosineMatch().")

    def weight(self, paths: int) -> float:
        return 1.0

    def join(self, gradients: Sequence[Gradients], progress: float) -> Gradients:
        if len(gradients) < 2:
            raise UsageError(
                "The gradient of a path is joined with those of others, but the move has a single path that learns. "
                "Take a sampler of several, such as SharingPair()."
            )
        own, *others = gradients
        joined: Gradients = list(own)
        for other in others:
            common = [(a, b) for a, b in zip(own, other, strict=True) if a is not None and b is not None]
            if common:
                flat = (torch.cat([pair[side].flatten() for pair in common]) for side in (0, 1))
                weight = self.match(*flat)
            for place, (mine, theirs) in enumerate(zip(own, other, strict=True)):
                if theirs is None:
                    continue
                if mine is not None:
                    joined[place] = _sum(joined[place], weight * theirs)
                elif self.rest == "train":
                    joined[place] = _sum(joined[place], theirs)
        return joined


def _sum(one: Tensor | None, other: Tensor) -> Tensor:
    return other if one is None else one + other
