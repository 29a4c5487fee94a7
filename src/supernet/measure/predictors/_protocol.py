"""What a predictor promises, and how it is asked."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from supernet.errors import UsageError
from supernet.rank.checks import Floats
from supernet.space import Codes, Space

_CHUNK = 2**15


class Prediction(NamedTuple):
    """What is predicted of N architectures.

    Attributes:
        mean: The value (N,), in the unit of those that were measured.
        spread: How far it may be off (N,), a standard deviation as the predictor itself tells it.
    """

    mean: Floats
    spread: Floats


class Fitted(Protocol):
    """A predictor that has seen values."""

    @property
    def params(self) -> int:
        """Number of numbers that were fitted, or are kept to predict from."""
        ...

    def predict(self, codes: Codes) -> Prediction:
        """Predict a population (N, D)."""
        ...


@runtime_checkable
class Predictor(Protocol):
    """A regression from architectures to one quantity, as a value: a frozen dataclass of its settings."""

    def fit(self, space: Space, codes: Codes, values: Floats, *, seed: int = 0) -> Fitted:
        """Fit it to values (N,) of architectures (N, D). The same arguments give the same predictor, bit for bit.

        Raises:
            UsageError: there are too few, or they do not belong together.
        """
        ...


def checked_values(codes: Codes, values: Floats, *, least: int, of: str) -> Floats:
    """The values as an array (N,).

    Raises:
        UsageError: there are fewer than `least`, there are not as many as architectures, or one is not finite.
    """
    found = np.asarray(values, dtype=np.float64)
    if len(codes) < least or found.shape != (len(codes),) or not np.isfinite(found).all():
        raise UsageError(
            f"{of} is fitted to {least} or more architectures, each with one finite value; got {len(codes)} "
            f"architectures and values of shape {found.shape}. Measure more, and look for diverged ones."
        )
    return found
