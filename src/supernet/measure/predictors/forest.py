"""A random forest, as AttentiveNAS predicts accuracies with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from supernet.errors import require
from supernet.io.section import Positive, Section
from supernet.measure.predictors._protocol import Prediction, checked_values
from supernet.measure.predictors.features import Encoding, encoded
from supernet.paper import Paper
from supernet.rank.checks import Floats
from supernet.space import Codes, Space

PAPER = Paper(
    name="AttentiveNAS",
    title="AttentiveNAS: Improving Neural Architecture Search via Attentive Sampling",
    authors=("Wang", "Li", "Gong", "Chandra"),
    venue="CVPR",
    year=2021,
    arxiv="2011.09011",
    provenance="reconstruction",
)


@dataclass(frozen=True, kw_only=True)
class Forest(Section, place="forest."):
    """Regression trees on samples with replacement, by scikit-learn (AttentiveNAS's accuracy predictor).

    [arXiv 2011.09011](https://arxiv.org/abs/2011.09011), section 4.1; its features are the options as numbers, which
    is `encoding="ordinal"`. The number of trees and the rest are those of scikit-learn but for `trees`. The spread is
    the standard deviation over the trees.

    Args:
        trees: Number of trees.
        encoding: What the trees ask about.
        leaf: Smallest number of architectures in a leaf.
    """

    trees: Positive = 200
    encoding: Encoding = "onehot"
    leaf: Positive = 1

    def fit(self, space: Space, codes: Codes, values: Floats, *, seed: int = 0) -> FittedForest:
        """See `Predictor`.

        Raises:
            RunError: scikit-learn is not installed (extra "search").
        """
        require("sklearn", "search", "A random forest")
        from sklearn.ensemble import RandomForestRegressor

        y = checked_values(codes, values, least=2, of="A random forest")
        model = RandomForestRegressor(self.trees, min_samples_leaf=self.leaf, random_state=seed % 2**32)
        model.fit(encoded(space, codes, self.encoding), y)
        return FittedForest(space, self.encoding, model)


@dataclass(frozen=True, eq=False)
class FittedForest:
    """Trees, see `Forest`."""

    space: Space
    encoding: Encoding
    model: Any

    @property
    def params(self) -> int:
        """Number of leaves of all trees."""
        return sum(int(tree.get_n_leaves()) for tree in self.model.estimators_)

    def predict(self, codes: Codes) -> Prediction:
        """See `Fitted`."""
        x = encoded(self.space, codes, self.encoding)
        if not len(x):
            return Prediction(np.zeros(0), np.zeros(0))
        told = np.stack([tree.predict(x) for tree in self.model.estimators_])
        return Prediction(told.mean(axis=0), told.std(axis=0))
