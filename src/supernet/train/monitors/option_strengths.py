"""Along a training, how strongly each option of each choice is taken: a file of its own, beside the log."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

import torch
from torch import Tensor

from supernet.io.lines import LinesFile
from supernet.io.schema import Strengths
from supernet.train.policies._protocol import TellsOptions
from supernet.train.programs._protocol import WeighsOptions
from supernet.train.step import Step

LINES = 100
"""How many lines a training has of them, about."""

_DIGITS = 4


@dataclass(frozen=True)
class OptionStrengths:
    """The probabilities of the options of every choice, a line of `choices.jsonl` each time; nothing for the log.

    They are the curves by which architecture weights, or a policy that learns from rewards, decide. What the training
    forbids has the probability 0, and the others add up to 1 without it. Four digits are kept. Resuming a training cuts
    the file as it does the log.

    Args:
        program: The program whose weights of options are read; None: the policy among the parts is asked
            (`TellsOptions`), and nothing is written where there is none.
        path: The file that a line is added to; None: none is written, as by the further processes of a training.
        every: Number of steps between two lines.
    """

    program: WeighsOptions | None
    path: Path | None
    _: KW_ONLY
    every: int

    def __call__(self, step: Step) -> Mapping[str, float]:
        space = step.net.space
        told = _of_policy(step) if self.program is None else self.program.probabilities(step.parts)
        found = {
            name: _left(step, name, weights.detach())
            for name, weights in told.items()
            if name in space.names  # weights of something else than a choice, such as the groups of DOTS, are left out
        }
        if not found and self.program is None:
            return {}
        with LinesFile(self.path, durable=False) as file:
            file.append(Strengths(step.done, choices=found))
        return {}


def _of_policy(step: Step) -> Mapping[str, Tensor]:
    for part in step.parts.values():
        if isinstance(part, TellsOptions):
            return part.strengths(step)
    return {}


def _left(step: Step, name: str, weights: Tensor) -> list[float | None]:
    """The weights (O,) of a choice, of the options that are allowed; None for what is not finite."""
    values = weights.double().cpu()
    if step.restriction is not None and name in step.restriction.kept:
        values = values * torch.as_tensor(step.restriction.mask(name))
        values = values / values.sum()
    return [float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None for value in values.tolist()]
