"""A policy that decides every choice by itself: a softmax over its options (FPNAS)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from supernet.nn import Supernet
from supernet.space import Arch, Choice
from supernet.train.part import Setting
from supernet.train.policies._protocol import Likelihood
from supernet.train.step import Step

__all__ = ["IndependentChoices", "IndependentPolicy"]


@dataclass(frozen=True)
class IndependentPolicy:
    """Builds `IndependentChoices` for the choices of the supernet, of operations and of sizes alike."""

    def __call__(self, setting: Setting) -> IndependentChoices:
        """The module for one training."""
        return IndependentChoices(setting.net)


class IndependentChoices(nn.Module):
    """A logit per option of every choice, 0 at first; options are drawn by a softmax over those that are allowed.

    A choice of which `step.space` allows one option, and one that does not matter in an architecture, has no part in
    its likelihood, and so no gradient.

    Args:
        net: The supernet whose choices are decided.
    """

    def __init__(self, net: Supernet) -> None:
        super().__init__()
        self.space = net.space
        self.logits = nn.ParameterList(nn.Parameter(torch.zeros(len(choice))) for choice in net.space.choices)

    def draw(self, step: Step, use: str) -> Arch:
        """An architecture of `step.space`; the noise depends on the step and `use` alone."""
        codes = np.zeros((1, len(self.space)), dtype=np.int16)
        with torch.no_grad(), step.seeded(use) as rng:
            for column in range(len(self.space)):
                allowed, log_p = self._allowed(step, column)
                p = log_p.double().exp().cpu().numpy()
                codes[0, column] = rng.choice(allowed, p=p / p.sum())
        return self.space.wrap(self.space.canonical(codes))[0]

    def likelihood(self, step: Step, arch: Arch) -> Likelihood:
        """log π of an architecture, and the entropy of the choices that matter in it, with a gradient."""
        log_prob, entropy = self.logits[0].new_zeros(()), self.logits[0].new_zeros(())
        for column, (code, active) in enumerate(zip(arch.code, self.space.active(arch.code), strict=True)):
            allowed, log_p = self._allowed(step, column)
            if active and len(allowed) > 1:
                log_prob = log_prob + log_p[allowed.index(code)]
                entropy = entropy - (log_p.exp() * log_p).sum()
        return Likelihood(log_prob, entropy, log_prob.new_zeros(()))

    def likeliest(self, step: Step) -> Arch:
        """The likeliest option of every choice; of equal ones the first."""
        codes = np.zeros((1, len(self.space)), dtype=np.int16)
        with torch.no_grad():
            for column in range(len(self.space)):
                allowed, log_p = self._allowed(step, column)
                codes[0, column] = allowed[max(range(len(allowed)), key=log_p.tolist().__getitem__)]
        return self.space.wrap(self.space.canonical(codes))[0]

    def probabilities(self, step: Step, choice: Choice) -> Tensor:
        """(O,) how probable each option of a choice is; 0 where it is not allowed."""
        allowed, log_p = self._allowed(step, self.space.column(choice.name))
        found = torch.zeros(len(choice))
        found[allowed] = log_p.detach().exp().cpu()
        return found

    def strengths(self, step: Step) -> dict[str, Tensor]:
        """The same of every choice, by name."""
        return {choice.name: self.probabilities(step, choice) for choice in self.space.choices}

    def _allowed(self, step: Step, column: int) -> tuple[list[int], Tensor]:
        """The positions of the options that are allowed, and log π of each."""
        allowed: list[int] = step.space.allowed_codes[column].tolist()
        return allowed, self.logits[column][allowed].log_softmax(0)
