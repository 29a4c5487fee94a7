"""How wrong a predictor is on each architecture when it is fitted to all others."""

from __future__ import annotations

import numpy as np

from supernet.errors import UsageError
from supernet.measure.predictors._held_out import HeldOut
from supernet.measure.predictors._protocol import Predictor
from supernet.rank.checks import Floats
from supernet.space import Codes, Space


def leave_one_out(predictor: Predictor, space: Space, codes: Codes, values: Floats, *, seed: int = 0) -> HeldOut:
    """Fit to all architectures but one and predict that one, in turn; for tens of them (DONNA), where folds are few.

    Args:
        predictor: The predictor.
        space: The space of the architectures.
        codes: Architectures (N, D), all different.
        values: What was measured of them (N,).
        seed: The seed of the fits.

    Raises:
        UsageError: fewer than four architectures, or what the predictor refuses.
    """
    if len(codes) < 4:
        raise UsageError(f"{len(codes)} architectures are too few to leave one out; measure 4 or more.")
    places = np.arange(len(codes))
    predicted, means = np.empty(len(codes)), np.empty(len(codes))
    for place in places:
        rest = places != place
        predicted[place] = predictor.fit(space, codes[rest], values[rest], seed=seed).predict(codes[[place]]).mean[0]
        means[place] = values[rest].mean()
    return HeldOut.of(predicted, values, means)
