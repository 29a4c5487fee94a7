"""A line in the losses of a network's stages (DONNA)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from supernet.errors import UsageError
from supernet.measure.evaluator import NetEvaluator
from supernet.measure.predictors._protocol import Prediction, checked_values
from supernet.rank.checks import Floats
from supernet.space import Arch, Codes, Space

_THROUGH = 1e-6
"""1 − leverage below which a line is said to go through a value."""


@dataclass(frozen=True, init=False, eq=False)
class TermsOf:
    """Tells the terms of architectures of an evaluator whose score is a sum over stages, and is known by that score.

    Args:
        evaluator: The evaluator.

    Raises:
        UsageError: its score is no sum over stages.
    """

    score: object

    def __init__(self, evaluator: NetEvaluator) -> None:
        if evaluator.stages is None:
            raise UsageError(f"{evaluator.ranking.name} is no sum over stages; rank by one, such as StageLoss().")
        object.__setattr__(self, "score", evaluator.score)
        object.__setattr__(self, "_evaluator", evaluator)

    def __call__(self, arch: Arch) -> tuple[float, ...]:
        """The term of each stage."""
        evaluator: NetEvaluator = vars(self)["_evaluator"]
        return evaluator.terms(arch)


@dataclass(frozen=True, kw_only=True)
class OnTerms:
    """Least squares: a constant and a weight for each stage's term, such as its distance from a teacher.

    DONNA, [arXiv 2012.08859](https://arxiv.org/abs/2012.08859), §3.3: a few tens of networks that were fine-tuned are
    enough, since there are as few numbers to fit as stages. The spread is the root mean squared error of predicting
    each architecture from all others, the same for all.

    Args:
        terms: Tells the terms of an architecture, such as `TermsOf(evaluator)` with `StageLoss`.
    """

    terms: Callable[[Arch], Sequence[float]]

    def fit(self, space: Space, codes: Codes, values: Floats, *, seed: int = 0) -> FittedOnTerms:
        """See `Predictor`; `seed` decides nothing.

        Raises:
            UsageError: fewer than three architectures, or values that do not belong to them.
        """
        y = checked_values(codes, values, least=3, of="A line in the losses of stages")
        x = with_constant(space, codes, self.terms)
        weights = _line(x, y)
        return FittedOnTerms(space, self.terms, weights, float(np.sqrt(np.mean(_missed(x, y, weights) ** 2))))


@dataclass(frozen=True, eq=False)
class FittedOnTerms:
    """A line with its error of leaving one out, see `OnTerms`.

    Attributes:
        weights: The weight of each stage, and the constant last.
    """

    space: Space
    terms: Callable[[Arch], Sequence[float]]
    weights: Floats
    error: float

    @property
    def params(self) -> int:
        """Weights and the constant."""
        return len(self.weights)

    def predict(self, codes: Codes) -> Prediction:
        """See `Fitted`."""
        mean = with_constant(self.space, codes, self.terms) @ self.weights
        return Prediction(mean, np.full(len(codes), self.error))


def with_constant(space: Space, codes: Codes, terms: Callable[[Arch], Sequence[float]]) -> Floats:
    """The terms of architectures (N, D) and a column of ones (N, T + 1)."""
    rows = [[*terms(arch), 1.0] for arch in space.wrap(codes)]
    return np.asarray(rows, dtype=np.float64)


def _line(x: Floats, y: Floats) -> Floats:
    """The shortest of the weights with the least squared error."""
    return np.asarray(np.linalg.lstsq(x, y, rcond=None)[0], dtype=np.float64)


def _missed(x: Floats, y: Floats, weights: Floats) -> Floats:
    """How far each value (N,) is from the line of all others: its residual over 1 − h, h being its leverage.

    A line that goes through a value whatever it is, such as any through as many values as it has weights, has h = 1
    there, and says nothing of it; there the others are fitted once more.
    """
    free = 1 - np.einsum("ij,ji->i", x, np.linalg.pinv(x, rcond=np.finfo(np.float64).eps * max(x.shape)))
    through = free < _THROUGH
    missed = (y - x @ weights) / np.where(through, 1.0, free)
    for place in np.flatnonzero(through):
        rest = np.arange(len(y)) != place
        missed[place] = y[place] - x[place] @ _line(x[rest], y[rest])
    return np.asarray(missed, dtype=np.float64)
