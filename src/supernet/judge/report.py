"""Is the supernet's ranking right? Everything about one ranking in one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from supernet.errors import UsageError
from supernet.io.schema import Standing
from supernet.judge import derived as derivations
from supernet.judge import figures, report_rows, words
from supernet.judge.clusters import Clusters
from supernet.judge.measuring import Drawn, drawn, measures_of, partial_tau
from supernet.quantity import ACCURACY, TRUE_SCORE, Quantity
from supernet.rank.checks import Floats, UndefinedError, check_same_length, scores
from supernet.rank.comparison import Comparison, compare
from supernet.rank.curves import Curves, mass_curves, top_id_curves
from supernet.rank.evidence import (
    Estimate,
    number,
    resamples,
    trainings,
)
from supernet.rank.measures import (
    TAU,
    Measure,
    dense_ranks,
    mid_ranks,
)
from supernet.space import Arch

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_COMBINED = {
    "beats": "rank better than",
    "does not beat": "are not shown to rank better than",
    "is worse than": "rank worse than",
}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class RankReport:
    """How right a ranking is, by several measures, with intervals, beside baselines.

    Attributes:
        n: Number of architectures N.
        seeds: Seeds, or names, of the trainings (S,).
        confidence: Nominal coverage of all intervals, in (0, 1).
        n_bootstrap: Number of resamples and of random orders that were drawn.
        comparisons: One per measure; Kendall's τ is the first.
        partial: Per baseline Kendall's partial τ of the supernet given that baseline.
        combined: Per baseline Kendall's τ of the supernet's and that baseline's ranks added (`add_ranks`), compared
            with the baseline alone.
        omitted: What is not in the report, each with the reason: measures that N architectures do not support,
            sampling mass, clusters and the derived architecture where they were asked for and are not possible.
        top_id: Top-architecture ID rate over k.
        mass: Sampling mass over k, where sampling probabilities were given.
        clusters: Families of similar architectures, where they were given.
        predicted: The supernet's scores (S, N).
        true: The true scores (N,).
        baselines: The baselines' scores (N,).
        archs: The architectures (N,), where they are known.
        derived: Where the architecture that the method itself derived stands, see `standing`; None where there is none.
        metric: What `true` is. Where less of it is better, the sign of `true` is turned; files and sentences have it
            as people know it.
        score: What `predicted` is, with the sign turned likewise.
    """

    n: int
    seeds: tuple[int | str, ...]
    confidence: float
    n_bootstrap: int
    comparisons: tuple[Comparison, ...]
    partial: Mapping[str, Estimate]
    combined: Mapping[str, Comparison]
    omitted: Mapping[str, str]
    top_id: Curves
    mass: Curves | None
    clusters: Clusters | None
    predicted: Floats
    true: Floats
    baselines: Mapping[str, Floats]
    archs: tuple[Arch, ...] = ()
    derived: Standing | None = None
    metric: Quantity = TRUE_SCORE
    score: Quantity = ACCURACY

    @classmethod
    def of(
        cls,
        predicted: ArrayLike,
        true: ArrayLike,
        *,
        baselines: Mapping[str, ArrayLike],
        seeds: Sequence[int | str] | None = None,
        archs: Sequence[Arch] = (),
        probabilities: ArrayLike | None = None,
        clusters: Clusters | None = None,
        shares: Sequence[float] = (0.05, 0.1, 0.2),
        picks: int = 10,
        n_bootstrap: int = 1000,
        seed: int = 0,
        confidence: float = 0.95,
    ) -> RankReport:
        """Judge scores against the truth, beside baselines.

        Higher scores are better, predicted and true alike; negate a loss.

        Args:
            predicted: The supernet's scores (N,), or (S, N) of S trainings with different seeds.
            true: True scores (N,) of the same architectures.
            baselines: Scores (N,) that cost nothing, such as `{"parameter count": params, "MACs": macs}`. A random
                order is always among the figures.
            seeds: Seeds or names of the S trainings; 0 … S − 1 by default.
            archs: The architectures (N,), to be kept with the scores.
            probabilities: Sampling probabilities (N,) or (S, N), where these N architectures are the whole space.
            clusters: Families of similar architectures, as `specialisation` finds them, to be shown in the report.
            shares: Shares of the best that the ID rate, P@k, nDCG and the τ within the top are taken for.
            picks: Numbers k for N@k and for the regret of the predicted top k; at most N.
            n_bootstrap: Number of resamples and random orders; fewer for more than 3,000 architectures, see
                `supernet.rank.evidence`.
            seed: The seed of the resamples and of the random orders.
            confidence: Nominal coverage of all intervals, in (0, 1).

        Raises:
            UsageError: scores that are not usable, lists of different length, an option out of range.
        """
        rows, truth = trainings(predicted, "predicted"), scores(true, "true", constant=True)
        check_same_length(rows[0], truth, "predicted", "true")
        controls = {name: scores(values, name, constant=True) for name, values in baselines.items()}
        for name, values in controls.items():
            check_same_length(values, truth, name, "true")
        names = tuple(range(len(rows))) if seeds is None else tuple(seeds)
        if len(names) != len(rows):
            raise UsageError(f"{len(names)} seeds were given for {len(rows)} trainings; give one per row of predicted.")
        plan = resamples(len(truth), n_bootstrap=n_bootstrap, seed=seed, confidence=confidence)
        chosen, omitted = measures_of(len(truth), shares, picks)
        mass = None
        if probabilities is not None:
            try:
                mass = mass_curves({"supernet": np.atleast_2d(probabilities)}, truth)
            except UndefinedError as error:
                omitted["mass"] = str(error)

        def both(measure: Measure) -> tuple[Drawn, dict[str, Drawn]]:
            of_controls = {name: drawn(measure, values[None], truth, plan, name) for name, values in controls.items()}
            return drawn(measure, rows, truth, plan, "predicted"), of_controls

        tau, tau_of = both(TAU)
        partial, combined = {}, {}
        for name, control in controls.items():
            partial[name] = partial_tau(tau, drawn(TAU, rows, control, plan, "predicted"), tau_of[name], plan, name)
            ranked = mid_ranks(np.stack([dense_ranks(row) for row in (control, *rows)]))
            added = drawn(TAU, ranked[1:] + ranked[0], truth, plan, "added")
            lacking = next((found for found in (tau, tau_of[name]) if isinstance(found, UndefinedError)), added)
            combined[name] = compare(TAU, lacking, {name: tau_of[name]}, plan)
        return cls(
            n=len(truth),
            seeds=names,
            confidence=confidence,
            n_bootstrap=len(plan.bootstrap),
            comparisons=(compare(TAU, tau, tau_of, plan), *(compare(m, *both(m), plan) for m in chosen)),
            partial=partial,
            combined=combined,
            omitted=omitted,
            top_id=top_id_curves({"supernet": rows} | {name: values[None] for name, values in controls.items()}, truth),
            mass=mass,
            clusters=clusters,
            predicted=rows,
            true=truth,
            baselines=controls,
            archs=tuple(archs),
        )

    def __getitem__(self, measure: str) -> Comparison:
        """The comparison of the measure with this name, such as `"kendall_tau"`.

        Raises:
            UsageError: it was not computed; says why if it was omitted.
        """
        for comparison in self.comparisons:
            if comparison.measure.name == measure:
                return comparison
        names = ", ".join(comparison.measure.name for comparison in self.comparisons)
        raise UsageError(f"{self.omitted.get(measure, f'There is no measure {measure!r}.')} There are {names}.")

    def __repr__(self) -> str:
        return f"RankReport({self.n} architectures, {len(self.seeds)} trainings, τ {self['kendall_tau'].supernet})"

    def verdict(self) -> str:
        """One line in plain words: can this ranking be trusted to pick among these architectures, and how far?"""
        within = next((c for c in reversed(self.comparisons) if c.measure.name.startswith("tau_in_true_top")), None)
        regret, favourite = self["regret@1"].supernet, ""
        side = "above" if self.metric.goal == "min" else "below"
        if regret.defined:
            where = f"{regret.value:.3g} {side} the best" if regret.value > 0 else "the best"
            favourite = f"; its favourite is {where} of all {self.n}"
        ranking = words.RANKING if self.score.name == ACCURACY.name else f"{words.RANKING} by {self.score.name}"
        return words.verdict(self["kendall_tau"], within, self.combined, favourite, ranking=ranking)

    def sentences(self) -> list[str]:
        """The statistics behind the verdict, sentence by sentence, each baseline first."""
        tau = self["kendall_tau"]
        derived = [] if self.derived is None else [derivations.sentence(self.derived)]
        if not tau.supernet.defined:
            return [*derived, f"Kendall τ is undefined: {tau.supernet.reason}", *self._rests()]
        found = derived + [tau.sentence(name) for name in self.baselines]
        p = tau.supernet.p_value
        if p is not None:
            said = "ranks better than a random order" if p <= 1 - self.confidence else "may be a random order"
            found.append(f"It {said} (τ {tau.supernet}, p = {p:.2g}, {self.n_bootstrap} random orders).")
        found += [
            f"Beyond {name} it agrees with the true ranking by a partial τ of {estimate}."
            for name, estimate in self.partial.items()
            if estimate.defined
        ]
        for name, comparison in self.combined.items():
            if comparison.supernet.defined:
                said = _COMBINED[comparison.verdict(name) or "does not beat"]
                figures = f"τ {comparison.supernet} against {comparison.baselines[name]}"
                found.append(f"Its ranks and those of {name}, added, {said} {name} alone ({figures}).")
        lost, rank = self["regret@1"].supernet.value, self["best_rank@1"].supernet.value
        best = float(self.true.max())
        mean = " on average" if len(self.seeds) > 1 else ""
        reached, at_best = (f"{self.metric.sign * value:.4g}" for value in (best - lost, best))
        found.append(
            f"Its favourite reaches a true score of {reached}{mean} (rank {rank:.0f} of {self.n}); "
            f"the best architecture reaches {at_best}."
        )
        return [*found, *self._rests()]

    def _rests(self) -> list[str]:
        tau = self["kendall_tau"].supernet
        trained = "one training; another seed may rank differently"
        if len(self.seeds) > 1:
            spread = f" (τ {number(tau.value)} ± {tau.std:.2f})" if tau.std is not None else ""
            trained = f"{len(self.seeds)} trainings{spread}"
        return [f"Rests on {self.n} architectures and {trained}. Brackets: {100 * self.confidence:g} % intervals."]

    def rows(self) -> list[dict[str, Any]]:
        """One row per measure and ranking, with the keys `report_rows.COLUMNS`; what does not apply is None."""
        return report_rows.rows(self)

    def text(self) -> str:
        """The main measures as aligned lines, see `report_rows.text`."""
        return report_rows.text(self)

    def to_csv(self) -> str:
        """`rows()`, and those of the derived architecture, as CSV text with a header line."""
        return report_rows.rows_csv(self)

    def scores_csv(self) -> str:
        """The scores themselves as CSV text, see `report_rows.scores_csv`."""
        return report_rows.scores_csv(self)

    def to_json(self) -> dict[str, Any]:
        """Everything except the scores themselves."""
        return {
            "n": self.n,
            "metric": self.metric.to_json(),
            "score": self.score.to_json(),
            "seeds": list(self.seeds),
            "confidence": self.confidence,
            "n_bootstrap": self.n_bootstrap,
            "verdict": self.verdict(),
            "sentences": self.sentences(),
            "measures": [comparison.to_json() for comparison in self.comparisons],
            "partial_tau": {name: estimate.to_json() for name, estimate in self.partial.items()},
            "combined_tau": {name: comparison.to_json() for name, comparison in self.combined.items()},
            "omitted": dict(self.omitted),
            "top_id": self.top_id.to_json(),
            "mass": None if self.mass is None else self.mass.to_json(),
            "clusters": None if self.clusters is None else self._families().to_json(),
            "derived": None if self.derived is None else msgspec.to_builtins(self.derived),
        }

    def _families(self) -> Clusters:
        """The families with their means as people know them."""
        assert self.clusters is not None
        known = [
            replace(c, true=self.metric.sign * c.true, predicted=self.score.sign * c.predicted)
            for c in self.clusters.clusters
        ]
        return replace(self.clusters, clusters=tuple(known))

    def plot(self) -> dict[str, Figure]:
        """Plotly figures: `"top_id"`, `"scatter"`, and `"mass"` and `"clusters"` where these were given.

        Raises:
            RunError: plotly is not installed (extra "report").
        """
        drawn = {
            "top_id": figures.curves(self.top_id),
            "scatter": figures.scatter(
                self.metric.sign * self.true, self.score.sign * self.predicted, self.seeds, self.metric
            ),
        }
        if self.mass is not None:
            drawn["mass"] = figures.curves(self.mass)
        if self.clusters is not None:
            drawn["clusters"] = figures.clusters(self._families(), self.metric)
        return drawn
