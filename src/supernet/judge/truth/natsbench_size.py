"""The size space of NATS-Bench: five widths out of eight, 32,768 architectures."""

from __future__ import annotations

from pathlib import Path

from supernet.errors import UsageError
from supernet.judge.truth.nasbench201 import DataSet, Metric, check_asked, quantity
from supernet.judge.truth.nats_bench import read_accuracies
from supernet.judge.truth.size_space import size_arch, size_space
from supernet.judge.truth.table import Table

_SCHEDULES = (1, 12, 90)


def natsbench_size_table(
    dataset: DataSet = "cifar10", metric: Metric = "val_acc", *, source: Path | str, epochs: int = 90
) -> Table:
    """The published accuracies of the size space, in percent, single seeds where the file has several.

    Its space has the choices `width0` … `width4`, each from 8 to 64 in steps of 8: the widths of the stages in
    the order of the benchmark's strings, such as `8:16:24:32:64`. A supernet with these choices is looked up in it.

    Args:
        dataset: `"cifar10"`, `"cifar100"` or `"ImageNet16-120"`.
        metric: `"val_acc"` or `"test_acc"`, as in `nasbench201_table`.
        source: The folder `NATS-sss-v1_0-50262-simple`, or the one file `….pickle.pbz2`. Pickles are read without
            running what is in them.
        epochs: Of the training schedule: 1, 12 or 90.

    Raises:
        UsageError: an unknown data set, metric or schedule, or no such file.
        RunError: a file is damaged, or is not of this form.
    """
    check_asked(dataset, metric)
    if epochs not in _SCHEDULES:
        raise UsageError(f"The sizes of NATS-Bench were trained for 1, 12 and 90 epochs; got epochs={epochs}.")
    path = Path(source).expanduser()
    names, values, seeds = read_accuracies(path, dataset, metric, schedule=f"{epochs:02d}")
    codes = size_space().codes([size_arch(size_space(), name) for name in names])
    return Table(
        space=size_space(),
        codes=codes,
        values=values,
        metric=quantity(dataset, metric),
        source=f"NATS-Bench size, {epochs} epochs ({path.name})",
        seeds=seeds,
    )
