"""Cutout whose probability changes over the training (R-DARTS)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from supernet.data import Augment, Batch
from supernet.data.augment import UNIFORMS
from supernet.errors import UsageError
from supernet.nn.output import Output
from supernet.train.move import Path
from supernet.train.step import Step
from supernet.train.values._protocol import Number, check_value, value_of


@dataclass(frozen=True, kw_only=True)
class CutImages:
    """The supernet on images that lose a square, each with a probability that may change over time.

    Cutout: DeVries and Taylor, [arXiv 1708.04552](https://arxiv.org/abs/1708.04552). The square has its centre anywhere
    in the image and is set to the mean colour. All passes of a step cut the same places of the images of a batch, so
    that a gradient by differences (`Unrolled`) compares the same images.

    Args:
        side: The side of the square in pixels.
        probability: The probability that an image is cut, in [0, 1].

    Raises:
        UsageError: a value outside its range, or, where it runs, a square as large as the image.
    """

    side: int = 16
    probability: Number = 1.0

    def __post_init__(self) -> None:
        check_value("The probability of cutout", self.probability, at_least=0, at_most=1)
        if self.side < 1:
            raise UsageError(f"The square that is cut has a side of {self.side} pixels; give at least 1.")

    def __call__(self, step: Step, path: Path, batch: Batch) -> Output:
        """One pass on images (B, C, H, W) with squares cut out."""
        cut = Augment(cutout=self.side)
        images = batch.images
        cut.check(*images.shape[2:])
        with step.seeded("cutout"):
            chosen = torch.rand(batch.size) < value_of(self.probability, step)
            places = torch.rand(batch.size, UNIFORMS)
        kept = cut.cut(torch.ones(batch.size, 1, *images.shape[2:]), places)
        kept[~chosen] = 1.0
        changed = Batch(images * kept.to(images), batch.y)
        return step.forward(path.decisions, changed, settings=path.settings)
