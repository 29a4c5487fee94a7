"""What searches on other data have learned: a ranking-weighted ensemble of Gaussian processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.io.section import Positive, Section, Text
from supernet.measure.predictors._observed import Observed, read_observed
from supernet.measure.predictors._protocol import Prediction, checked_values
from supernet.measure.predictors.features import Encoding
from supernet.measure.predictors.gaussian_process import FittedProcess, GaussianProcess
from supernet.paper import Paper
from supernet.rank.checks import Floats
from supernet.space import Codes, Space

PAPER = Paper(
    name="RGPE",
    title="Practical Transfer Learning for Bayesian Optimization",
    authors=("Feurer", "Letham", "Hutter", "Bakshy"),
    venue="arXiv preprint",
    journal=True,
    year=2018,
    arxiv="1802.02219",
    provenance="reconstruction",
)

_LEAST = 3  # architectures on the new data from which misranked pairs are counted


@dataclass(frozen=True, kw_only=True)
class RankWeighted(Section, place="rank_weighted."):
    """RGPE: Gaussian processes of other data sets, weighted by how they rank what was measured on the new one.

    Feurer, Letham, Hutter, Bakshy ([arXiv 1802.02219](https://arxiv.org/abs/1802.02219)), sections 4.1 to 4.3. One
    process per archive, each on values with mean 0 and standard deviation 1, and one of the new data.
    Functions are drawn from their posteriors at the architectures measured on the new data, of the new process from
    that with each left out, and misranked pairs are counted; a process weighs as often as it has the fewest (among
    equals each its share). The mean is Σ w μ, the variance Σ w² σ². Where the median of a process of other
    data exceeds the 95th percentile of the new one's, it is left out, so that more archives do no harm.

    With fewer than three architectures of the new data, with none at all too, the others weigh the same and the new
    process nothing. With fewer than two the unit is unknown: predictions then have mean 0 and standard deviation 1 as
    on the other data, and only rank.

    Args:
        archives: Folders of searches of the same space on other data, which hold `search.jsonl`; what was only
            predicted there is left out.
        quantity: The quantity that is read from them.
        encoding: The features of the processes.
        most: Largest number of architectures per process.
        draws: Number of functions that are drawn from each posterior.

    Raises:
        UsageError: a number outside its range, or no archive.
    """

    archives: Annotated[tuple[Text, ...], Meta(min_length=1)]
    quantity: Text = "accuracy"
    encoding: Encoding = "onehot"
    most: Positive = 500
    draws: Positive = 256

    def fit(self, space: Space, codes: Codes, values: Floats, *, seed: int = 0) -> FittedEnsemble:
        """See `Predictor`; there may be no architectures.

        Raises:
            UsageError: an archive is missing, not of this space, or holds fewer than two architectures.
            RunError: an archive is damaged, or scikit-learn is not installed (extra "search").
        """
        others = [read_observed(place, space, self.quantity) for place in self.archives]
        return weighted_by_ranks(
            space, codes, values, others, encoding=self.encoding, most=self.most, draws=self.draws, seed=seed
        )


def weighted_by_ranks(
    space: Space,
    codes: Codes,
    values: Floats,
    others: list[Observed],
    *,
    encoding: Encoding = "onehot",
    most: int = 500,
    draws: int = 256,
    seed: int = 0,
) -> FittedEnsemble:
    """`RankWeighted` with what was measured on other data in memory; `others` of the same space, two or more each.

    Raises:
        UsageError: there are no others, or one holds fewer than two architectures.
    """
    if not others:
        raise UsageError("There is nothing to learn from: give archives of searches on other data.")
    y = checked_values(codes, values, least=0, of="An ensemble of rankings")
    single = GaussianProcess(encoding=encoding, most=most)
    models = [
        single.fit(space, other.codes, _standardised(other.values)[0], seed=seed + place)
        for place, other in enumerate(others, start=1)
    ]
    known, base, scale = _standardised(y) if len(y) >= 2 else (y, 0.0, 1.0)
    if len(y) < _LEAST:
        return FittedEnsemble(tuple(models), np.full(len(models), 1 / len(models)), base, scale)
    mine = single.fit(space, codes, known, seed=seed)
    rows = np.sort(np.random.default_rng(seed).permutation(len(y))[:most])  # as the process has drawn them
    rng = np.random.default_rng([seed, 1])
    losses = np.stack(
        [
            *(_misranked(_drawn(model.predict(codes[rows]), draws, rng), known[rows]) for model in models),
            _misranked(_drawn(mine.left_out(), draws, rng), known[rows]),
        ]
    )
    losses[:-1][np.median(losses[:-1], axis=1) > np.quantile(losses[-1], 0.95)] = np.inf
    fewest = losses == losses.min(axis=0)
    weights = (fewest / fewest.sum(axis=0)).mean(axis=1)
    return FittedEnsemble((*models, mine), weights, base, scale)


@dataclass(frozen=True, eq=False)
class FittedEnsemble:
    """Processes with their weights, see `RankWeighted`.

    Attributes:
        models: Those of other data in the order of the archives, then that of the new data, if there is one.
        weights: The weight of each; they sum to 1.
    """

    models: tuple[FittedProcess, ...]
    weights: Floats
    base: float
    scale: float

    @property
    def params(self) -> int:
        """Those of the processes that count, and their weights."""
        used = [model.params for model, weight in zip(self.models, self.weights, strict=True) if weight]
        return sum(used) + len(used)

    def predict(self, codes: Codes) -> Prediction:
        """See `Fitted`."""
        mean, variance = np.zeros(len(codes)), np.zeros(len(codes))
        for model, weight in zip(self.models, self.weights, strict=True):
            if weight:
                told = model.predict(codes)
                mean += weight * told.mean
                variance += (weight * told.spread) ** 2
        return Prediction(mean * self.scale + self.base, np.sqrt(variance) * self.scale)


def _standardised(values: Floats) -> tuple[Floats, float, float]:
    """Values with mean 0 and standard deviation 1, and what they had before."""
    base, scale = float(values.mean()), float(values.std()) or 1.0
    return (values - base) / scale, base, scale


def _drawn(told: Prediction, draws: int, rng: np.random.Generator) -> Floats:
    """Functions (draws, N) from a posterior, its values as if they were independent."""
    return np.asarray(told.mean + told.spread * rng.standard_normal((draws, len(told.mean))))


def _misranked(drawn: Floats, known: Floats) -> NDArray[np.float64]:
    """In how many ordered pairs each function (draws, N) and what was measured (N,) disagree (eq. 4)."""
    truly = known[:, None] < known[None, :]
    return np.asarray([((row[:, None] < row[None, :]) ^ truly).sum() for row in drawn], dtype=np.float64)
