"""Passes of the supernet through images of which some were translated to the novel domain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn.output import Output
from supernet.train.forwards.reversed_gradient import reversed_gradient
from supernet.train.forwards.to_novel_domain import images_of, translated
from supernet.train.move import Path
from supernet.train.optimisers._protocol import check_number
from supernet.train.step import Step

Gradients = Literal["none", "plain", "reversed"]


@dataclass(frozen=True, kw_only=True)
class OnGenerated:
    """The supernet on a batch whose first images are translated to the novel domain (NAS-OoD, stage 1).

    Args:
        share: The share of the batch that is translated, rounded down to images.
        gradient: What of the gradient the generator gets: nothing, the `"plain"` one, or the `"reversed"` one by which
            it climbs in the move in which the supernet descends.
        part: The part of the recipe that translates.

    Raises:
        UsageError: a share outside [0, 1]; while it runs, the batch does not say which domains its images come from.
    """

    share: float = 1.0
    gradient: Gradients = "none"
    part: str = "generator"

    def __post_init__(self) -> None:
        check_number("The share of translated images", self.share, at_least=0, at_most=1)
        if self.gradient not in ("none", "plain", "reversed"):
            raise UsageError(f"The generator's gradient is 'none', 'plain' or 'reversed'; got {self.gradient!r}.")

    def __call__(self, step: Step, path: Path, batch: Batch) -> Output:
        images, number = images_of(batch), int(self.share * batch.size)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.gradient != "none"):
            made = _first(step, batch, self.part, number)
        made = reversed_gradient(made) if self.gradient == "reversed" else made
        seen = torch.cat([made, images[number:]])
        return step.forward(path.decisions, Batch(seen, batch.y), settings=path.settings)


@dataclass(frozen=True, kw_only=True)
class WithGenerated:
    """The supernet on a batch, and in the same pass on its first images translated to the novel domain (stage 2).

    The logits of these follow those of the batch, see `FirstAgain`; the generator gets no gradient.

    Args:
        share: Their number as a share of the batch, rounded down.
        part: The part of the recipe that translates.

    Raises:
        UsageError: a share outside [0, 1]; while it runs, the batch does not say which domains its images come from.
    """

    share: float = 0.5
    part: str = "generator"

    def __post_init__(self) -> None:
        check_number("The share of added images", self.share, at_least=0, at_most=1)

    def __call__(self, step: Step, path: Path, batch: Batch) -> Output:
        images, number = images_of(batch), int(self.share * batch.size)
        with torch.no_grad():
            made = _first(step, batch, self.part, number)
        return step.forward(path.decisions, Batch(torch.cat([images, made]), batch.y), settings=path.settings)


def _first(step: Step, batch: Batch, part: str, number: int) -> Tensor:
    """The first images of a batch, translated; each is normalised by itself, so that the others do not matter."""
    return translated(step, batch.part(slice(0, number)), part) if number else images_of(batch)[:0]
