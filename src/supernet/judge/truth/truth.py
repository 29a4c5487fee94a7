"""Ground truth: a metric of architectures that were trained alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supernet.errors import UsageError
from supernet.quantity import ACCURACY, Quantity
from supernet.rank.checks import Floats
from supernet.rank.noise import NoiseCeiling, noise_ceiling
from supernet.space import Arch, Codes, Space

Array = TypeVar("Array", bound=NDArray[np.generic])


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Truth:
    """What architectures are worth: a metric of each, for some or all architectures of a space. Never changes.

    Architectures are known by their decisions: the truth of NAS-Bench-201 serves every supernet of that space,
    whatever its width and depth. Decisions that differ are different rows, also where they compute the same.

    Args:
        space: The space.
        codes: The architectures, a population (N, D).
        values: The metric, one column per training of the architecture: (N, S), or (N,) for one. NaN: no such
            training.
        metric: Name, unit and direction of the metric.
        source: Where the values come from, for reports.
        seeds: Names of the columns; default: 0, 1, ….

    Raises:
        UsageError: shapes that do not fit, no architecture at all, one with two different values or with none, or
            an infinite value.

    >>> from supernet import Choice
    >>> space = Space([Choice("kernel", (3, 5, 7))])
    >>> archs = [space.arch({"kernel": k}) for k in (3, 7)]
    >>> truth = Truth.of(archs, [[0.90, 0.92], [0.95, 0.93]])
    >>> truth
    Truth(2 of 3 architectures, accuracy, 2 seeds)
    >>> truth.lookup(archs).round(2).tolist(), space.arch({"kernel": 5}) in truth
    ([0.91, 0.94], False)
    """

    space: Space
    codes: Codes
    values: Floats
    metric: Quantity = ACCURACY
    source: str = ""
    seeds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        archs = self.space.wrap(self.codes)
        if not archs:
            raise UsageError("The truth is empty; give at least one architecture.")
        values = np.asarray(self.values, dtype=np.float64)
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or len(values) != len(archs) or values.shape[1] == 0:
            raise UsageError(
                f"The truth about {len(archs)} architectures needs values of shape ({len(archs)}, seeds); "
                f"got {np.shape(self.values)}."
            )
        seeds = tuple(self.seeds) or tuple(map(str, range(values.shape[1])))
        if len(seeds) != values.shape[1] or len(set(seeds)) < len(seeds):
            raise UsageError(
                f"The values have {values.shape[1]} columns, which are named {', '.join(seeds)}; "
                "give each column a name of its own."
            )
        _check_values(archs, values)
        rows = _first_rows(archs, values)
        object.__setattr__(self, "codes", _frozen(self.space.codes([archs[row] for row in rows])))
        object.__setattr__(self, "values", _frozen(values[rows]))
        object.__setattr__(self, "seeds", seeds)

    @classmethod
    def of(
        cls,
        archs: Sequence[Arch],
        values: ArrayLike,
        *,
        metric: Quantity = ACCURACY,
        source: str = "",
        seeds: Sequence[str] = (),
    ) -> Truth:
        """The truth about these architectures; see the class for arguments and errors."""
        if not archs:
            raise UsageError("The truth is empty; give at least one architecture.")
        space, found = archs[0].space, np.asarray(values, dtype=np.float64)
        codes = space.codes(archs)
        return cls(space=space, codes=codes, values=found, metric=metric, source=source, seeds=tuple(seeds))

    # -- asking -----------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.codes)

    def __contains__(self, arch: object) -> bool:
        return isinstance(arch, Arch) and arch.space.fingerprint == self.space.fingerprint and arch.code in self._rows

    def __repr__(self) -> str:
        seeds = "1 seed" if len(self.seeds) == 1 else f"{len(self.seeds)} seeds"
        source = f"; {self.source}" if self.source else ""
        return f"Truth({len(self):,} of {self.space.size:,} architectures, {self.metric.name}, {seeds}{source})"

    @cached_property
    def _rows(self) -> dict[tuple[int, ...], int]:
        return {tuple(code): row for row, code in enumerate(self.codes.tolist())}

    @property
    def archs(self) -> list[Arch]:
        """The architectures, row by row."""
        return self.space.wrap(self.codes)

    @cached_property
    def mean(self) -> Floats:
        """Mean (N,) of the metric over the trainings of each architecture."""
        return _frozen(np.nanmean(self.values, axis=1))

    def lookup(self, archs: Sequence[Arch]) -> Floats:
        """Means (n,) for these architectures.

        Raises:
            UsageError: one is missing, or is of another space.
        """
        return self.mean[self._find(archs)]

    def trainings(self, archs: Sequence[Arch]) -> Floats:
        """The single trainings (n, S) of these architectures; NaN where there is none.

        Raises:
            UsageError: an architecture is missing, or is of another space.
        """
        return self.values[self._find(archs)]

    def noise_ceiling(self) -> NoiseCeiling:
        """How far trainings of the same architectures agree: what no ranking can be expected to beat.

        Raises:
            UsageError: fewer than two trainings, or fewer than three architectures that have them.
        """
        return noise_ceiling(self.values)

    def _find(self, archs: Sequence[Arch]) -> NDArray[np.int64]:
        self.space.codes(archs)  # refuses another space
        rows = [self._rows.get(arch.code, -1) for arch in archs]
        if -1 in rows:
            raise UsageError(
                f"The truth has no {self.metric.name} of {archs[rows.index(-1)]!r} ({rows.count(-1)} of "
                f"{len(archs)} architectures are missing; it holds {len(self):,}). Ask only for architectures that "
                "are `in` it, or add these to it."
            )
        return np.asarray(rows, dtype=np.int64)

    # -- other truths ----------------------------------------------------------------------------------

    def subset(self, archs: Sequence[Arch]) -> Truth:
        """Only these architectures, in this order.

        Raises:
            UsageError: one is missing, or there is none.
        """
        return self._take(self._find(archs))

    def sample(self, n: int, rng: np.random.Generator, *, stratify: bool = True, by: ArrayLike | None = None) -> Truth:
        """`n` different architectures at random.

        Args:
            n: Number of architectures to draw.
            rng: The generator that they are drawn with.
            stratify: Whether to draw one from each of `n` equally large strata, from the lowest values to the
                highest, so that a small sample spans the whole range; otherwise all are equally likely.
            by: Values (N,) that the strata are made of, such as parameter counts; None: the mean metric.

        Raises:
            UsageError: more than there are, fewer than one, or `by` does not fit.
        """
        if not 1 <= n <= len(self):
            raise UsageError(f"{n} architectures cannot be drawn out of {len(self)}; ask for 1 to {len(self)}.")
        if not stratify:
            if by is not None:
                raise UsageError("stratify=False has no use for `by`; leave one of them out.")
            return self._take(rng.choice(len(self), size=n, replace=False))
        values = self.mean if by is None else np.asarray(by, dtype=np.float64)
        if values.shape != (len(self),) or not np.isfinite(values).all():
            raise UsageError(
                f"The strata of {len(self)} architectures need that many finite numbers; `by` has shape {values.shape}."
            )
        return self._take(one_per_stratum(values, n, rng))

    def merge(self, other: Truth) -> Truth:
        """The architectures and trainings of both.

        Columns of the same name are the same training: where both have it, they must agree.

        Raises:
            UsageError: another space or metric, or different values for the same training.
        """
        if other.metric != self.metric:
            raise UsageError(f"The truth about {self.metric} cannot be merged with that about {other.metric}.")
        codes = self.space.codes([*self.archs, *other.archs])
        order = {tuple(code): place for place, code in enumerate(dict.fromkeys(map(tuple, codes.tolist())))}
        seeds = tuple(dict.fromkeys([*self.seeds, *other.seeds]))
        values = np.full((len(order), len(seeds)), np.nan)
        for truth in (self, other):
            places = np.ix_([order[code] for code in truth._rows], [seeds.index(seed) for seed in truth.seeds])
            there, new = values[places], truth.values
            if (clash := np.argwhere((there != new) & ~np.isnan(there) & ~np.isnan(new))).size:
                row, column = clash[0]
                raise UsageError(
                    f"The two disagree on {truth.archs[row]!r}, seed {truth.seeds[column]}: {there[row, column]} "
                    f"and {new[row, column]}. Rename the seeds if these are different trainings."
                )
            values[places] = np.where(np.isnan(new), there, new)
        source = "; ".join(dict.fromkeys(filter(None, (self.source, other.source))))
        return replace(self, codes=np.asarray(list(order), dtype=np.int16), values=values, seeds=seeds, source=source)

    def _take(self, rows: NDArray[np.int64]) -> Truth:
        return replace(self, codes=self.codes[rows], values=self.values[rows])


def one_per_stratum(values: Floats, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """One row (n,) from each of n strata of values (N,), N ≥ n, from the lowest stratum to the highest.

    Strata hold equally many rows, up to one. Equal values fall into strata at random.
    """
    shuffled = rng.permutation(len(values))
    ordered = shuffled[np.argsort(values[shuffled], kind="stable")]
    return np.asarray([rng.choice(stratum) for stratum in np.array_split(ordered, n)], dtype=np.int64)


def _check_values(archs: Sequence[Arch], values: Floats) -> None:
    if np.isinf(values).any():
        row = int(np.isinf(values).any(axis=1).argmax())
        raise UsageError(
            f"The values of {archs[row]!r} are {values[row].tolist()}; the truth holds finite numbers, and NaN for a "
            "training that is missing."
        )
    if (missing := np.isnan(values).all(axis=1)).any():
        raise UsageError(
            f"{archs[int(missing.argmax())]!r} has no value at all ({missing.sum()} architectures have none); "
            "leave such architectures out."
        )


def _first_rows(archs: Sequence[Arch], values: Floats) -> list[int]:
    """The first row of every architecture, where later ones say the same."""
    rows: dict[tuple[int, ...], int] = {}
    for row, arch in enumerate(archs):
        first = rows.setdefault(arch.code, row)
        if not np.array_equal(values[first], values[row], equal_nan=True):
            raise UsageError(
                f"{arch!r} is given twice, in rows {first} and {row}, with different values: "
                f"{values[first].tolist()} and {values[row].tolist()}. Keep one, or give them as two seeds of one row."
            )
    return list(rows.values())


def _frozen(array: Array) -> Array:
    array.setflags(write=False)
    return array
