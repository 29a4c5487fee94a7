"""What a reader of a comparison has to know: unequal budgets, times, seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from supernet.bench.finished import FinishedRun
from supernet.bench.ranking import Ranking
from supernet.rank.measures import dense_ranks

_TOLERANCE = 1.01  # budgets that differ by less are equal


def differing_order(example: Ranking, others: Sequence[Ranking], first: FinishedRun) -> list[str]:
    """Say so where supernets of another width order the architectures differently by cost."""
    differing = [
        name
        for name, values in example.baselines.items()
        if any(
            name in other.baselines and (dense_ranks(other.baselines[name]) != dense_ranks(values)).any()
            for other in others
        )
    ]
    if not differing:
        return []
    return [
        f"The supernets differ in size, and order the architectures differently by {' and '.join(differing)}; the "
        f"rows of these are those of {first.path}."
    ]


def unequal(groups: Mapping[str, Sequence[FinishedRun]]) -> list[str]:
    """Sentences on unequal budgets, on times that cannot be compared, and on seeds."""
    notes = []
    runs = [run for group in groups.values() for run in group]
    stopped = [run for run in runs if run.spent.steps < run.spent.asked_steps]
    if stopped:
        early = [f"{run.path} after {run.spent.steps:,} of {run.spent.asked_steps:,} steps" for run in stopped]
        notes.append(f"Trainings were stopped early: {', '.join(early)}.")
    spent = {name: group[0].spent for name, group in groups.items()}
    known = {name: one.images for name, one in spent.items() if one.images is not None}
    if known and max(known.values()) > _TOLERANCE * min(known.values()):
        forward = [f"{name} {one.images_forward:,}" for name, one in spent.items() if one.images_forward is not None]
        notes.append(
            "The budgets differ: examples backward through the supernet (backwards x batch size) were "
            f"{', '.join(f'{name} {count:,}' for name, count in known.items())}; forward, {', '.join(forward)}. "
            "A difference in ranking may be one of budget."
        )
    if unknown := [name for name in spent if name not in known]:
        notes.append(
            f"The log of {', '.join(unknown)} does not count backwards, so the budget is not known to be equal."
        )
    conditions = {(run.spent.machine, run.spent.threads, run.spent.workers) for run in runs}
    if any((run.spent.workers or 1) > 1 for run in runs):
        notes.append("Runs were made side by side, so times hold for such a machine under load and say little else.")
    elif len(conditions) > 1:
        notes.append("Times were taken on different machines, or with different numbers of threads or of runs.")
    seeds = {name: [run.seed for run in group] for name, group in groups.items()}
    if len({tuple(sorted(values)) for values in seeds.values()}) > 1:
        said = "; ".join(f"{name} {', '.join(map(str, values))}" for name, values in seeds.items())
        notes.append(f"The cells have different seeds: {said}.")
    if any(len(values) == 1 for values in seeds.values()):
        notes.append("Where a cell has one seed, its interval leaves out how trainings differ.")
    return notes
