"""Images translated to a domain that no image comes from, and back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn.output import Output
from supernet.train.move import Path
from supernet.train.parts.domain_generator import DomainGenerator
from supernet.train.step import Step

BACK = "back"
"""The name of the head of the output that holds the images translated back."""


@dataclass(frozen=True)
class ToNovelDomain:
    """Images -> images of the novel domain, in place of the logits, and under `BACK` those translated back (NAS-OoD).

    The supernet does not run.

    Args:
        part: The part of the recipe that translates.

    Raises:
        UsageError: while it runs, the batch does not say which domains its images come from.
    """

    part: str = "generator"

    def __call__(self, step: Step, path: Path, batch: Batch) -> Output:
        generator, source = step.part(self.part, DomainGenerator), domains_in(batch)
        target = torch.full_like(source, generator.novel)
        made = generator(images_of(batch), source, target)
        return Output(made, heads={BACK: generator(made, target, source)})


def translated(step: Step, batch: Batch, part: str) -> Tensor:
    """The images of a batch in the novel domain (B, C, H, W)."""
    generator, source = step.part(part, DomainGenerator), domains_in(batch)
    found: Tensor = generator(images_of(batch), source, torch.full_like(source, generator.novel))
    return found


def images_of(batch: Batch) -> Tensor:
    """The images of a batch that says their domains."""
    return _told(batch, "images")


def domains_in(batch: Batch) -> Tensor:
    """The numbers of the domains of the images in a batch (B,)."""
    return _told(batch, "domain")


def _told(batch: Batch, name: str) -> Tensor:
    if isinstance(batch.x, Tensor) or not {"images", "domain"} <= set(batch.x):
        raise UsageError(
            "Domains of images are needed here, but the batches do not say them. Give the phase data=WithDomains(), "
            "and data of several domains."
        )
    return batch.x[name]
