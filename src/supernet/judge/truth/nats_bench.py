"""NATS-Bench (Dong et al., TPAMI 2021) as its authors publish it: compressed pickles of plain dicts.

Either a folder (`NATS-tss-v1_0-3ffb9-simple`, `NATS-sss-v1_0-50262-simple`) with `meta.pickle.pbz2`, whose
`meta_archs` lists the architectures, and `000000.pickle.pbz2` … with one of them each; or one file with `meta_archs`
and `arch2infos`. An architecture is a dict by schedule (`"12"`, `"200"`; `"01"`, `"12"`, `"90"` for sizes) of
`{"dataset_seed": {set: [seed, …]}, "all_results": {(set, seed): {"epochs": …, "eval_acc1es": {"x-test@199": …}}}}`.
"""

from __future__ import annotations

import bz2
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from supernet.errors import RunError, UsageError
from supernet.io.progress import ProgressBar
from supernet.judge.truth.nasbench201 import DataSet, Metric, codes_of, quantity, space
from supernet.judge.truth.pickles import load_plain
from supernet.judge.truth.spelling import SIZE_SPACE, size_arch
from supernet.judge.truth.truth import Truth
from supernet.rank.checks import Floats

_SETS = {
    ("cifar10", "val_acc"): ("cifar10-valid", "x-valid"),
    ("cifar10", "test_acc"): ("cifar10", "ori-test"),
    ("cifar100", "val_acc"): ("cifar100", "x-valid"),
    ("cifar100", "test_acc"): ("cifar100", "x-test"),
    ("ImageNet16-120", "val_acc"): ("ImageNet16-120", "x-valid"),
    ("ImageNet16-120", "test_acc"): ("ImageNet16-120", "x-test"),
}


def read_topology(path: Path, dataset: DataSet, metric: Metric, *, epochs: int) -> Truth:
    """The topology space: NAS-Bench-201.

    Raises:
        UsageError: there is nothing at the path, or not this schedule.
        RunError: a file is damaged, or is not of this form.
    """
    names, values, seeds = read_accuracies(path, dataset, metric, schedule=str(epochs))
    return Truth(
        space=space(),
        codes=codes_of(names),
        values=values,
        metric=quantity(dataset, metric),
        source=f"NATS-Bench topology, {epochs} epochs ({path.name})",
        seeds=seeds,
    )


def read_sizes(path: Path, dataset: DataSet, metric: Metric, *, epochs: int) -> Truth:
    """The size space.

    Raises:
        UsageError: there is nothing at the path, or not this schedule.
        RunError: a file is damaged, or is not of this form.
    """
    names, values, seeds = read_accuracies(path, dataset, metric, schedule=f"{epochs:02d}")
    return Truth(
        space=SIZE_SPACE,
        codes=SIZE_SPACE.codes([size_arch(SIZE_SPACE, name) for name in names]),
        values=values,
        metric=quantity(dataset, metric),
        source=f"NATS-Bench size, {epochs} epochs ({path.name})",
        seeds=seeds,
    )


def read_accuracies(
    path: Path, dataset: DataSet, metric: Metric, *, schedule: str
) -> tuple[list[str], Floats, tuple[str, ...]]:
    """Names of the architectures, their accuracies in percent after the last epoch (N, S), and the seeds.

    Raises:
        UsageError: there is nothing at the path, or not this schedule.
        RunError: a file is damaged, or is not of this form.
    """
    trained_on, measured_on = _SETS[dataset, metric]
    names, rows = [], []
    for name, where, entry in _entries(path):
        if schedule not in entry:
            raise UsageError(
                f"{where} was not trained for {schedule} epochs; its schedules are {', '.join(map(str, entry))}."
            )
        try:
            results, row = entry[schedule]["all_results"], {}
            for seed in entry[schedule]["dataset_seed"][trained_on]:
                result = results[trained_on, seed]
                row[int(seed)] = float(result["eval_acc1es"][f"{measured_on}@{int(result['epochs']) - 1}"])
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                f"{where} has no accuracy on {measured_on} of {trained_on} ({type(error).__name__}: {error}); the file "
                "is damaged, or not of NATS-Bench 1.0."
            ) from error
        names.append(name)
        rows.append(row)
    if not rows:
        raise UsageError(f"{path} holds no architecture.")
    seeds = sorted({seed for row in rows for seed in row})
    values = np.asarray([[row.get(seed, np.nan) for seed in seeds] for row in rows], dtype=np.float64)
    return names, values, tuple(map(str, seeds))


def _entries(path: Path) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Name of the architecture, what to call it in messages, and its dict by schedule."""
    if path.is_dir():
        archs = _meta(path / "meta.pickle.pbz2")["meta_archs"]
        files = [(number, path / f"{number:06d}.pickle.pbz2") for number in range(len(archs))]
        present = [(number, file) for number, file in files if file.is_file()]
        with ProgressBar(f"read {path.name}", len(present), unit="architectures") as bar:
            for done, (number, file) in enumerate(present, start=1):
                yield str(archs[number]), str(file), _dict(_load(file), str(file))
                bar.update(done)
    else:
        whole = _meta(path)
        for number, entry in _dict(whole.get("arch2infos"), f"{path}: arch2infos").items():
            where = f"{path}: architecture {number}"
            if not isinstance(number, int) or not 0 <= number < len(whole["meta_archs"]):
                raise RunError(f"{where} is not among its {len(whole['meta_archs'])} names; fetch the file again.")
            yield str(whole["meta_archs"][number]), where, _dict(entry, where)


def _meta(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UsageError(
            f"There is no file {path}. Unpack NATS-tss-v1_0-3ffb9-simple.tar (topologies) or "
            "NATS-sss-v1_0-50262-simple.tar (sizes), and give that folder."
        )
    meta = _dict(_load(path), str(path))
    if not isinstance(meta.get("meta_archs"), list):
        raise RunError(f"{path} has no list meta_archs; it is not a file of NATS-Bench 1.0.")
    return meta


def _load(path: Path) -> Any:
    with bz2.open(path, "rb") as file:
        return load_plain(file, str(path))  # type: ignore[arg-type]


def _dict(value: Any, where: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise RunError(f"{where} is {type(value).__name__}, not a dict; it is not of NATS-Bench 1.0.")
    return value
