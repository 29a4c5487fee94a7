"""Ridge regression on latencies, its penalty chosen and its error told by cross-validation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_PENALTIES = tuple(10.0**power for power in range(-3, 4))
_FOLDS = 5


class Inputs(NamedTuple):
    """What is known of architectures: features (N, F), and a first guess (N,) of the latency, or None."""

    features: Floats
    guess_ms: Floats | None

    def rows(self, index: NDArray[np.int64]) -> Inputs:
        """Some of the architectures."""
        return Inputs(self.features[index], None if self.guess_ms is None else self.guess_ms[index])


class Ridge(Struct, frozen=True):
    """guess + w · z, or guess · exp(w · z), with z the standardised features and a constant; also as in a file.

    Without a guess it is 0, or 1. Large penalties thus lead back to the guess, up to a constant.
    """

    logarithmic: bool
    mean: list[float]
    scale: list[float]
    weights: list[float]
    intercept: float

    def __call__(self, inputs: Inputs) -> Floats:
        """Milliseconds (N,), never below 0."""
        standardised = (inputs.features - np.asarray(self.mean)) / np.asarray(self.scale)
        value = standardised @ np.asarray(self.weights) + self.intercept
        if self.logarithmic:
            return np.asarray(np.exp(value + _log_guess(inputs)))
        return np.asarray(np.maximum(value + _guess(inputs), 0.0))


def fit_ridge(inputs: Inputs, y: Floats, rng: np.random.Generator) -> Ridge:
    """Fit latencies (N,) in the form and with the penalty of the smallest error in five folds."""
    error: dict[tuple[bool, int], float] = {}
    for train, held in _folds(len(y), rng):
        for logarithmic in (False, True):
            for place, fitted in enumerate(_fits(inputs.rows(train), y[train], logarithmic)):
                missed = float(np.abs(fitted(inputs.rows(held)) - y[held]).sum())
                error[logarithmic, place] = error.get((logarithmic, place), 0.0) + missed
    logarithmic, place = min(error, key=lambda kind: error[kind])
    return _fits(inputs, y, logarithmic)[place]


def held_out(inputs: Inputs, y: Floats, rng: np.random.Generator) -> Floats:
    """What `fit_ridge` predicts (N,) for each of five folds when all it does, choices included, is done without it."""
    predicted = np.zeros(len(y))
    for train, held in _folds(len(y), rng):
        predicted[held] = fit_ridge(inputs.rows(train), y[train], rng)(inputs.rows(held))
    return predicted


def _fits(inputs: Inputs, y: Floats, logarithmic: bool) -> list[Ridge]:
    """One fit per penalty, from one singular value decomposition."""
    target = np.log(y) - _log_guess(inputs) if logarithmic else y - _guess(inputs)
    x = inputs.features
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 1e-12 * np.maximum(np.abs(mean), 1.0), scale, 1.0)  # constant features
    u, s, v = np.linalg.svd((x - mean) / scale, full_matrices=False)
    projected = s * (u.T @ (target - target.mean()))
    weights = [v.T @ (projected / (s * s + penalty * len(x))) for penalty in _PENALTIES]
    centre, spread, intercept = mean.tolist(), scale.tolist(), float(target.mean())
    return [Ridge(logarithmic, centre, spread, one.tolist(), intercept) for one in weights]


def _guess(inputs: Inputs) -> Floats | float:
    return 0.0 if inputs.guess_ms is None else inputs.guess_ms


def _log_guess(inputs: Inputs) -> Floats | float:
    return 0.0 if inputs.guess_ms is None else np.log(np.maximum(inputs.guess_ms, 1e-6))


def _folds(n: int, rng: np.random.Generator) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    parts = np.array_split(rng.permutation(n), _FOLDS)
    return [(np.concatenate([p for p in parts if p is not part]), part) for part in parts]
