"""Mixtures with uniform noise (SDARTS-RS)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from supernet.nn import Mixture
from supernet.train.relaxations._protocol import Given, Relaxation
from supernet.train.relaxations.softmax import Softmax
from supernet.train.values._protocol import Number, check_value, value_of
from supernet.train.values.ramp import Ramp


@dataclass(frozen=True)
class Perturbed:
    """The weights of another relaxation with noise δ ~ U(−ε, ε) on each of them, drawn anew in every step (SDARTS-RS).

    [arXiv 2002.05283](https://arxiv.org/abs/2002.05283), section 4. The noisy weights are cut to [0, 1] and divided by
    their sum, as in the official code. They have no gradient: SDARTS trains the supernet's weights with them, and the
    architecture without.

    Args:
        relaxation: What gives the weights.
        radius: ε, at least 0, which may change over time.

    Raises:
        UsageError: a negative radius.
    """

    relaxation: Relaxation = field(default_factory=Softmax)
    radius: Number = field(default=Ramp(0.03, 0.3))

    def __post_init__(self) -> None:
        check_value("The radius of the perturbation", self.radius, at_least=0)

    def mixture(self, logits: Tensor, given: Given) -> Mixture:
        """Noisy weights of the options that are allowed; the others weigh what they did."""
        weights, run = self.relaxation.mixture(logits.detach(), given)
        radius = value_of(self.radius, given.step)
        with given._replace(use=f"{given.use}, perturbed").seeded():
            noise = torch.empty(len(weights)).uniform_(-radius, radius)
        return Mixture(shares_of(weights + noise.to(weights), run), run)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Those of the relaxation: noise is not learned."""
        return self.relaxation.probabilities(logits)


def shares_of(weights: Tensor, run: tuple[int, ...] | None = None) -> Tensor:
    """Weights (O,) cut to [0, 1] and divided by their sum, those of the options that run; others become 0.

    Where nothing is left, the largest has all.

    >>> shares_of(torch.tensor([0.5, 2.0, -1.0, 0.5]))
    tensor([0.2500, 0.5000, 0.0000, 0.2500])
    """
    kept = weights if run is None else weights.new_full(weights.shape, -torch.inf)
    if run is not None:
        kept[list(run)] = weights[list(run)]
    cut = kept.clamp(0, 1)
    if cut.sum() == 0:
        cut[kept.argmax()] = 1.0
    return cut / cut.sum()
