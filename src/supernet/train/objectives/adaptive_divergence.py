"""The larger of two α-divergences from the largest subnet (AlphaNet)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from supernet.errors import UsageError
from supernet.tasks import Classification
from supernet.train.move import Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.optimisers._protocol import check_number


@dataclass(frozen=True, kw_only=True)
class AdaptiveDivergence:
    """The first path of the move learns from labels, the others from the first, by an α-divergence per image.

    AlphaNet ([arXiv 2102.07954](https://arxiv.org/abs/2102.07954), and official code). With the probabilities p of the
    first path, without gradient, and q of another,

        D_α(p ‖ q) = (Σ q min((p / q)^α, β) − 1) / (α (α − 1)),

    of which each image has the larger one of two α: a negative α minds what q overestimates, a positive one what it
    underestimates. α = 1 is the Kullback–Leibler divergence Σ p log(p / q), α = 0 the reverse one; the first is not
    clipped. The value is D; the gradient is that of −Σ sg(q ρ) log q with ρ = min((p / q)^α, β) / α, which is D's own
    where nothing is clipped.

    Args:
        label_smoothing: Share of the target of the first path's cross-entropy that is spread evenly over the classes.
        alphas: The two α; of equal divergences the second counts.
        clip: β, which bounds the ratios' powers; above 0.

    Raises:
        UsageError: not two different α, or a value outside its range; while it runs, a task other than classification.
    """

    label_smoothing: float = 0.0
    alphas: tuple[float, float] = (-1.0, 1.0)
    clip: float = 5.0

    def __post_init__(self) -> None:
        CrossEntropy(self.label_smoothing)
        if not isinstance(self.alphas, list | tuple) or len(set(self.alphas)) != 2 or len(self.alphas) != 2:
            raise UsageError(f"The adaptive divergence has the α {self.alphas!r}; give two, such as (-1.0, 1.0).")
        for alpha in self.alphas:
            check_number("Each α of the divergence", alpha)
        check_number("The bound β of the ratio", self.clip, above=0)

    def chance(self, of_task: float) -> None:
        """None: a divergence says nothing of the labels."""

    def __call__(self, outcome: Outcome) -> Tensor:
        if not outcome.earlier:
            return CrossEntropy(self.label_smoothing)(outcome)
        if not isinstance(outcome.step.task, Classification):
            raise UsageError(
                "An α-divergence compares the probabilities of classes, which the task "
                f"{type(outcome.step.task).__name__} does not have. Use InPlaceDistillation, as in method sandwich."
            )
        teacher = outcome.earlier[0].logits
        (first, first_surrogate), (second, second_surrogate) = (
            alpha_divergence(outcome.logits, teacher, alpha, clip=self.clip) for alpha in self.alphas
        )
        larger = first > second
        value, surrogate = first.where(larger, second), first_surrogate.where(larger, second_surrogate)
        return (value + (surrogate - surrogate.detach())).mean()

    def alone(self) -> CrossEntropy:
        """What the first path learns from: a lone architecture has no teacher."""
        return CrossEntropy(self.label_smoothing)


def alpha_divergence(logits: Tensor, teacher: Tensor, alpha: float, *, clip: float = math.inf) -> tuple[Tensor, Tensor]:
    """D_α(teacher ‖ path) of each image, without gradient, and what has its gradient: both (B,), of logits (B, K).

    >>> import torch
    >>> p, q = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.2, 0.8]]).log()
    >>> value, _ = alpha_divergence(q, p, 2.0)
    >>> abs(value.item() - (0.5**2 / 0.2 + 0.5**2 / 0.8 - 1) / 2) < 1e-6
    True
    """
    log_q, log_p = logits.log_softmax(1), teacher.detach().log_softmax(1)
    held = log_q.detach()
    q, log_ratio = held.exp(), log_p - held
    if alpha == 1:
        p = log_p.exp()
        return (p * log_ratio).sum(1), -(p * log_q).sum(1)
    if alpha == 0:
        log_ratio = log_ratio.clamp(max=math.log(clip))
        return -(q * log_ratio).sum(1), -(q * (log_ratio - 1) * log_q).sum(1)
    powers = (alpha * log_ratio).exp().clamp(max=clip)
    value = (q * (powers - 1)).sum(1) / (alpha * (alpha - 1))
    return value, -(q * powers / alpha * log_q).sum(1)
