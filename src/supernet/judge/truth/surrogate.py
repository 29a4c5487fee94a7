"""A surrogate of one's own: the worth of any architecture, predicted from those that were trained, with its error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from supernet.errors import UsageError, require
from supernet.judge.distribution import Distribution
from supernet.judge.truth.truth import Truth
from supernet.rank.checks import Floats
from supernet.rank.curves import Curves, Line, sampling_mass_of_draws
from supernet.rank.measures import kendall_tau
from supernet.space import Arch, Codes, Space

_FOLDS = 5
_TREES = 200


class Regressor(Protocol):
    """A regression as scikit-learn has them."""

    def fit(self, features: Floats, values: Floats) -> Any:
        """Fit it to features (N, F) and values (N,)."""
        ...

    def predict(self, features: Floats) -> Any:
        """Values (N,) of features (N, F)."""
        ...


@dataclass(frozen=True)
class HeldOut:
    """How wrong a surrogate is on architectures that it was not fitted to, by five-fold cross-validation.

    Attributes:
        n: Number of architectures that it was fitted to, and tested on.
        tau: Kendall's τ between predictions and truth.
        rmse: Root of the mean squared error, in the unit of the metric.
        rmse_of_mean: That of predicting the mean of the others: what a surrogate has to beat.
    """

    n: int
    tau: float
    rmse: float
    rmse_of_mean: float

    def __str__(self) -> str:
        return f"τ {self.tau:.2f}, error {self.rmse:.3g} where that of the mean is {self.rmse_of_mean:.3g}"


@dataclass(frozen=True, eq=False)
class Surrogate:
    """Predicts the metric of a truth for every architecture of its space.

    Attributes:
        fitted_to: The truth it was fitted to.
        model: The regression, on one column per option of each choice that is active.
        held_out: Its error on architectures that it has not seen.
    """

    fitted_to: Truth
    model: Regressor
    held_out: HeldOut

    def predict(self, codes: Codes) -> Floats:
        """The metric (N,) of a population (N, D)."""
        return np.asarray(self.model.predict(_features(self.fitted_to.space, codes)), dtype=np.float64)

    def truth(self, archs: Sequence[Arch]) -> Truth:
        """The predictions as a truth; its source says that it is one, and the error.

        Raises:
            UsageError: there are none, or they are of another space.
        """
        return Truth(
            space=self.fitted_to.space,
            codes=(codes := self.fitted_to.space.codes(archs)),
            values=self.predict(codes),
            metric=self.fitted_to.metric,
            source=f"predicted by a surrogate of {self.held_out.n} architectures (held out: {self.held_out}), "
            f"{self.fitted_to.source or 'of unknown source'}",
            seeds=("surrogate",),
        )

    def mass(self, distribution: Distribution, uniform: Truth, *, seed: int = 0) -> Curves:
        """The sampling mass of architecture weights, estimated by as many draws as there are uniform architectures.

        Args:
            distribution: How likely each architecture is drawn.
            uniform: Predictions for architectures that were drawn uniformly.
            seed: The seed of the draws.

        Raises:
            UsageError: as `sampling_mass_of_draws`.
        """
        drawn = self.predict(distribution.draw(np.random.default_rng(seed), len(uniform)))
        sign = uniform.metric.sign
        values = sampling_mass_of_draws(sign * drawn, sign * uniform.mean)
        quantity = f"cumulative sampling probability, estimated by {len(uniform):,} draws"
        return Curves(quantity, len(uniform), (Line("supernet", values, values, values),))


def fit_surrogate(truth: Truth, *, model: Regressor | None = None, seed: int = 0) -> Surrogate:
    """Fit a surrogate to architectures whose worth is known, and find out how wrong it is on others.

    Args:
        truth: The architectures; the mean over their trainings is fitted.
        model: A regression of scikit-learn, or one like it. None: a random forest of 200 trees.
        seed: The seed of the forest and of the folds.

    Raises:
        UsageError: fewer than ten architectures, or all are worth the same.
        RunError: scikit-learn is not installed (extra "judge").
    """
    require("sklearn", "judge", "Fitting a surrogate")
    from sklearn.base import clone
    from sklearn.ensemble import RandomForestRegressor

    if len(truth) < 2 * _FOLDS or not np.ptp(truth.mean):
        raise UsageError(
            f"A surrogate is fitted to at least {2 * _FOLDS} architectures of different worth; these are {len(truth)}"
            f"{'' if np.ptp(truth.mean) else ', all of the same'}. Train more of them."
        )
    model = RandomForestRegressor(_TREES, random_state=seed) if model is None else model
    features, values = _features(truth.space, truth.codes), np.asarray(truth.mean)
    predicted, means = np.empty(len(values)), np.empty(len(values))
    for test in np.array_split(np.random.default_rng(seed).permutation(len(values)), _FOLDS):
        rest = np.setdiff1d(np.arange(len(values)), test)
        predicted[test] = clone(model).fit(features[rest], values[rest]).predict(features[test])
        means[test] = values[rest].mean()
    tau = float(kendall_tau(predicted, values)) if np.ptp(predicted) else 0.0
    errors = (float(np.sqrt(np.mean((guess - values) ** 2))) for guess in (predicted, means))
    fitted = clone(model)
    fitted.fit(features, values)
    return Surrogate(truth, fitted, HeldOut(len(values), tau, *errors))


def _features(space: Space, codes: Codes) -> Floats:
    """One column per option of each choice: 1 where it is active and takes this option (N, options)."""
    active = space.active_mask(codes)
    columns = [
        (codes[:, [column]] == np.arange(len(choice))) & active[:, [column]]
        for column, choice in enumerate(space.choices)
    ]
    return np.concatenate(columns, axis=1).astype(np.float64)
