"""The nearest architectures that were measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from supernet.errors import require
from supernet.io.section import Positive, Section
from supernet.measure.predictors._protocol import Prediction, checked_values
from supernet.measure.predictors.features import Encoding, encoded
from supernet.rank.checks import Floats
from supernet.space import Codes, Space


@dataclass(frozen=True, kw_only=True)
class Neighbours(Section, place="neighbours."):
    """The mean of the k nearest architectures that were measured, by scikit-learn.

    On one-hot options the distance counts decisions that differ. Nearer ones count for more, by the inverse of the
    distance; one that was measured is predicted as what it was. The spread is the standard deviation of the k.

    Args:
        k: Number of neighbours, or all where there are fewer.
        encoding: What distances are taken of.
    """

    k: Positive = 5
    encoding: Encoding = "onehot"

    def fit(self, space: Space, codes: Codes, values: Floats, *, seed: int = 0) -> FittedNeighbours:
        """See `Predictor`; nothing of it is random.

        Raises:
            RunError: scikit-learn is not installed (extra "search").
        """
        require("sklearn", "search", "A search for nearest neighbours")
        from sklearn.neighbors import KNeighborsRegressor

        y = checked_values(codes, values, least=1, of="A nearest-neighbour regression")
        model = KNeighborsRegressor(min(self.k, len(y)), weights="distance")
        x = encoded(space, codes, self.encoding)
        model.fit(x, y)
        return FittedNeighbours(space, self.encoding, model, y, x.size)


@dataclass(frozen=True, eq=False)
class FittedNeighbours:
    """What was measured, see `Neighbours`."""

    space: Space
    encoding: Encoding
    model: Any
    values: Floats
    size: int

    @property
    def params(self) -> int:
        """Features and values that are kept."""
        return self.size + len(self.values)

    def predict(self, codes: Codes) -> Prediction:
        """See `Fitted`."""
        if not len(codes):
            return Prediction(np.zeros(0), np.zeros(0))
        x = encoded(self.space, codes, self.encoding)
        mean = np.asarray(self.model.predict(x), dtype=np.float64)
        near = self.model.kneighbors(x, return_distance=False)
        return Prediction(mean, self.values[near].std(axis=1))
