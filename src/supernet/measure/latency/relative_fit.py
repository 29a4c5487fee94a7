"""A fit of latencies to few architectures, by relative error, that falls back to what MACs tell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from supernet.rank import kendall_tau

Floats = NDArray[np.float64]

_PENALTIES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
_SHIFTS = (-0.95, -0.8, -0.5, 0.0, 0.5, 2.0, 8.0, 32.0)  # of the fewest MACs that were measured
_FLOOR = 0.1  # smaller ones would decide everything, and a fit of nothing is never more than 100 % off them
_LEAST_POWER = 1e-3  # so that MACs order what nothing else tells apart
_CAUTION = 30  # networks with which a difference must be twice its standard error
_FOLDS = 10


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


class RelativeFit(Struct, frozen=True):
    """A product of powers of sizes, none of them negative, times a factor for each option; also as in a file.

    Attributes:
        shift: What is added to MACs: a part of the latency that does not grow with them, or MACs that take none.
        least: The least of each size that was measured; below it logarithms go on as straight lines.
        powers: The power of each size.
        log_ms: The logarithm of the milliseconds where all sizes are 1.
        mean: What each option counts from.
        weights: The logarithm of the factor of each option; all 0 where options tell nothing.
        most: The largest correction by options that is made, a logarithm: the largest that was seen.
        least_ms: Half of the fastest network that was measured; predictions below it go a tenth as far.
    """

    shift: float
    least: list[float]
    powers: list[float]
    log_ms: float
    mean: list[float]
    weights: list[float]
    most: float
    least_ms: float

    def __call__(self, known: Known) -> Floats:
        """Milliseconds (N,)."""
        guess = self.log_ms + _logarithms(known.sizes, self.shift, np.asarray(self.least)) @ np.asarray(self.powers)
        moved = (known.options - np.asarray(self.mean)) @ np.asarray(self.weights)
        found = np.exp(guess + np.clip(moved, -self.most, self.most))
        return np.asarray(np.where(found < self.least_ms, 0.9 * self.least_ms + 0.1 * found, found))


def relative_errors(predicted: Floats, y: Floats) -> Floats:
    """|predicted − measured| / measured (N,); a latency counts as at least a tenth of the median."""
    found: Floats = np.abs(predicted - y) / floored(y)
    return found


def floored(y: Floats) -> Floats:
    """Latencies as errors are relative to them."""
    found: Floats = np.maximum(y, _FLOOR * np.median(y))
    return found


def fit(known: Known, y: Floats) -> RelativeFit:
    """Fit latencies (N,): least squares of their logarithms, which are squares of relative errors.

    From the simplest on there are: a power of MACs, with the shift that is best; powers of all sizes; these with a
    ridge on options for what they miss, its penalty smaller and smaller. They are compared by the errors of networks
    left out one at a time. The first is taken whose mean error exceeds the smallest by no more than the standard error
    of the difference, which counts more where few networks make it uncertain too (four times at ten, twice at thirty).
    What orders the networks left out worse than their MACs do is out of question. So few networks give what MACs tell,
    and more is learned as there is evidence for it.
    """
    target = np.log(floored(y))
    least = np.maximum(known.sizes.min(axis=0), np.maximum(1e-6 * known.sizes.max(axis=0), 1e-9))
    shifts = [share * float(least[0]) for share in _SHIFTS]
    alone = [_line(_logarithms(known.sizes, shift, least)[:, :1], target) for shift in shifts]
    shift, simple = min(zip(shifts, alone, strict=True), key=lambda one: float((one[1].left_out ** 2).sum()))
    logarithms, mean = _logarithms(known.sizes, shift, least), known.options.mean(axis=0)
    full, ridge = _line(logarithms, target), _Ridge.of(known.options - mean)
    kinds = [(simple, np.inf), *((full, penalty) for penalty in (np.inf, *_PENALTIES))]
    errors = [ridge.left_out(line, penalty) for line, penalty in kinds]
    likely = [0, *(place for place in range(1, len(kinds)) if _orders(target - errors[place], logarithms[:, 0], y))]
    best = errors[min(likely, key=lambda place: float(np.abs(errors[place]).mean()))]
    for place in likely:
        behind = np.abs(errors[place]) - np.abs(best)
        if behind.mean() <= (1 + _CAUTION / len(y)) * behind.std(ddof=1) / np.sqrt(len(y)):
            break
    line, penalty = kinds[place]
    return RelativeFit(
        shift,
        least.tolist(),
        [*line.powers.tolist(), *[0.0] * (len(least) - len(line.powers))],
        line.constant,
        mean.tolist(),
        ridge.weights(line.missed, penalty).tolist(),
        float(np.abs(line.missed).max()),
        0.5 * float(y.min()),
    )


def _orders(predicted: Floats, macs: Floats, y: Floats) -> bool:
    """Whether predictions order networks at least as well as MACs."""
    if np.ptp(y) == 0 or np.ptp(macs) == 0:
        return True
    return bool(np.ptp(predicted) > 0 and kendall_tau(predicted, y) >= kendall_tau(macs, y))


def held_out(known: Known, y: Floats, rng: np.random.Generator) -> Floats:
    """What `fit` predicts (N,) of networks left out of all it does."""
    predicted = np.zeros(len(y))
    for train, held in folds(len(y), rng):
        predicted[held] = fit(known.rows(train), y[train])(known.rows(held))
    return predicted


def folds(n: int, rng: np.random.Generator) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Ten pairs of (the others, those left out); of ten networks or fewer each is left out by itself."""
    parts = np.array_split(rng.permutation(n), min(n, _FOLDS))
    return [(np.concatenate([p for p in parts if p is not part]), part) for part in parts]


class _Line(NamedTuple):
    """A line, its errors (N,), those of each network when it is left out, and a basis (N, B) of what it can fit."""

    constant: float
    powers: Floats
    missed: Floats
    left_out: Floats
    basis: Floats


def _logarithms(sizes: Floats, shift: float, least: Floats) -> Floats:
    """Of sizes (N, S), the first of them shifted; in order, as the tangent goes on below the least, and finite."""
    moved = np.eye(1, sizes.shape[1]) * shift
    return np.asarray(np.log(np.maximum(sizes, least) + moved) + np.minimum(sizes - least, 0) / (least + moved))


def _line(x: Floats, target: Floats) -> _Line:
    """Least squares with a constant and no weights below 0, the first a little above it."""
    from scipy.optimize import nnls  # here: a third of a second that few ask for

    centred, middle = x - x.mean(axis=0), float(target.mean())
    powers = nnls(centred, target - middle)[0]
    used = np.concatenate([np.ones((len(x), 1)), centred[:, powers > 0]], axis=1)
    powers[0] = max(powers[0], _LEAST_POWER)
    constant = middle - float(x.mean(axis=0) @ powers)
    missed, basis = target - constant - x @ powers, np.linalg.qr(used)[0]
    return _Line(constant, powers, missed, _left_out(missed, (basis**2).sum(axis=1)), basis)


class _Ridge(NamedTuple):
    """A ridge on centred options (N, F): their singular vectors and values."""

    left: Floats
    values: Floats
    right: Floats

    @classmethod
    def of(cls, options: Floats) -> _Ridge:
        """The decomposition of options."""
        return cls(*np.linalg.svd(options, full_matrices=False))

    def weights(self, missed: Floats, penalty: float) -> Floats:
        """The weights (F,) for what a line has missed (N,)."""
        return np.asarray((self.values / self._scale(penalty) * (missed @ self.left)) @ self.right)

    def left_out(self, line: _Line, penalty: float) -> Floats:
        """Errors (N,) of networks left out in turn of a line with the ridge on what it misses."""
        share = self.values**2 / self._scale(penalty)
        beside = self.left - line.basis @ (line.basis.T @ self.left)
        leverage = (line.basis**2).sum(axis=1) + ((self.left * share) * beside).sum(axis=1)
        return _left_out(line.missed - (self.left * share) @ (self.left.T @ line.missed), leverage)

    def _scale(self, penalty: float) -> Floats:
        return np.asarray(self.values**2 + penalty * len(self.left))


def _left_out(missed: Floats, leverage: Floats) -> Floats:
    """Errors (N,) of networks left out in turn, from those of a linear fit to all; exact for least squares."""
    return np.asarray(missed / np.maximum(1 - leverage, 0.01))
