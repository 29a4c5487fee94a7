"""The same architecture every step: training or fine-tuning a single subnet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.space.text import readable
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step


@dataclass(frozen=True)
class Fixed:
    """One architecture throughout.

    Args:
        arch: The architecture that is trained at every step.
    """

    arch: Arch

    @property
    def draws(self) -> Draws:
        return "one"

    def check(self, net: Supernet) -> None:
        if self.arch not in net.space:
            raise UsageError(f"The architecture {readable(self.arch)} is not in the space of this supernet.")

    def paths(self, step: Step) -> Sequence[Arch]:
        if self.arch not in step.space:
            raise UsageError(
                f"The architecture {readable(self.arch)} lies outside the sub-space that is trained now. "
                "Fix one that lies in it."
            )
        return [self.arch]
