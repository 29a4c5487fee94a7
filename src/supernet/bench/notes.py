"""What to know about the budgets before comparing results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from supernet.bench.finished import FinishedRun

_TOLERANCE = 1.01


def budget_notes(groups: Mapping[str, Sequence[FinishedRun]]) -> list[str]:
    """Sentences on unequal budgets and on times that cannot be compared."""
    notes = []
    runs = [run for group in groups.values() for run in group]
    images = {name: group[0].budget.images for name, group in groups.items()}
    known = {name: value for name, value in images.items() if value is not None}
    if known and max(known.values()) > _TOLERANCE * min(known.values()):
        said = ", ".join(f"{name} {value:,}" for name, value in known.items())
        notes.append(
            f"The budgets differ: images backward through the supernet (backwards x batch size) were {said}. "
            "A difference in ranking may be one of budget."
        )
    if unknown := [name for name in images if name not in known]:
        notes.append(
            f"The log of {', '.join(unknown)} does not count backwards, so the budget is not known to be equal."
        )
    conditions = {(run.budget.machine, run.budget.threads, run.budget.workers) for run in runs}
    if any((run.budget.workers or 1) > 1 for run in runs):
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
