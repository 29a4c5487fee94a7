"""One measure of a supernet's ranking, beside the same measure of baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from supernet.errors import UsageError
from supernet.rank.checks import UndefinedError
from supernet.rank.evidence import Draws, Estimate, Resamples, by_chance, contrast, summarise, undefined
from supernet.rank.measures import Measure

Verdict = Literal["beats", "does not beat", "is worse than"]


@dataclass(frozen=True)
class Comparison:
    """One measure of the supernet and of the baselines, on the same architectures.

    Attributes:
        measure: The measure that all figures are of.
        supernet: The figure of the supernet.
        random: The figure that random orders of the supernet's scores reach.
        baselines: The figure of each baseline, by its name.
        differences: Supernet minus baseline, with a paired interval.
    """

    measure: Measure
    supernet: Estimate
    random: Estimate
    baselines: Mapping[str, Estimate]
    differences: Mapping[str, Estimate]

    def verdict(self, baseline: str) -> Verdict | None:
        """Whether the interval of the difference excludes 0, and on which side; None where there is no interval.

        Raises:
            UsageError: no such baseline.
        """
        if baseline not in self.differences:
            raise UsageError(
                f"There is no baseline {baseline!r}; there are {', '.join(map(repr, self.differences)) or 'none'}."
            )
        difference = self.differences[baseline]
        if difference.low is None or difference.high is None:
            return None
        low, high = difference.low, difference.high
        if not self.measure.higher_is_better:
            low, high = -high, -low
        return "beats" if low > 0 else "is worse than" if high < 0 else "does not beat"

    def sentence(self, baseline: str) -> str:
        """The verdict in words, with the figures.

        Raises:
            UsageError: no such baseline, or a measure without interval.
        """
        verdict: str | None = self.verdict(baseline)
        if reason := self.differences[baseline].reason:
            return f"This supernet cannot be compared with {baseline}: {reason}"
        if verdict is None:
            raise UsageError(f"{self.measure.label} has no interval, so there is no verdict on it; see its p_value.")
        difference = self.differences[baseline].value
        if verdict == "does not beat" and (difference > 0 if self.measure.higher_is_better else difference < 0):
            verdict = "is not shown to beat"  # better as measured, by less than the interval
        figures = f"{self.measure.symbol} {self.supernet} against {self.baselines[baseline]}"
        return f"This supernet {verdict} {baseline} ({figures})."

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row per ranking, for a CSV file."""
        yield _row(self.measure.name, "supernet", self.supernet)
        yield _row(self.measure.name, "random order", self.random)
        for name, estimate in self.baselines.items():
            difference = self.differences[name]
            yield _row(self.measure.name, name, estimate) | {
                "difference": difference.value if difference.defined else None,
                "difference_low": difference.low,
                "difference_high": difference.high,
                "verdict": self.verdict(name),
            }

    def to_json(self) -> dict[str, Any]:
        """All figures and verdicts."""
        return {
            "measure": self.measure.name,
            "label": self.measure.label,
            "higher_is_better": self.measure.higher_is_better,
            "supernet": self.supernet.to_json(),
            "random": self.random.to_json(),
            "baselines": {name: estimate.to_json() for name, estimate in self.baselines.items()},
            "differences": {name: estimate.to_json() for name, estimate in self.differences.items()},
            "verdicts": {name: self.verdict(name) for name in self.differences},
        }


def compare(
    measure: Measure,
    ours: Draws | UndefinedError,
    theirs: Mapping[str, Draws | UndefinedError],
    plan: Resamples,
) -> Comparison:
    """Compare the supernet with baselines, all drawn on the same resamples; what is undefined says why."""

    def figure(make: Callable[..., Estimate], *drawn: Draws | UndefinedError, **options: bool) -> Estimate:
        try:
            for error in drawn:
                if isinstance(error, UndefinedError):
                    raise error
            return make(*drawn, plan, measure.label, **options)
        except UndefinedError as error:
            return undefined(str(error), plan)

    better = measure.higher_is_better
    return Comparison(
        measure,
        figure(summarise, ours, higher_is_better=better),
        figure(by_chance, ours),
        {name: figure(summarise, drawn, higher_is_better=better) for name, drawn in theirs.items()},
        {name: figure(contrast, ours, drawn) for name, drawn in theirs.items()},
    )


def _row(measure: str, ranking: str, estimate: Estimate) -> dict[str, Any]:
    return {
        "measure": measure,
        "ranking": ranking,
        "value": estimate.value if estimate.defined else None,
        "low": estimate.low,
        "high": estimate.high,
        "p_value": estimate.p_value,
        "std": estimate.std,
        "trainings": len(estimate.trainings),
        "n": estimate.n,
        "reason": estimate.reason or None,
    }
