"""A fit of latencies to few architectures, by relative error, that falls back to what MACs tell."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.optimize import nnls

from supernet.rank import kendall_tau

Floats = NDArray[np.float64]

Form: TypeAlias = Literal["none", "factor", "term"]
"""What the options do to the sum of the sizes: nothing, they multiply it, or they add to it."""

_PENALTIES = (10.0, 1.0, 0.1, 0.01, 0.001)
_FOLDS = 10
_ROUNDS = 5
_FLOOR = 0.1  # smaller ones would decide everything, and a fit of nothing is never more than 100 % off them


class Known(NamedTuple):
    """What is known of architectures before any is measured.

    Attributes:
        sizes: What grows with the latency (N, S): MACs, parameters, then latencies on other devices.
        options: Their options (N, F), one-hot.
    """

    sizes: Floats
    options: Floats

    def rows(self, index: NDArray[np.int64]) -> Known:
        """Some of the architectures."""
        return Known(self.sizes[index], self.options[index])


class Kind(NamedTuple):
    """A form that a fit can take.

    Attributes:
        level: How much it can learn.
        columns: The sizes that it reads.
        form: What it does with the options.
        penalty: What a weight of an option costs.
    """

    level: int
    columns: tuple[int, ...]
    form: Form = "none"
    penalty: float = 0.0


_MACS_ALONE = Kind(1, (0,))


class RelativeFit(Struct, frozen=True):
    """Σ of sizes, none weighed below 0, and perhaps corrected by options; also as in a file.

    Attributes:
        columns: The sizes that it reads.
        start_ms: What every network takes.
        per_size: Milliseconds per unit of each of these sizes.
        form: What the options do.
        mean: What each option counts from; none where options do nothing.
        weights: What each option does.
        most: The largest correction that was seen; a logarithm, or milliseconds.
        least_ms: The least that is ever predicted: half of the fastest network that was measured.
    """

    columns: tuple[int, ...]
    start_ms: float
    per_size: list[float]
    form: Form
    mean: list[float]
    weights: list[float]
    most: float
    least_ms: float

    def __call__(self, known: Known) -> Floats:
        """Milliseconds (N,)."""
        guess = self.start_ms + known.sizes[:, list(self.columns)] @ np.asarray(self.per_size)
        guess = np.maximum(guess, self.least_ms)
        if self.form == "none":
            return np.asarray(guess)
        moved = np.clip((known.options - np.asarray(self.mean)) @ np.asarray(self.weights), -self.most, self.most)
        found = guess * np.exp(moved) if self.form == "factor" else guess + moved
        return np.asarray(np.maximum(found, self.least_ms))


def relative_errors(predicted: Floats, y: Floats) -> Floats:
    """|predicted − measured| / measured (N,); a latency counts as at least a tenth of the median."""
    found: Floats = np.abs(predicted - y) / floored(y)
    return found


def floored(y: Floats) -> Floats:
    """Latencies as errors are relative to them."""
    found: Floats = np.maximum(y, _FLOOR * np.median(y))
    return found


def fit(known: Known, y: Floats, rng: np.random.Generator) -> RelativeFit:
    """Fit latencies (N,), in the simplest form that is not clearly worse than the best.

    Forms are compared by the errors of networks left out. From the simplest (another device alone, MACs alone) on, the
    first is taken whose mean error exceeds that of the best form by no more than the standard error of the difference,
    which counts more where few networks make it uncertain too (twice at ten). A form that orders the networks left out
    worse than their MACs do is out of question. So few networks give what MACs tell, and more is learned as there is
    evidence for it.
    """
    kinds = _kinds(known.sizes.shape[1])
    predicted = np.zeros((len(kinds), len(y)))
    for train, held in folds(len(y), rng):
        for place, kind in enumerate(kinds):
            predicted[place, held] = fit_kind(known.rows(train), y[train], kind)(known.rows(held))
    errors = np.abs(predicted - y) / floored(y)
    likely = [place for place, kind in enumerate(kinds) if kind == _MACS_ALONE or _orders(predicted[place], known, y)]
    likely.sort(key=lambda place: (kinds[place].level, errors[place].mean() if kinds[place].level == 0 else 0.0))
    best = min(likely, key=lambda place: errors[place].mean())
    for place in likely:
        behind = errors[place] - errors[best]
        if behind.mean() <= (1 + 10 / len(y)) * behind.std(ddof=1) / np.sqrt(len(y)):
            break
    return fit_kind(known, y, kinds[place])


def _orders(predicted: Floats, known: Known, y: Floats) -> bool:
    """Whether predictions order networks at least as well as MACs."""
    if np.ptp(y) == 0 or np.ptp(known.sizes[:, 0]) == 0:
        return True
    return bool(np.ptp(predicted) > 0 and kendall_tau(predicted, y) >= kendall_tau(known.sizes[:, 0], y))


def held_out(known: Known, y: Floats, rng: np.random.Generator) -> Floats:
    """What `fit` predicts (N,) of networks left out of all it does, the choice of the form included."""
    predicted = np.zeros(len(y))
    for train, held in folds(len(y), rng):
        predicted[held] = fit(known.rows(train), y[train], rng)(known.rows(held))
    return predicted


def folds(n: int, rng: np.random.Generator) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Ten pairs of (the others, those left out); of ten networks or fewer each is left out by itself."""
    parts = np.array_split(rng.permutation(n), min(n, _FOLDS))
    return [(np.concatenate([p for p in parts if p is not part]), part) for part in parts]


def _kinds(sizes: int) -> list[Kind]:
    """From the simplest: each other device, MACs, all sizes, all sizes and options with less and less penalty."""
    everything = tuple(range(sizes))
    forms: tuple[Form, ...] = ("factor", "term")
    corrected = [
        Kind(3 + place, everything, form, penalty) for place, penalty in enumerate(_PENALTIES) for form in forms
    ]
    return [*(Kind(0, (column,)) for column in everything[2:]), _MACS_ALONE, Kind(2, everything), *corrected]


def fit_kind(known: Known, y: Floats, kind: Kind) -> RelativeFit:
    """Fit one form: least squares of relative errors, none of the sizes weighed below 0, then a ridge on options."""
    sizes = known.sizes[:, list(kind.columns)]
    scale = np.maximum(np.abs(sizes).max(axis=0, initial=0.0), 1e-300)
    columns = np.concatenate([np.full((len(y), 1), y.mean()), sizes / scale * y.mean()], axis=1)
    found = np.zeros(columns.shape[1])
    for _ in range(_ROUNDS):  # relative to the larger of both, or else predicting nothing is the cheapest
        weight = 1.0 / np.maximum(floored(y), columns @ found)
        found = nnls(columns * weight[:, None], y * weight)[0]
    found = found * y.mean()
    start, per_size, least = float(found[0]), found[1:] / scale, 0.5 * float(y.min())
    plain = RelativeFit(kind.columns, start, per_size.tolist(), "none", [], [], 0.0, least)
    if kind.form == "none":
        return plain
    guess = plain(known)
    missed = np.log(y / guess) if kind.form == "factor" else y - guess
    counts = np.ones(len(y)) if kind.form == "factor" else weight * np.median(y)
    mean = known.options.mean(axis=0)
    x = (known.options - mean) * counts[:, None]
    gram = x @ x.T + kind.penalty * len(y) * np.eye(len(y))
    weights = x.T @ np.linalg.solve(gram, missed * counts)
    return RelativeFit(
        kind.columns,
        start,
        per_size.tolist(),
        kind.form,
        mean.tolist(),
        weights.tolist(),
        float(np.abs(missed).max()),
        least,
    )
