"""NAS-Bench-Macro (Su et al., CVPR 2021): 6,561 chains of blocks, each trained three times on CIFAR-10."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from supernet.errors import RunError, UsageError
from supernet.judge.truth.nasbench201 import quantity, ragged
from supernet.judge.truth.table import Table
from supernet.space import Space
from supernet.zoo import nasbench_macro, nasbench_macro_arch


def nasbench_macro_table(source: Path | str) -> Table:
    """The published test accuracies on CIFAR-10, in percent, three seeds.

    Networks that are the same but for the place of an identity within a stage were trained once: their rows are
    equal.

    Args:
        source: The benchmark's file `nas-bench-macro_cifar10.json`, a dict from eight digits to
            `{"test_acc": [a, b, c], "mean_acc": …, "std": …, "params": …, "flops": …}`.

    Raises:
        UsageError: there is no such file, or a key is not an architecture.
        RunError: it is damaged, or is not of this form.
    """
    path = Path(source).expanduser()
    if not path.is_file():
        raise UsageError(f"There is no file {path}; give nas-bench-macro_cifar10.json of the benchmark.")
    try:
        found = json.loads(path.read_text())
        values = ragged([[float(value) for value in entry["test_acc"]] for entry in found.values()])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunError(
            f"{path} is not the file of NAS-Bench-Macro, or is cut short ({type(error).__name__}: {error}). "
            "Fetch it again."
        ) from error
    archs = [nasbench_macro_arch(space(), text) for text in found]
    return Table.of(
        archs, values, metric=quantity("cifar10", "test_acc"), source=f"NAS-Bench-Macro, CIFAR-10 ({path.name})"
    )


@lru_cache(maxsize=1)
def space() -> Space:
    """The space; the same for every width of the network."""
    return nasbench_macro(channels=1, head_channels=1).space
