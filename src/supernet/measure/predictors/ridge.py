"""Ridge regression, its penalty chosen and its error told by cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from supernet.io.section import Section
from supernet.measure.predictors._protocol import Prediction, checked_values
from supernet.measure.predictors.features import Encoding, encoded
from supernet.rank.checks import Floats
from supernet.space import Codes, Space

_PENALTIES = tuple(10.0**power for power in range(-3, 4))
_FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class Ridge(Section, place="ridge."):
    """A line in the features with an L2 penalty, which five folds choose from 0.001 to 1,000.

    On one-hot options: every option adds its share. The spread is the root mean squared error of the folds that had no
    part in the choice, the same for all.

    Args:
        encoding: The features.
    """

    encoding: Encoding = "onehot"

    def fit(self, space: Space, codes: Codes, values: Floats, *, seed: int = 0) -> FittedRidge:
        """See `Predictor`."""
        y = checked_values(codes, values, least=_FOLDS, of="A ridge regression")
        inputs = Inputs(encoded(space, codes, self.encoding).astype(np.float64), None)
        rng = np.random.default_rng(seed)
        error = float(np.sqrt(np.mean((held_out(inputs, y, rng, duration=False) - y) ** 2)))
        return FittedRidge(space, self.encoding, fit_ridge(inputs, y, rng, duration=False), error)


@dataclass(frozen=True, eq=False)
class FittedRidge:
    """A line with its error, see `Ridge`."""

    space: Space
    encoding: Encoding
    line: Line
    error: float

    @property
    def params(self) -> int:
        """Weights and the constant."""
        return len(self.line.weights) + 1

    def predict(self, codes: Codes) -> Prediction:
        """See `Fitted`."""
        mean = self.line(Inputs(encoded(self.space, codes, self.encoding).astype(np.float64), None))
        return Prediction(mean, np.full(len(codes), self.error))


# -- the regression itself, on any features ---------------------------------------------------------------------


class Inputs(NamedTuple):
    """What is known of architectures: features (N, F), and a first guess (N,) of the value, or None."""

    features: Floats
    guess: Floats | None

    def rows(self, index: NDArray[np.int64]) -> Inputs:
        """Some of the architectures."""
        return Inputs(self.features[index], None if self.guess is None else self.guess[index])


class Line(Struct, frozen=True, omit_defaults=True):
    """guess + w · z, or guess · exp(w · z), with z the standardised features and a constant; also as in a file.

    Without a guess it is 0, or 1. Large penalties thus lead back to the guess, up to a constant. A duration is never
    below 0.
    """

    logarithmic: bool
    mean: list[float]
    scale: list[float]
    weights: list[float]
    intercept: float
    duration: bool = True

    def __call__(self, inputs: Inputs) -> Floats:
        """Values (N,)."""
        standardised = (inputs.features - np.asarray(self.mean)) / np.asarray(self.scale)
        value = standardised @ np.asarray(self.weights) + self.intercept
        if self.logarithmic:
            return np.asarray(np.exp(value + _log_guess(inputs)))
        return np.asarray(np.maximum(value + _guess(inputs), 0.0 if self.duration else -np.inf))


def fit_ridge(inputs: Inputs, y: Floats, rng: np.random.Generator, *, duration: bool = True) -> Line:
    """Fit values (N,) in the form and with the penalty of the smallest error in five folds.

    Args:
        inputs: Features and guesses.
        y: The values.
        rng: The generator that decides the folds.
        duration: Whether the values are above 0 and may be a product; otherwise they are a sum of any sign.
    """
    error: dict[tuple[bool, int], float] = {}
    for train, held in _folds(len(y), rng):
        for logarithmic in (False, True) if duration else (False,):
            for place, fitted in enumerate(_fits(inputs.rows(train), y[train], logarithmic, duration)):
                missed = float(np.abs(fitted(inputs.rows(held)) - y[held]).sum())
                error[logarithmic, place] = error.get((logarithmic, place), 0.0) + missed
    logarithmic, place = min(error, key=lambda kind: error[kind])
    return _fits(inputs, y, logarithmic, duration)[place]


def held_out(inputs: Inputs, y: Floats, rng: np.random.Generator, *, duration: bool = True) -> Floats:
    """What `fit_ridge` predicts (N,) for each of five folds when all it does, choices included, is done without it."""
    predicted = np.zeros(len(y))
    for train, held in _folds(len(y), rng):
        predicted[held] = fit_ridge(inputs.rows(train), y[train], rng, duration=duration)(inputs.rows(held))
    return predicted


def _fits(inputs: Inputs, y: Floats, logarithmic: bool, duration: bool) -> list[Line]:
    """One fit per penalty, from one singular value decomposition."""
    target = np.log(y) - _log_guess(inputs) if logarithmic else y - _guess(inputs)
    x = inputs.features
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 1e-12 * np.maximum(np.abs(mean), 1.0), scale, 1.0)  # constant features
    u, s, v = np.linalg.svd((x - mean) / scale, full_matrices=False)
    projected = s * (u.T @ (target - target.mean()))
    weights = [v.T @ (projected / (s * s + penalty * len(x))) for penalty in _PENALTIES]
    centre, spread, intercept = mean.tolist(), scale.tolist(), float(target.mean())
    return [Line(logarithmic, centre, spread, one.tolist(), intercept, duration) for one in weights]


def _guess(inputs: Inputs) -> Floats | float:
    return 0.0 if inputs.guess is None else inputs.guess


def _log_guess(inputs: Inputs) -> Floats | float:
    return 0.0 if inputs.guess is None else np.log(np.maximum(inputs.guess, 1e-6))


def _folds(n: int, rng: np.random.Generator) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    parts = np.array_split(rng.permutation(n), _FOLDS)
    return [(np.concatenate([p for p in parts if p is not part]), part) for part in parts]
