"""Radial basis functions on parts of what was measured, as NAT predicts accuracies with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from supernet.io.section import NotNegative, Positive, Section
from supernet.measure.predictors._protocol import Prediction, checked_values
from supernet.measure.predictors.features import Encoding, encoded
from supernet.paper import Paper
from supernet.rank.checks import Floats
from supernet.space import Codes, Space

PAPER = Paper(
    name="NAT",
    title="Neural Architecture Transfer",
    authors=("Lu", "Sreekumar", "Goodman", "Banzhaf", "Deb", "Boddeti"),
    venue="IEEE TPAMI",
    journal=True,
    year=2021,
    arxiv="2005.05859",
    provenance="reconstruction",
)

Share = Annotated[float, Meta(gt=0, le=1)]


@dataclass(frozen=True, kw_only=True)
class RBF(Section, place="rbf."):
    """An ensemble of cubic radial basis functions with a linear tail, by SciPy (NAT's accuracy predictor).

    [arXiv 2005.05859](https://arxiv.org/abs/2005.05859), section 3.2. Each member interpolates a part of the
    architectures and sees a part of the features, both drawn for it; the prediction is the mean of the members, the
    spread their standard deviation. The number of members and how many features each sees are those of the
    authors' code, as others have published it; the part of the architectures (all, there) and the smoothing are a
    reconstruction.

    Features are centred and turned into as many directions as the part of the architectures spans, so that distances
    stay as they are.

    Args:
        encoding: What distances are taken of.
        members: Number of interpolations.
        architectures: Share of the architectures that a member is fitted to.
        features: Share of the features that it sees; None: a number of them that is drawn for it, from one to all.
        smoothing: What is added to the diagonal of the kernel, of values divided by their standard deviation; 0:
            architectures that were measured are predicted exactly by members that were fitted to them.
    """

    encoding: Encoding = "onehot"
    members: Positive = 500
    architectures: Share = 0.8
    features: Share | None = None
    smoothing: NotNegative = 1e-3

    def fit(self, space: Space, codes: Codes, values: Floats, *, seed: int = 0) -> FittedRBF:
        """See `Predictor`."""
        y = checked_values(codes, values, least=2, of="An RBF ensemble")
        base, scale = float(y.mean()), float(y.std()) or 1.0
        x = encoded(space, codes, self.encoding).astype(np.float64)
        rng = np.random.default_rng(seed)
        members = [self._member(x, (y - base) / scale, rng) for _ in range(self.members)]
        return FittedRBF(space, self.encoding, members, base, scale)

    def _member(self, x: Floats, y: Floats, rng: np.random.Generator) -> _Member:
        from scipy.interpolate import RBFInterpolator

        rows = _part(len(y), self.architectures, 2, rng)
        share = rng.integers(1, x.shape[1] + 1) / x.shape[1] if self.features is None else self.features
        columns = _part(x.shape[1], share, 1, rng)
        seen = x[np.ix_(rows, columns)]
        centre = seen.mean(axis=0)
        _, sizes, directions = np.linalg.svd(seen - centre, full_matrices=False)
        turned = directions[sizes > 1e-9 * max(sizes.max(), 1.0)].T
        if not turned.shape[1]:  # architectures that look alike
            return _Member(columns, centre, turned, float(y[rows].mean()))
        # A smoothing of exactly 0 makes the equations of architectures that look alike contradict each other.
        smooth = max(self.smoothing, 1e-9)
        fitted = RBFInterpolator((seen - centre) @ turned, y[rows], kernel="cubic", degree=1, smoothing=smooth)
        return _Member(columns, centre, turned, fitted)


class _Member(NamedTuple):
    """One interpolation: which features it sees, their centre and directions, and the function; or a constant."""

    columns: NDArray[np.int64]
    centre: Floats
    directions: Floats
    function: Any

    def __call__(self, x: Floats) -> Floats:
        if isinstance(self.function, float):
            return np.full(len(x), self.function)
        told: Floats = self.function((x[:, self.columns] - self.centre) @ self.directions)
        return told


@dataclass(frozen=True, eq=False)
class FittedRBF:
    """Interpolations, see `RBF`."""

    space: Space
    encoding: Encoding
    members: list[_Member]
    base: float
    scale: float

    @property
    def params(self) -> int:
        """Number of coefficients of all members, of kernels and tails."""
        return sum(1 if isinstance(m.function, float) else m.function._coeffs.size for m in self.members)

    def predict(self, codes: Codes) -> Prediction:
        """See `Fitted`."""
        if not len(codes):
            return Prediction(np.zeros(0), np.zeros(0))
        x = encoded(self.space, codes, self.encoding).astype(np.float64)
        told = np.stack([member(x) for member in self.members])
        return Prediction(self.base + self.scale * told.mean(axis=0), self.scale * told.std(axis=0))


def _part(n: int, share: float, least: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """A part of n places in ascending order, drawn at random."""
    count = min(n, max(least, round(share * n)))
    return np.sort(rng.permutation(n)[:count])
