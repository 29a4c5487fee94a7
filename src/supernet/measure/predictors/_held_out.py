"""How wrong a predictor is on architectures that it was not fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from supernet.errors import UsageError
from supernet.measure.predictors._protocol import Predictor
from supernet.rank.checks import Floats
from supernet.rank.measures import kendall_tau
from supernet.space import Codes, Space

FOLDS = 5


@dataclass(frozen=True)
class HeldOut:
    """Predictions of architectures that had no part in the fit, beside what was measured.

    Attributes:
        n: Number of architectures.
        tau: Kendall's τ between predicted and measured; None where one of them is constant.
        rmse: Root of the mean squared error, in the unit of the quantity.
        rmse_of_mean: That of predicting the mean of those fitted to: what a predictor has to beat.
    """

    n: int
    tau: float | None
    rmse: float
    rmse_of_mean: float

    @classmethod
    def of(cls, predicted: Floats, measured: Floats, means: Floats | float) -> HeldOut:
        """From predictions (N,), what was measured (N,), and the mean of what was fitted to."""
        varied = len(measured) > 1 and np.ptp(predicted) > 0 and np.ptp(measured) > 0
        tau = float(kendall_tau(predicted, measured)) if varied else None
        rmse, of_mean = (float(np.sqrt(np.mean((guess - measured) ** 2))) for guess in (predicted, means))
        return cls(len(measured), tau, rmse, of_mean)

    def to_json(self) -> dict[str, Any]:
        return {"n": self.n, "tau": self.tau, "rmse": self.rmse, "rmse_of_mean": self.rmse_of_mean}

    def __str__(self) -> str:
        tau = "undefined" if self.tau is None else f"{self.tau:.2f}"
        return f"τ {tau}, error {self.rmse:.3g} where that of the mean is {self.rmse_of_mean:.3g}"


def held_out(predictor: Predictor, space: Space, codes: Codes, values: Floats, *, seed: int = 0) -> HeldOut:
    """Fit to four fifths and predict the fifth, five times, so that every architecture is held out once.

    Args:
        predictor: The predictor.
        space: The space of the architectures.
        codes: Architectures (N, D), all different.
        values: What was measured of them (N,).
        seed: The seed of folds and fits.

    Raises:
        UsageError: fewer than ten architectures, or what the predictor refuses.
    """
    if len(codes) < 2 * FOLDS:
        raise UsageError(
            f"Whether a predictor is right is seen on architectures that are held out; {len(codes)} are too few to "
            f"hold any out. Measure {2 * FOLDS} or more."
        )
    predicted, means = np.empty(len(values)), np.empty(len(values))
    order = np.random.default_rng([seed, FOLDS]).permutation(len(values))
    for held in np.array_split(order, FOLDS):
        rest = np.setdiff1d(order, held)
        fitted = predictor.fit(space, codes[rest], values[rest], seed=seed)
        predicted[held] = fitted.predict(codes[held]).mean
        means[held] = values[rest].mean()
    return HeldOut.of(predicted, values, means)
