"""Measurements along a training: which options its architecture weights favour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass

from supernet.space.text import option_text
from supernet.train.programs._protocol import WeighsOptions
from supernet.train.step import Step

STRONGEST = "strongest"


@dataclass(frozen=True)
class StrongestOptions:
    """For how many choices each option is the strongest, as `strongest/skip_connect`.

    Skip connections that win more and more choices are how differentiable searches are known to collapse
    (RobustDARTS, https://arxiv.org/abs/1909.09656, §3; DARTS+, https://arxiv.org/abs/1909.06035, §2).

    Args:
        program: The program whose weights of options are read.
        every: Number of steps between two measurements.
    """

    program: WeighsOptions
    _: KW_ONLY
    every: int

    def __call__(self, step: Step) -> Mapping[str, float]:
        strongest: Counter[str] = Counter()
        choices = {choice.name: choice for choice in step.net.space.choices}
        for name, weights in self.program.probabilities(step.parts).items():
            if name not in choices:  # weights of something else than a choice, such as the groups of DOTS
                continue
            options = choices[name].options
            strongest.update({option_text(option): 0 for option in options})
            strongest[option_text(options[int(weights.argmax())])] += 1
        return {f"{STRONGEST}/{option}": float(count) for option, count in strongest.items()}
