"""Cheap scores blended by what a few architectures were worth when they were trained."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supernet.errors import UsageError, require
from supernet.rank.checks import MIN_ARCHITECTURES, Floats
from supernet.rank.joined import joined_ranks
from supernet.rank.measures import dense_ranks, kendall_tau, mid_ranks

Scores: TypeAlias = ArrayLike | Mapping[Hashable, float]
"""Scores of architectures in their order, or by architecture."""

_PENALTIES = np.logspace(-2, 3, 11)
_FEWEST_HELD_OUT = 6  # folds of two need two more folds to fit to


@dataclass(frozen=True, eq=False)
class Blend:
    """What a ridge regression of the ranks of true scores on those of cheap scores is worth, beside the ranks added.

    Every τ but `alone` is over pairs of architectures that are held out together, in repeated folds: only within a fold
    are predictions those of one fit.

    Attributes:
        scores: The blend of all architectures (N,), higher is better, as ranks among those that were trained; the ranks
            added where it could not be fitted.
        weights: By name, by how many of these ranks the blend rises from a score's lowest rank to its highest; empty
            where nothing was fitted.
        n: Number of architectures it was fitted to.
        tau: τ of the blend; None where it could not be held out.
        added: τ of the ranks added, on the same pairs.
        alone: τ of each score alone with the true scores of the n architectures.
        without: τ of the blend that is fitted without that score; what a score brings is `tau` minus this.
        omitted: What was left out, or not computed, and why.
    """

    scores: Floats
    weights: Mapping[str, float]
    n: int
    tau: float | None
    added: float | None
    alone: Mapping[str, float]
    without: Mapping[str, float]
    omitted: Mapping[str, str]

    def sentences(self) -> list[str]:
        """The figures in words, what was left out last."""
        found = []
        if self.tau is not None and self.added is not None:
            found.append(
                f"The blend of {len(self.weights)} scores, fitted to {self.n} architectures trained alone, has τ "
                f"{self.tau:.2f} held out; their ranks added have {self.added:.2f}."
            )
        for name, tau in self.alone.items():
            brings = ""
            if name in self.without and self.tau is not None:
                brings = f", and brings the blend {self.tau - self.without[name]:+.2f}"
            found.append(f"{name} alone has τ {tau:.2f}{brings}.")
        return [*found, *self.omitted.values()]


def blend(
    archs: Sequence[Hashable],
    scores: Mapping[str, Scores],
    truth: Mapping[Hashable, float],
    *,
    folds: int = 5,
    repeats: int = 10,
    seed: int = 0,
) -> Blend:
    """Fit a ridge regression to the architectures whose truth is known, and rank all by it.

    Each score becomes its ranks among the N architectures; −∞ ranks last. So does the truth among those that have one,
    lest a few that failed to train decide the fit. The penalty is chosen by leaving one out.
    Scores that are constant, missing for some architectures or not a number are left out with a sentence, and so are
    true scores of unknown architectures; the rest goes on.

    Args:
        archs: The architectures (N,), or what they are called.
        scores: Cheap scores by name, higher is better.
        truth: True scores of some of the architectures, higher is better.
        folds: Number of folds; fewer where the architectures do not fill them with two each.
        repeats: How often folds are drawn.
        seed: The seed of the folds.

    Raises:
        UsageError: no architectures, no usable score, fewer than two folds, or no repeat.
        RunError: scikit-learn is not installed (extra "search").

    >>> known = blend(range(8), {"size": [1, 2, 3, 4, 5, 6, 7, 8]}, {0: 0.1, 3: 0.4, 6: 0.5, 7: 0.9})
    >>> known.n, known.scores.argmax().item(), known.tau
    (4, 7, None)
    >>> known.sentences()[-1]
    'The blend is not held out: its folds need 6 architectures trained alone, and there are 4. Train more.'
    """
    if folds < 2 or repeats < 1:
        raise UsageError(f"folds={folds} and repeats={repeats} were given; two folds and one repeat are the fewest.")
    columns, omitted = _columns(archs, scores)
    places = {arch: place for place, arch in enumerate(archs)}
    true, told = _known(truth, places)
    omitted |= told
    rows = np.asarray(list(true), dtype=np.intp)
    worth = np.asarray(list(true.values()), dtype=np.float64)
    ranks = np.stack([_ranks(values) for values in columns.values()], axis=1)
    added = joined_ranks(columns, logarithmic=False)
    if len(rows) < MIN_ARCHITECTURES or (worth == worth[0]).all():
        omitted["blend"] = (
            f"Nothing was fitted: the truth of {len(rows)} of these architectures is known"
            + (", and it is the same" if len(rows) >= MIN_ARCHITECTURES else "")
            + f". Train {MIN_ARCHITECTURES} or more that differ; until then the ranks are added."
        )
        return Blend(added, {}, len(rows), None, None, {}, {}, omitted)
    worth = mid_ranks(dense_ranks(worth)[None])[0]
    model = _fitted(ranks[rows], worth)
    alone = {}
    for name, values in columns.items():
        if (values[rows] == values[rows][0]).all():
            omitted[f"{name} alone"] = f"{name} is the same for all {len(rows)} architectures that were trained alone."
        else:
            alone[name] = kendall_tau(dense_ranks(values[rows]), worth)
    tau = joined = None
    without: dict[str, float] = {}
    if len(rows) < _FEWEST_HELD_OUT:
        omitted["tau"] = (
            f"The blend is not held out: its folds need {_FEWEST_HELD_OUT} architectures trained alone, and there are "
            f"{len(rows)}. Train more."
        )
    else:
        drawn = list(_drawn(len(rows), folds, repeats, seed))
        tau = _held_out(ranks[rows], worth, drawn)
        joined = _tau(added[rows], worth, drawn)
        if len(columns) > 1:
            for place, name in enumerate(columns):
                without[name] = _held_out(np.delete(ranks[rows], place, axis=1), worth, drawn)
    weights = dict(zip(columns, (2 * np.sqrt(3) * model.coef_).tolist(), strict=True))
    predicted = np.asarray(model.predict(ranks), dtype=np.float64)
    return Blend(predicted, weights, len(rows), tau, joined, alone, without, omitted)


def _columns(archs: Sequence[Hashable], scores: Mapping[str, Scores]) -> tuple[dict[str, Floats], dict[str, str]]:
    """The scores that can be used, and a sentence for each of the others."""
    if not len(archs) or len(set(archs)) != len(archs):
        raise UsageError(f"{len(archs)} architectures were given, {len(set(archs))} of them different; give each once.")
    columns: dict[str, Floats] = {}
    omitted: dict[str, str] = {}
    for name, given in scores.items():
        if isinstance(given, Mapping):
            lacking = sum(arch not in given for arch in archs)
            if lacking == len(archs):
                omitted[name] = f"{name} is left out: it knows none of these architectures. Is it of another space?"
                continue
            values = np.asarray([given.get(arch, np.nan) for arch in archs], dtype=np.float64)
        else:
            values = np.asarray(given, dtype=np.float64)
            if values.shape != (len(archs),):
                omitted[name] = (
                    f"{name} is left out: it has the shape {values.shape}, and there are {len(archs)} architectures."
                )
                continue
        missing = int(np.isnan(values).sum())
        if missing:
            omitted[name] = (
                f"{name} is left out: of {missing} of {len(archs)} architectures it is missing or not a number."
            )
        elif (values == values[0]).all():
            omitted[name] = f"{name} is left out: it is {values[0]:g} for all architectures."
        else:
            columns[name] = values
    if not columns:
        raise UsageError(" ".join(["No score is left to blend.", *omitted.values()]))
    return columns, omitted


def _known(truth: Mapping[Hashable, float], places: Mapping[Hashable, int]) -> tuple[dict[int, float], dict[str, str]]:
    """The truth by place, and what of it cannot be used."""
    unknown = sum(arch not in places for arch in truth)
    broken = sum(not np.isfinite(value) for arch, value in truth.items() if arch in places)
    omitted = {}
    if unknown:
        omitted["truth of others"] = f"The truth of {unknown} architectures is left out: they have no scores."
    if broken:
        omitted["truth"] = f"The truth of {broken} architectures is left out: it is not finite."
    return {places[a]: float(v) for a, v in truth.items() if a in places and np.isfinite(v)}, omitted


def _ranks(values: Floats) -> Floats:
    """Ranks (N,) of mean 0 and variance about 1."""
    ranks = mid_ranks(dense_ranks(values)[None])[0]
    scaled: Floats = np.sqrt(12) * ((ranks - 0.5) / len(ranks) - 0.5)
    return scaled


def _fitted(ranks: Floats, worth: Floats) -> Any:
    require("sklearn", "search", "Blending scores")
    from sklearn.linear_model import RidgeCV

    return RidgeCV(alphas=_PENALTIES).fit(ranks, worth)


def _drawn(n: int, folds: int, repeats: int, seed: int) -> Iterator[list[NDArray[np.intp]]]:
    """Folds of at least two of n architectures, drawn anew for each repeat."""
    rng = np.random.default_rng(seed)
    for _ in range(repeats):
        yield np.array_split(rng.permutation(n), min(folds, n // 2))


def _held_out(ranks: Floats, worth: Floats, drawn: Sequence[Sequence[NDArray[np.intp]]]) -> float:
    """τ of predictions of folds by fits to the others."""
    counts = np.zeros(3)
    for folds in drawn:
        for fold in folds:
            rest = np.setdiff1d(np.arange(len(worth)), fold)
            counts += _pairs(_fitted(ranks[rest], worth[rest]).predict(ranks[fold]), worth[fold])
    return _of_pairs(counts)


def _tau(values: Floats, worth: Floats, drawn: Sequence[Sequence[NDArray[np.intp]]]) -> float:
    """τ of scores over the same pairs."""
    return _of_pairs(sum((_pairs(values[fold], worth[fold]) for folds in drawn for fold in folds), np.zeros(3)))


def _pairs(predicted: Floats, worth: Floats) -> Floats:
    """Concordant less discordant pairs, pairs that differ in the prediction, pairs that differ in truth."""
    above = np.triu_indices(len(worth), 1)
    one, other = (np.sign(np.subtract.outer(values, values))[above] for values in (predicted, worth))
    return np.asarray([(one * other).sum(), np.abs(one).sum(), np.abs(other).sum()])


def _of_pairs(counts: Floats) -> float:
    return float(counts[0] / np.sqrt(max(counts[1] * counts[2], 1.0)))
