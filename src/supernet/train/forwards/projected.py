"""Paths that return a projection of their features instead of logits (contrastive methods)."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import nn

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.headless import headless
from supernet.nn.output import Output
from supernet.train.move import Path
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class Projected:
    """One view of the images -> features of the network -> a neck -> directions (B, width) of length one.

    Args:
        view: The view that the network sees, such as `"view1"`, see `Viewed`.
        neck: The part of the recipe that projects features, see `NeckOfNet`.
        part: The part that the images go through, a supernet; None: the supernet that is trained.
        then: A further part behind the neck, such as a predictor (BYOL); None: none.

    Raises:
        UsageError: while it runs, the images have no such view, or the network has no classifier to leave out.
    """

    view: str
    neck: str = "neck"
    part: str | None = None
    then: str | None = None

    def __call__(self, step: Step, path: Path, batch: Batch) -> Output:
        """The directions, as logits."""
        if not isinstance(batch.x, dict) or self.view not in batch.x:
            known = ", ".join(batch.x) if isinstance(batch.x, dict) else "a single one"
            raise UsageError(
                f"The images were to be seen in the view {self.view!r}, but they have {known}. Give the phase "
                "data=Viewed(…)."
            )
        net = step.net if self.part is None else step.part(self.part, Supernet)
        seen = Batch(batch.x[self.view], batch.y)
        with headless(net):
            features = step.forward(path.decisions, seen, part=self.part, settings=path.settings).logits
        for head in (self.neck,) if self.then is None else (self.neck, self.then):
            features = step.part(head, nn.Module)(features)
        return Output(F.normalize(features, dim=1))
