"""A classifier beside the supernet, on the images of a batch."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.data import Batch
from supernet.nn.output import Output
from supernet.train.forwards.to_novel_domain import images_of
from supernet.train.move import Path
from supernet.train.parts.image_classifier import ImageClassifier
from supernet.train.step import Step


@dataclass(frozen=True)
class ThroughClassifier:
    """Images of a batch that says their domains -> the logits of a classifier; the supernet does not run.

    Args:
        part: The part of the recipe that classifies, an `ImageClassifier`.
    """

    part: str

    def __call__(self, step: Step, path: Path, batch: Batch) -> Output:
        return Output(step.part(self.part, ImageClassifier)(images_of(batch)))
