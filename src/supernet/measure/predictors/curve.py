"""How good a predictor becomes with the number of architectures that were measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from supernet.errors import UsageError
from supernet.measure.predictors._held_out import HeldOut
from supernet.measure.predictors._protocol import Predictor
from supernet.rank.checks import Floats
from supernet.space import Codes, Space


class CurvePoint(NamedTuple):
    """A predictor after so many measurements.

    Attributes:
        measured: Number of architectures that it was fitted to.
        tau: Mean of Kendall's τ on the architectures held out, over the repeats; one that predicts a constant has 0.
        tau_range: Smallest and largest τ of the repeats.
        rmse: Mean of the root mean squared errors.
        rmse_of_mean: That of predicting the mean of what was measured.
        params: Mean number of fitted numbers.
    """

    measured: int
    tau: float
    tau_range: tuple[float, float]
    rmse: float
    rmse_of_mean: float
    params: int


def predictor_curve(
    predictor: Predictor,
    space: Space,
    codes: Codes,
    values: Floats,
    *,
    measured: Sequence[int],
    held: int,
    repeats: int = 5,
    seed: int = 0,
) -> tuple[CurvePoint, ...]:
    """τ and error on architectures held out, against the number measured.

    In each repeat the same `held` architectures are held out for all numbers, and a larger number adds to a smaller.

    Args:
        predictor: The predictor.
        space: The space of the architectures.
        codes: Architectures (N, D), all different.
        values: What was measured of them (N,).
        measured: Numbers of architectures to fit to.
        held: Number of architectures to predict.
        repeats: Number of orders that the architectures are drawn in.
        seed: The seed of orders and fits.

    Raises:
        UsageError: there are not as many architectures, fewer than three are held out, or what the predictor refuses.
    """
    if held < 3 or repeats < 1 or not measured or held + max(measured) > len(codes):
        raise UsageError(
            f"{held} architectures were to be held out and up to {max(measured, default=0)} fitted to, {repeats} "
            f"times; there are {len(codes)}. Hold out at least 3, and fit to what is left."
        )
    orders = [np.random.default_rng([seed, repeat]).permutation(len(codes)) for repeat in range(repeats)]
    points = []
    for number in measured:
        found, sizes = [], []
        for repeat, order in enumerate(orders):
            test, train = order[:held], order[held : held + number]
            fitted = predictor.fit(space, codes[train], values[train], seed=seed + repeat)
            mean = values[train].mean() if number else values[test].mean()
            found.append(HeldOut.of(fitted.predict(codes[test]).mean, values[test], mean))
            sizes.append(fitted.params)
        taus = [point.tau or 0.0 for point in found]
        points.append(
            CurvePoint(
                number,
                float(np.mean(taus)),
                (min(taus), max(taus)),
                float(np.mean([point.rmse for point in found])),
                float(np.mean([point.rmse_of_mean for point in found])),
                round(float(np.mean(sizes))),
            )
        )
    return tuple(points)
