"""What a predictor has learned from a search (AttentiveNAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from supernet.measure.predictors._observed import read_observed
from supernet.measure.predictors._protocol import Fitted, Predictor
from supernet.measure.predictors.forest import Forest
from supernet.space import Arch, Space


@dataclass(frozen=True, kw_only=True)
class Learned:
    """Scores by a predictor that is fitted to what a search has measured: the `scores` of `Predicted`.

    AttentiveNAS, [arXiv 2011.09011](https://arxiv.org/abs/2011.09011), section 4.1: a first training is searched, the
    next one samples by what was learned, `attentivenas(predictor=Learned(archive="runs/first"), candidates=50)`. The
    archive must stay as it is while the training lasts.

    Args:
        archive: Folder of a search of the same space, with `search.jsonl`.
        predictor: What is fitted.
        quantity: The quantity that is predicted.
        goal: Whether more or less of it is better.
        seed: The seed of the fit.
    """

    archive: str
    predictor: Predictor = field(default_factory=Forest)
    quantity: str = "accuracy"
    goal: Literal["max", "min"] = "max"
    seed: int = 0

    def __call__(self, archs: Sequence[Arch]) -> Sequence[float]:
        """One score per architecture, the higher the better.

        Raises:
            UsageError: the archive is missing, of another space, or has not measured the quantity.
        """
        if not archs:
            return []
        space = archs[0].space
        mean = _fitted(self, space).predict(space.codes(archs)).mean
        return [float(value) for value in (mean if self.goal == "max" else -mean)]


@cache
def _fitted(learned: Learned, space: Space) -> Fitted:
    codes, values = read_observed(learned.archive, space, learned.quantity)
    return learned.predictor.fit(space, codes, values, seed=learned.seed)
