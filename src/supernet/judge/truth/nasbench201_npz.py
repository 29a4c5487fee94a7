"""NAS-Bench-201 in one NumPy file: strings and columns of numbers."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supernet.errors import RunError, UsageError
from supernet.judge.truth.nasbench201 import DataSet, Metric, codes_of, quantity, space
from supernet.judge.truth.table import Table


def read(path: Path, dataset: DataSet, metric: Metric, *, epochs: int) -> Table:
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
        except (OSError, ValueError, EOFError, AttributeError, zlib.error, zipfile.BadZipFile) as error:
            raise RunError(f"{path} is not an .npz file, or is damaged ({error}); make or fetch it again.") from error
    _check(path, strings, values, wanted)
    return Table(
        space=space(),
        codes=codes_of(strings.tolist()),
        values=values.astype(np.float64),
        metric=quantity(dataset, metric),
        source=f"NAS-Bench-201, {epochs} epochs ({path.name}{'' if wanted.endswith('_seeds') else ', mean of seeds'})",
    )


def _check(path: Path, strings: NDArray[Any], values: NDArray[Any], wanted: str) -> None:
    if strings.ndim != 1 or strings.dtype.kind != "U" or values.dtype.kind not in "fiu" or values.ndim not in (1, 2):
        raise UsageError(
            f"{path} needs arch as texts (N,) and {wanted} as numbers (N,) or (N, S); got {strings.dtype} of shape "
            f"{strings.shape} and {values.dtype} of shape {values.shape}."
        )
