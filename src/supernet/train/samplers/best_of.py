"""The best or the worst of several (AttentiveNAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.ratings._protocol import Rating, lowest, only_architectures, rated
from supernet.train.ratings.batch_loss import BatchLoss
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class BestOf:
    """Of the group that another sampler draws, the paths that are rated best, or worst (AttentiveNAS, §3.2).

    [arXiv 2011.09011](https://arxiv.org/abs/2011.09011).

    Args:
        sampler: Draws the candidates, such as `Uniform(3)` or `EqualCost(count=3)`.
        rating: Tells good from bad; default: the loss on the training batch.
        keep: How many to train, in the order of their rating.
        pick: `"best"` (BestUp) or `"worst"` (WorstUp).
    """

    sampler: Sampler
    rating: Rating = field(default_factory=BatchLoss)
    keep: int = 1
    pick: Literal["best", "worst"] = "best"

    def __post_init__(self) -> None:
        if self.keep < 1:
            raise UsageError(f"The {self.keep} {self.pick} paths of a group were asked for; keep at least 1.")
        if self.pick not in ("best", "worst"):
            raise UsageError(f"Either the 'best' or the 'worst' paths are picked; got {self.pick!r}.")

    @property
    def draws(self) -> Draws:
        return "one" if self.keep == 1 else "joint"

    def check(self, net: Supernet) -> None:
        self.sampler.check(net)

    def paths(self, step: Step) -> Sequence[Arch]:
        archs = only_architectures(self.sampler.paths(step), of=self.sampler)
        if len(archs) < self.keep:
            raise UsageError(
                f"{type(self.sampler).__name__} drew {len(archs)} paths, of which the {self.keep} {self.pick} were "
                "asked for. Draw more, or keep fewer."
            )
        ratings = rated(self.rating, step, archs)
        order = ratings if self.pick == "best" else [-rating for rating in ratings]
        return [archs[place] for place in lowest(order, self.keep)]
