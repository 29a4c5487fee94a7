"""A Gaussian process over architectures."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from supernet.errors import require
from supernet.io.section import Positive, Section
from supernet.measure.predictors._protocol import Prediction, checked_values
from supernet.measure.predictors.features import Encoding, encoded
from supernet.rank.checks import Floats
from supernet.space import Codes, Space

_ROWS = 2**13  # predicted at a time


@dataclass(frozen=True, kw_only=True)
class GaussianProcess(Section, place="gaussian_process."):
    """A Gaussian process with noise, by scikit-learn; its length and noise have the largest marginal likelihood.

    The kernel is exp(−d² / 2l²) of the features; on one-hot options d² is twice the number of decisions that differ,
    so it is a Hamming kernel. Fitting takes the third power of the number of architectures. The spread is the
    posterior standard deviation, without the noise.

    Args:
        encoding: What distances are taken of.
        most: Largest number of architectures that are fitted to; of more, as many are drawn.
    """

    encoding: Encoding = "onehot"
    most: Positive = 500

    def fit(self, space: Space, codes: Codes, values: Floats, *, seed: int = 0) -> FittedProcess:
        """See `Predictor`.

        Raises:
            RunError: scikit-learn is not installed (extra "search").
        """
        require("sklearn", "search", "A Gaussian process")
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

        y = checked_values(codes, values, least=2, of="A Gaussian process")
        rows = np.sort(np.random.default_rng(seed).permutation(len(y))[: self.most])
        x, y = encoded(space, codes[rows], self.encoding).astype(np.float64), y[rows]
        signal = ConstantKernel(1.0, (1e-2, 1e2)) * RBF(np.sqrt(x.shape[1] / 4), (0.1, 1e2))
        process = GaussianProcessRegressor(signal + WhiteKernel(0.1, (1e-4, 1.0)), random_state=0)
        base, scale = float(y.mean()), float(y.std()) or 1.0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound is an answer too
            process.fit(x, (y - base) / scale)
        return FittedProcess(space, self.encoding, process, base, scale)


@dataclass(frozen=True, eq=False)
class FittedProcess:
    """A posterior, see `GaussianProcess`."""

    space: Space
    encoding: Encoding
    process: Any
    base: float
    scale: float

    @property
    def params(self) -> int:
        """Signal, length and noise of the kernel, and one weight per architecture."""
        return len(self.process.kernel_.theta) + len(self.process.alpha_)

    @property
    def noise(self) -> float:
        """Variance of the noise, of values divided by their standard deviation."""
        return float(self.process.kernel_.k2.noise_level)

    def predict(self, codes: Codes) -> Prediction:
        """See `Fitted`."""
        mean, spread = np.empty(len(codes)), np.empty(len(codes))
        for start in range(0, len(codes), _ROWS):
            part = slice(start, start + _ROWS)
            x = encoded(self.space, codes[part], self.encoding).astype(np.float64)
            mean[part], spread[part] = self.process.predict(x, return_std=True)
        latent = np.sqrt(np.maximum(spread**2 - self.noise, 0.0))
        return Prediction(mean * self.scale + self.base, latent * self.scale)

    def left_out(self) -> Prediction:
        """What it predicts of each architecture that it was fitted to, without that one; the kernel stays.

        Rasmussen and Williams, *Gaussian Processes for Machine Learning*, equations 5.12.
        """
        from scipy.linalg import cho_solve

        process = self.process
        inverse = cho_solve((process.L_, True), np.eye(len(process.alpha_))).diagonal()
        mean = process.y_train_ - process.alpha_ / inverse
        latent = np.sqrt(np.maximum(1 / inverse - self.noise, 0.0))
        return Prediction(mean * self.scale + self.base, latent * self.scale)
