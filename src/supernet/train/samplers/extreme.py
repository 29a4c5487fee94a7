"""The smallest or the largest architecture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step


@dataclass(frozen=True)
class Extreme:
    """One architecture: the smallest or the largest of what may be drawn.

    Args:
        which: Which of the two: `"smallest"` or `"largest"`.
    """

    which: Literal["smallest", "largest"]

    def __post_init__(self) -> None:
        if self.which not in ("smallest", "largest"):
            raise UsageError(f"An extreme is the 'smallest' or the 'largest' architecture; got {self.which!r}.")

    @property
    def draws(self) -> Draws:
        return "one"

    def check(self, net: Supernet) -> None:
        pass

    def paths(self, step: Step) -> Sequence[Arch]:
        return [step.space.smallest() if self.which == "smallest" else step.space.largest()]
