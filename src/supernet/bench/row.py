"""The trainings of one cell of a comparison: its figures, and its verdict beside another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from supernet.bench.finished import FinishedRun, settings
from supernet.bench.words import counted, signed, signed_interval
from supernet.judge.report_rows import MASS
from supernet.quantity import Quantity
from supernet.rank.evidence import Estimate
from supernet.rank.measures import RHO, TAU, regret_at, tau_in_true_top, top_id

TOP_TAU, TOP_ID, REGRET = tau_in_true_top(0.2), top_id(0.05), regret_at(1)
MEASURES = {TAU: "τ", TOP_TAU: "τ in top 20 %", RHO: "ρ", TOP_ID: "top-5 % ID", REGRET: "favourite"}
"""What is measured of rankings, with the titles of the columns."""
FREE = "parameter count"
"""The ranking that costs nothing and is compared with."""
ADDED = "added_tau with parameter count"
DERIVED = {"derived_true": "derived", "derived_rank": "its rank", "derived_regret": "its regret"}
"""What is known of the architectures that methods have derived, with the titles of the columns."""
LEARNED = {MASS: "top-5 % drawn", **DERIVED}
"""What is known of methods with architecture weights: besides, how likely these draw the best."""
RANDOM = "random order"
"""Name of the row of random orders, whose favourite is a random architecture."""


def found_of(score: Quantity) -> str:
    """Name of the only figure of runs that were searched and not judged: the best score that was found."""
    return f"found_{score.name}"


@dataclass(frozen=True)
class PairedT:
    """A paired t-test (two-sided) of one figure over the seeds that two cells share.

    Attributes:
        seeds: The seeds that both cells have.
        mean: Mean difference over these seeds.
        std: Standard deviation of the differences.
        p_value: Two-sided p-value of a mean difference of 0.
    """

    seeds: tuple[int, ...]
    mean: float
    std: float
    p_value: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Row:
    """The trainings of one cell.

    Attributes:
        name: Name of the cell.
        runs: The runs of the cell, one per seed.
        figures: Mean, spread and interval (over architectures and trainings) of each measure, by its name; and where
            all runs have them, the figures of architecture weights and derived architectures by the names in `LEARNED`.
        minus_baseline: The same, minus the baseline cell, on the same architectures; empty for the baseline.
        minus_free: Kendall's τ minus that of each ranking that costs nothing.
        added: Kendall's τ of the ranks of supernet and parameter count added; None where nothing was ranked.
        paired: Test over the seeds that both cells have, from three on.
        changes: Settings in which the cell differs from the baseline cell, or from the first.
    """

    name: str
    runs: Sequence[FinishedRun]
    figures: Mapping[str, Estimate]
    minus_baseline: Mapping[str, Estimate]
    minus_free: Mapping[str, Estimate]
    added: Estimate | None
    paired: PairedT | None
    changes: Mapping[str, Any]

    @property
    def seeds(self) -> list[int]:
        """Seeds of the runs."""
        return [run.seed for run in self.runs]

    def mean(self, what: str) -> float | None:
        """The mean of something that its runs spent; None where it is not known of all."""
        values = [value for run in self.runs if (value := getattr(run.spent, what)) is not None]
        return sum(values) / len(values) if len(values) == len(self.runs) else None

    def against(self, baseline: Row) -> str:
        """The verdict beside the baseline cell, in words."""
        ours, theirs = len(self.runs), len(baseline.runs)
        rests = f"{counted(ours, 'seed')} each" if ours == theirs else f"{ours} and {counted(theirs, 'seed')}"
        if self.paired is not None:
            rests += f"; paired t over {counted(len(self.paired.seeds), 'seed')}: p = {self.paired.p_value:.2g}"
        if min(ours, theirs) == 1:
            rests += "; other seeds may say otherwise"
        if TAU.name not in self.figures:
            score = self.runs[0].score
            found = found_of(score)
            gap = self.figures[found].value - baseline.figures[found].value
            much = f"{signed(100 * gap)} %" if score.share else f"{gap:+.3g} {score.unit}".rstrip()
            more = " (less is better)" if score.goal == "min" else ""
            return f"{self.name} found {much} of {score.name}{more} compared with {baseline.name} ({rests})."
        difference = self.minus_baseline[TAU.name]
        said = verdict(difference, "ranks better than", "ranks worse than", "is not shown to rank otherwise than")
        return f"{self.name} {said} {baseline.name}: τ {signed_interval(difference)} ({rests})."

    def to_json(self) -> dict[str, Any]:
        """All of it; the figures of a single run are in the order of `trainings`."""
        each = {name: estimate.trainings for name, estimate in self.figures.items() if estimate.trainings}
        return {
            "name": self.name,
            "settings": settings(self.runs[0].config),
            "changes": dict(self.changes),
            "figures": as_json(self.figures),
            "minus_baseline": as_json(self.minus_baseline),
            "minus_free": as_json(self.minus_free),
            "added": None if self.added is None else self.added.to_json(),
            "paired_t": None if self.paired is None else asdict(self.paired),
            "runs": [
                {
                    "path": str(run.path),
                    "seed": run.seed,
                    "figures": {name: trainings[place] for name, trainings in each.items()},
                    "spent": asdict(run.spent),
                }
                for place, run in enumerate(self.runs)
            ],
        }


def verdict(difference: Estimate, better: str, worse: str, neither: str) -> str:
    """The words that the interval of a difference allows."""
    if difference.low is None or difference.high is None:
        return neither
    return better if difference.low > 0 else worse if difference.high < 0 else neither


def as_json(figures: Mapping[str, Estimate]) -> dict[str, Any]:
    """Estimates by name, for a file."""
    return {name: estimate.to_json() for name, estimate in figures.items()}
