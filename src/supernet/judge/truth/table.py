"""Ground truth: a metric of architectures that were trained alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supernet.errors import UsageError
from supernet.measure.quantity import ACCURACY, Quantity
from supernet.rank.noise import NoiseCeiling, noise_ceiling
from supernet.rank.strata import one_per_stratum
from supernet.space import Arch, Codes, Space

if TYPE_CHECKING:
    from supernet.judge.truth.nasbench201 import DataSet, Metric

Floats = NDArray[np.float64]
Array = TypeVar("Array", bound=NDArray[np.generic])


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Table:
    """A metric by architecture, for some or all architectures of a space. Never changes.

    Architectures are known by their decisions: a table of NAS-Bench-201 serves every supernet of that space,
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
    >>> table = Table.of(archs, [[0.90, 0.92], [0.95, 0.93]])
    >>> table
    Table(2 of 3 architectures, accuracy, 2 seeds)
    >>> table.lookup(archs).round(2).tolist(), space.arch({"kernel": 5}) in table
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
            raise UsageError("The table is empty; give at least one architecture.")
        values = np.asarray(self.values, dtype=np.float64)
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or len(values) != len(archs) or values.shape[1] == 0:
            raise UsageError(
                f"A table of {len(archs)} architectures needs values of shape ({len(archs)}, seeds); "
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
    ) -> Table:
        """The table of these architectures; see the class for arguments and errors."""
        if not archs:
            raise UsageError("The table is empty; give at least one architecture.")
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
        return f"Table({len(self):,} of {self.space.size:,} architectures, {self.metric.name}, {seeds}{source})"

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
                f"The table has no {self.metric.name} of {archs[rows.index(-1)]!r} ({rows.count(-1)} of "
                f"{len(archs)} architectures are missing; it holds {len(self):,}). Ask only for architectures that "
                "are `in` the table, or add these to it."
            )
        return np.asarray(rows, dtype=np.int64)

    # -- other tables -----------------------------------------------------------------------------------

    def subset(self, archs: Sequence[Arch]) -> Table:
        """Only these architectures, in this order.

        Raises:
            UsageError: one is missing, or there is none.
        """
        return self._take(self._find(archs))

    def sample(self, n: int, rng: np.random.Generator, *, stratify: bool = True, by: ArrayLike | None = None) -> Table:
        """`n` different architectures at random.

        Args:
            n: How many.
            rng: Source of randomness.
            stratify: Whether to draw one from each of `n` equally large strata, from the lowest values to the
                highest, so that a small sample spans the whole range; otherwise all are equally likely.
            by: What the strata are of, (N,), such as parameter counts; default: the mean metric.

        Raises:
            UsageError: more than the table holds, fewer than one, or `by` does not fit.
        """
        if not 1 <= n <= len(self):
            raise UsageError(f"{n} architectures cannot be drawn from a table of {len(self)}.")
        if not stratify:
            if by is not None:
                raise UsageError("stratify=False has no use for `by`; leave one of them out.")
            return self._take(rng.choice(len(self), size=n, replace=False))
        values = self.mean if by is None else np.asarray(by, dtype=np.float64)
        if values.shape != (len(self),) or not np.isfinite(values).all():
            raise UsageError(
                f"The strata of a table of {len(self)} architectures need that many finite numbers; "
                f"`by` has shape {values.shape}."
            )
        return self._take(one_per_stratum(values, n, rng))

    def merge(self, other: Table) -> Table:
        """The architectures and trainings of both.

        Columns of the same name are the same training: where both tables have it, they must agree.

        Raises:
            UsageError: another space or metric, or different values for the same training.
        """
        if other.metric != self.metric:
            raise UsageError(f"A table of {self.metric} cannot be merged with one of {other.metric}.")
        codes = self.space.codes([*self.archs, *other.archs])
        order = {tuple(code): place for place, code in enumerate(dict.fromkeys(map(tuple, codes.tolist())))}
        seeds = tuple(dict.fromkeys([*self.seeds, *other.seeds]))
        values = np.full((len(order), len(seeds)), np.nan)
        for table in (self, other):
            places = np.ix_([order[code] for code in table._rows], [seeds.index(seed) for seed in table.seeds])
            there, new = values[places], table.values
            if (clash := np.argwhere((there != new) & ~np.isnan(there) & ~np.isnan(new))).size:
                row, column = clash[0]
                raise UsageError(
                    f"The tables disagree on {table.archs[row]!r}, seed {table.seeds[column]}: {there[row, column]} "
                    f"and {new[row, column]}. Rename the seeds if these are different trainings."
                )
            values[places] = np.where(np.isnan(new), there, new)
        source = "; ".join(dict.fromkeys(filter(None, (self.source, other.source))))
        return replace(self, codes=np.asarray(list(order), dtype=np.int16), values=values, seeds=seeds, source=source)

    def _take(self, rows: NDArray[np.int64]) -> Table:
        return replace(self, codes=self.codes[rows], values=self.values[rows])

    # -- published tables -------------------------------------------------------------------------------

    @classmethod
    def nasbench201(
        cls,
        dataset: DataSet = "cifar10",
        metric: Metric = "val_acc",
        *,
        source: Path | str | None = None,
        epochs: int = 200,
    ) -> Table:
        """NAS-Bench-201, see `supernet.judge.truth.nasbench201.nasbench201_table`."""
        from supernet.judge.truth.nasbench201 import nasbench201_table

        return nasbench201_table(dataset, metric, source=source, epochs=epochs)

    @classmethod
    def nasbench201_digits(cls) -> Table:
        """NAS-Bench-201 topologies on digits, see `supernet.judge.truth.digits.digits_table`."""
        from supernet.judge.truth.digits import digits_table

        return digits_table()

    @classmethod
    def natsbench_size(
        cls, dataset: DataSet = "cifar10", metric: Metric = "val_acc", *, source: Path | str, epochs: int = 90
    ) -> Table:
        """The size space of NATS-Bench, see `supernet.judge.truth.natsbench_size.natsbench_size_table`."""
        from supernet.judge.truth.natsbench_size import natsbench_size_table

        return natsbench_size_table(dataset, metric, source=source, epochs=epochs)

    @classmethod
    def nasbench_macro(cls, source: Path | str) -> Table:
        """NAS-Bench-Macro, see `supernet.judge.truth.nasbench_macro.nasbench_macro_table`."""
        from supernet.judge.truth.nasbench_macro import nasbench_macro_table

        return nasbench_macro_table(source)

    # -- files ------------------------------------------------------------------------------------------

    def to_csv(self, path: Path | str) -> None:
        """Write the table as CSV, atomically; `read` reads it back, bit for bit.

        Raises:
            RunError: the file cannot be written.
        """
        from supernet.judge.truth.table_csv import write_csv

        write_csv(self, Path(path))

    @classmethod
    def read(cls, path: Path | str, space: Space, *, metric: Quantity | None = None) -> Table:
        """Read a CSV file, or the growing `.jsonl` file of `retrain`.

        The columns of the CSV file are `arch`, the metric, and perhaps `seed …` for the single trainings. An
        architecture is the benchmark's own string, JSON, or `choice=option;choice=option`.

        Args:
            path: The file.
            space: The space of its architectures.
            metric: What is measured; default: what the file says of itself, else its column's name, more is better.

        Raises:
            UsageError: there is no such file, or it is about other architectures or another metric.
            RunError: the file is damaged; names the line.
        """
        from supernet.judge.truth.table_csv import read_csv
        from supernet.judge.truth.table_file import read_table_file

        path = Path(path)
        if not path.is_file():
            raise UsageError(f"There is no file {path}; give a table as .csv, or the .jsonl of a retraining.")
        if path.suffix == ".jsonl":
            return read_table_file(path, space, metric=metric)
        return read_csv(path, space, metric=metric)


def _check_values(archs: Sequence[Arch], values: Floats) -> None:
    if np.isinf(values).any():
        row = int(np.isinf(values).any(axis=1).argmax())
        raise UsageError(
            f"The values of {archs[row]!r} are {values[row].tolist()}; a table holds finite numbers, and NaN for a "
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
