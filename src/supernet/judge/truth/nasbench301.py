"""The trainings of NAS-Bench-301, which its surrogates were fitted on: some 60,000 architectures of the space of DARTS.

"Surrogate NAS Benchmarks" (Zela et al., ICLR 2022), [arXiv 2008.09777](https://arxiv.org/abs/2008.09777). The data set
of the project (figshare) is a folder of JSON files `results_….json`, one per training. They say the operation of edge k
of a cell as `edge_normal_k`, counted over the nodes 2, 3, … and their sources 0, 1, …, and the two sources of a node as
`inputs_node_normal_3: "0_1"`; node 2 has but two.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from supernet.errors import UsageError
from supernet.io.files import damaged, read_json
from supernet.judge.truth.nasbench201 import METRICS, Metric, quantity, ragged
from supernet.judge.truth.truth import Truth
from supernet.space import Arch, Space

PATTERN = "results_*.json"
_PREFIX = "NetworkSelectorDatasetInfo:darts:"
_EDGE = re.compile(rf"{_PREFIX}edge_(normal|reduce)_(\d+)")
_INPUTS = re.compile(rf"{_PREFIX}inputs_node_(normal|reduce)_(\d+)")


class _Info(Struct, frozen=True):
    val_accuracy: float


class _Training(Struct, frozen=True):
    """One file, as far as it is needed; the misspelt name is the benchmark's."""

    settings: dict[str, Any] = field(name="optimized_hyperparamater_config")
    info: Annotated[list[_Info], Meta(min_length=1)]
    test_accuracy: float
    budget: float

    @property
    def network(self) -> tuple[Any, ...]:
        """What a figure depends on besides the architecture: layers, channels, epochs."""
        return (*(self.settings.get(f"{_PREFIX}{name}") for name in ("layers", "init_channels")), self.budget)


def is_nasbench301(path: Path) -> bool:
    """Whether a folder holds trainings of NAS-Bench-301."""
    return path.is_dir() and next(path.rglob(PATTERN), None) is not None


def read_trainings(path: Path, space: Space, metric: Metric = "val_acc") -> Truth:
    """The accuracies on CIFAR-10, in percent; trainings of the same architecture are columns.

    Networks of another size or another length of training than most are left out.

    Args:
        path: The folder, files at any depth.
        space: The space of DARTS: cells `normal` and `reduce` (or a name that begins so), whose choices are called
            `"normal.3.inputs"` and `"normal.3<-1"`.
        metric: `"val_acc"` or `"test_acc"`.

    Raises:
        UsageError: there is no such file, an unknown metric, or the space has other choices or operations.
        RunError: a file is damaged.
    """
    if metric not in METRICS:
        raise UsageError(f"There is no metric {metric!r} in this benchmark; there are {', '.join(METRICS)}.")
    read = {file: found for file in sorted(path.rglob(PATTERN)) if (found := read_json(file, _Training)) is not None}
    if not read:
        raise UsageError(f"{path} holds no file {PATTERN}; give the folder with the trainings of NAS-Bench-301.")
    network = Counter(found.network for found in read.values()).most_common(1)[0][0]
    cells = _cells(space)
    values: dict[Arch, list[float]] = {}
    for file, found in read.items():
        if found.network == network:
            value = found.info[-1].val_accuracy if metric == "val_acc" else found.test_accuracy
            values.setdefault(_arch(file, found.settings, space, cells), []).append(value)
    layers, channels, epochs = network
    return Truth.of(
        list(values),
        ragged(list(values.values())),
        metric=quantity("cifar10", metric),
        source=f"NAS-Bench-301, {layers} layers of {channels} channels, {epochs:g} epochs ({path.name})",
    )


def _cells(space: Space) -> dict[str, str]:
    """The names that a space gives to the two kinds of cells."""
    names = {name.rpartition(".")[0].split(".")[0] for name in space.names if "<-" in name}
    cells = {kind: name for kind in ("normal", "reduce") for name in sorted(names) if name.startswith(kind[:5])}
    if len(cells) < 2:
        raise UsageError(
            "NAS-Bench-301 is about the space of DARTS, with choices such as 'normal.3<-1' and 'reduce.3<-1'; the "
            f"choices of this space are {', '.join(space.names[:4])} …"
        )
    return cells


def _arch(file: Path, settings: dict[str, Any], space: Space, cells: dict[str, str]) -> Arch:
    options: dict[str, Any] = {}
    try:
        for name, value in settings.items():
            if edge := _EDGE.fullmatch(name):
                node, source = _ends(int(edge[2]))
                options[f"{cells[edge[1]]}.{node}<-{source}"] = value
            elif inputs := _INPUTS.fullmatch(name):
                first, second = map(int, value.split("_"))
                options[f"{cells[inputs[1]]}.{inputs[2]}.inputs"] = (first, second)
    except (ValueError, AttributeError) as error:
        raise damaged(file, f"the setting {name} is {value!r}") from error
    try:
        return space.arch(options)
    except UsageError as error:
        raise UsageError(f"{file} is not about an architecture of this space: {error}") from error


def _ends(edge: int) -> tuple[int, int]:
    """Node and source of an edge by its number.

    >>> [_ends(edge) for edge in (0, 1, 2, 4, 5, 9, 13)]
    [(2, 0), (2, 1), (3, 0), (3, 2), (4, 0), (5, 0), (5, 4)]
    """
    node = 2
    while edge >= node:
        edge, node = edge - node, node + 1
    return node, edge
