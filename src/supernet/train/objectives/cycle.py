"""How far images are from themselves once they were sent to another domain and back."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from supernet.train.forwards.to_novel_domain import BACK, images_of
from supernet.train.move import Outcome


@dataclass(frozen=True)
class Cycle:
    """The mean |x' − x| over all pixels, where x' is the image x translated and translated back (CycleGAN, NAS-OoD).

    The path is a `ToNovelDomain`.
    """

    def chance(self, of_task: float) -> None:
        """None: it is no loss of labels."""

    def __call__(self, outcome: Outcome) -> Tensor:
        return (outcome.output.heads[BACK] - images_of(outcome.batch)).abs().mean()
