"""Half cosines of growing length (SGDR), and one that swings to and fro."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from supernet.train.move import Path
from supernet.train.optimisers._protocol import check_number
from supernet.train.schedules._protocol import check_share
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class WarmRestarts:
    """From 1 to `floor` along half a cosine, again and again: floor + (1 − floor)(1 + cos(π t / Tᵢ)) / 2 (SGDR, eq. 5).

    [arXiv 1608.03983](https://arxiv.org/abs/1608.03983). It counts epochs t since the last restart and changes from
    epoch to epoch only, as the code of ENAS does.

    Args:
        epochs: T₀, the epochs before the first restart.
        factor: The factor between the lengths of two periods, at least 1.
        floor: The factor on the learning rate that a period goes to.
        back: Whether it goes back from the floor to 1 as slowly as it came, instead of restarting: a whole cosine of
            2 T₀ epochs (what the code of NAS-Bench-201 makes of T₀ = 10). Periods then have one length.
    """

    epochs: int = 10
    factor: float = 2.0
    floor: float = 0.0
    back: bool = False

    def __post_init__(self) -> None:
        check_number("The epochs before the first restart", self.epochs, at_least=1)
        check_number("The factor between two periods", self.factor, at_least=1)
        check_share("The floor of the learning rate", self.floor)

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        """The factor at the epoch of a step."""
        since, length = float(step.index // step.steps_per_epoch), float(self.epochs)
        while since >= length and not self.back:
            since, length = since - length, length * self.factor
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * since / length)) / 2
