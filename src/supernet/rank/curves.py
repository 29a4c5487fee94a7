"""Curves over the threshold k: top-architecture ID rate and sampling mass, beside the random baseline k / N."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supernet.rank.checks import Floats
from supernet.rank.mass import sampling_mass_curve
from supernet.rank.top import top_id_curve

_POINTS = 400


@dataclass(frozen=True, eq=False)
class Line:
    """One ranking in a plot over k = 1 … N.

    Attributes:
        name: What is shown.
        values: Mean over the trainings (N,).
        low: Smallest of the trainings (N,).
        high: Largest of the trainings (N,).
    """

    name: str
    values: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class Curves:
    """Lines over k = 1 … N; a random order, or uniform sampling, gives k / N.

    Attributes:
        quantity: What is plotted.
        lines: The rankings.
    """

    quantity: str
    lines: tuple[Line, ...]

    @property
    def n(self) -> int:
        """Number of architectures."""
        return len(self.lines[0].values)

    @property
    def random(self) -> Floats:
        """The random baseline k / N (N,)."""
        return np.arange(1, self.n + 1) / self.n

    def shown(self) -> NDArray[np.int64]:
        """At most 400 values of k, denser where k is small: there lie the architectures that matter."""
        if self.n <= _POINTS:
            return np.arange(1, self.n + 1)
        low = np.geomspace(1, self.n, _POINTS // 2)
        return np.unique(np.concatenate([low, np.linspace(1, self.n, _POINTS // 2)]).round().astype(np.int64))

    def to_json(self) -> dict[str, Any]:
        """The lines at `shown()`."""
        k = self.shown()
        return {
            "quantity": self.quantity,
            "n": self.n,
            "k": k.tolist(),
            "random": self.random[k - 1].tolist(),
            "lines": [
                {
                    "name": line.name,
                    "values": line.values[k - 1].tolist(),
                    "low": line.low[k - 1].tolist(),
                    "high": line.high[k - 1].tolist(),
                }
                for line in self.lines
            ],
        }


def top_id_curves(rankings: Mapping[str, Floats], true: Floats) -> Curves:
    """Top-architecture ID rate of rankings by name, each the scores (S, N) of its trainings."""
    lines = [_line(name, np.stack([top_id_curve(row, true) for row in rows])) for name, rows in rankings.items()]
    return Curves("top-architecture ID rate", tuple(lines))


def mass_curves(samplers: Mapping[str, Floats], true: Floats) -> Curves:
    """Sampling mass of samplers by name, each the probabilities (S, N) of its trainings."""
    lines = [_line(name, np.stack([sampling_mass_curve(row, true) for row in rows])) for name, rows in samplers.items()]
    return Curves("cumulative sampling probability", tuple(lines))


def _line(name: str, curves: Floats) -> Line:
    return Line(name, curves.mean(axis=0), curves.min(axis=0), curves.max(axis=0))
