"""The widths of a network, all at one ratio (HeteroFL)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch, Choice
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step


@dataclass(frozen=True)
class WidthRatio:
    """One architecture: every width at a ratio of the largest one, all else as in the largest network (HeteroFL).

    [arXiv 2010.01264](https://arxiv.org/abs/2010.01264), §3.2. Of each choice whose name ends in `width` the option is
    the largest that does not exceed the ratio times the largest one; the smallest, where all do.

    Args:
        ratio: The ratio, in (0, 1].
    """

    ratio: float

    def __post_init__(self) -> None:
        if not 0 < self.ratio <= 1:
            raise UsageError(f"Widths were to be at a ratio of {self.ratio}; give one in (0, 1].")

    @property
    def draws(self) -> Draws:
        return "one"

    def check(self, net: Supernet) -> None:
        if not any(_is_width(choice) for choice in net.space.choices):
            raise UsageError(
                f"Widths were to be at a ratio of {self.ratio:g}, but no choice of {type(net.module).__name__} is a "
                "number and has a name that ends in 'width'. Take a space of elastic widths, such as zoo.fedsup."
            )

    def paths(self, step: Step) -> Sequence[Arch]:
        chosen = {}
        for choice in step.space.choices:
            if _is_width(choice):
                options: list[Any] = sorted(step.space.allowed(choice.name), key=float)
                narrow = [option for option in options if option <= self.ratio * options[-1]]
                chosen[choice.name] = [narrow[-1] if narrow else options[0]]
        return [step.space.restrict(chosen).largest()]


def _is_width(choice: Choice) -> bool:
    numbers = all(isinstance(option, int | float) for option in choice.options)
    return numbers and choice.name.rpartition(".")[2] == "width"
