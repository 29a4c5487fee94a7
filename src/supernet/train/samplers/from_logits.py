"""Paths drawn by what a part of the recipe has learned (ProxylessNAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.parametrisations.operation_choices import require_operations_only
from supernet.train.parametrisations.option_logits import OptionLogits
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step


@dataclass(frozen=True)
class FromLogits:
    """`count` independent architectures, every choice by softmax(α) over the options that are allowed.

    Args:
        count: Paths per step.
        part: The part of the recipe that holds the logits.
    """

    count: int = 1
    part: str = "architecture"

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"Sampling by logits was asked for {self.count} paths a step; at least 1 is needed.")

    @property
    def draws(self) -> Draws:
        return "one" if self.count == 1 else "independent"

    def check(self, net: Supernet) -> None:
        require_operations_only(net, "Sampling by logits")

    def paths(self, step: Step) -> Sequence[Arch]:
        space, whole = step.space, step.net.space
        codes = np.zeros((self.count, len(whole)), dtype=np.int16)
        for choice, logits in step.part(self.part, OptionLogits).named():
            column = whole.column(choice.name)
            allowed = space.allowed_codes[column]
            p = logits.detach().double().cpu().numpy()[allowed]
            p = np.exp(p - p.max())
            codes[:, column] = step.rng.choice(allowed, size=self.count, p=p / p.sum())
        return whole.wrap(whole.canonical(codes))
