"""What a process holds, sampled along its work, and whether it grows."""

from __future__ import annotations

import gc
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import _lru_cache_wrapper
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from scipy.stats import theilslopes
from torch import Tensor, fx
from torch.export import ExportedProgram

WARM = 0.2
"""The share of the work after which nothing may grow: before, kernels are chosen and pools filled."""

_CONFIDENCE = 0.99


@dataclass(frozen=True)
class Measure:
    """Something that a process has more or less of.

    Attributes:
        name: What it is called in the table.
        bound: By how much it may grow after the beginning: a number of its unit,
        share: and a share of what it was.
    """

    name: str
    bound: float
    share: float = 0.0


MEASURES = (
    Measure("memory, MB", 3.0, share=0.01),  # of resident memory: pages that the allocator does not give back
    Measure("open files", 0.5),
    Measure("threads", 0.5),
    Measure("objects", 500),  # that the garbage collector knows; a program that waits to be freed has some hundred
    Measure("tensors", 2),
    Measure("programs", 0.5),  # networks that torch has traced
    Measure("cached", 0.5),  # entries of everything that a module of the package remembers
    Measure("ms per step", 0.0, share=0.15),  # of this process's own time, so that a busy machine matters less
)


class Sampler:
    """Takes a sample every so often, of so many in all.

    Args:
        total: How many steps, or architectures, the work has.
        samples: How many samples are taken.
    """

    def __init__(self, total: int, samples: int = 200) -> None:
        self.every = max(1, total // samples)
        self.done: list[int] = []
        self.values: dict[str, list[float]] = {measure.name: [] for measure in MEASURES}
        self._began = time.process_time()

    def __call__(self, done: int) -> None:
        """So much is done."""
        if done % self.every:
            return
        steps = done - (self.done[-1] if self.done else 0)
        own = 1000 * (time.process_time() - self._began) / steps
        self.done.append(done)
        for name, value in (held() | {"ms per step": own}).items():
            self.values[name].append(value)
        self._began = time.process_time()


def held() -> dict[str, float]:
    """What this process holds now, by the names of `MEASURES`, but for time."""
    gc.collect()
    kinds = Counter(map(type, gc.get_objects()))
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "memory, MB": int(status["VmRSS"].split()[0]) / 1024,
        "open files": len(list(Path("/proc/self/fd").iterdir())),
        "threads": int(status["Threads"]),
        "objects": sum(kinds.values()),
        "tensors": _count(kinds, Tensor),
        "programs": _count(kinds, fx.Graph, ExportedProgram),
        "cached": sum(remembered().values()),
    }


def _count(kinds: Mapping[type, int], *wanted: type) -> int:
    return sum(number for kind, number in kinds.items() if issubclass(kind, wanted))


def remembered() -> dict[str, int]:
    """How many entries each container of a module of the package has, those of containers in it included."""
    found = {}
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] == "supernet" and module is not None:
            for called, value in vars(module).items():
                if isinstance(value, _lru_cache_wrapper):
                    found[f"{name}.{called}"] = value.cache_info().currsize
                elif isinstance(value, (dict, list, set, WeakKeyDictionary)) and not called.startswith("__"):
                    found[f"{name}.{called}"] = sum(1 for _ in _entries(value))
    return found


def _entries(value: Any) -> Iterator[Any]:
    if isinstance(value, (dict, WeakKeyDictionary)):
        value = list(value.values())
    if isinstance(value, (list, set, tuple)):
        for one in value:
            yield one
            yield from _entries(one)


@dataclass(frozen=True)
class Growth:
    """How much of something there is more at the end than when the beginning was over.

    Attributes:
        measure: What.
        first: What there was when the beginning was over, the median of a few samples.
        growth: The median slope of all pairs of samples (Theil and Sen) times the length; `low` and `high`: its 99 %
            interval.
        allowed: What is noise, or kept on purpose.
    """

    measure: Measure
    first: float
    growth: float
    low: float
    high: float
    allowed: float

    @property
    def grows(self) -> bool:
        """Whether there is more than is allowed, and not by chance."""
        return self.low > 0 and self.growth > self.allowed


def growths(done: Sequence[int], values: Mapping[str, Sequence[float]], kept: Mapping[str, float]) -> list[Growth]:
    """How everything grew after the beginning.

    Args:
        done: Steps, or architectures, that were done at each sample.
        values: The samples by measure.
        kept: What is kept of each step on purpose, by measure, as the results of a search are.
    """
    x = np.asarray(done, dtype=float)
    late = x > WARM * x[-1]
    length = x[-1] - x[late][0]
    found = []
    for measure in MEASURES:
        y = np.asarray(values[measure.name])[late]
        slope, _, low, high = theilslopes(y, x[late], alpha=_CONFIDENCE)
        first = float(np.median(y[: max(3, len(y) // 10)]))
        allowed = measure.bound + measure.share * first + kept.get(measure.name, 0.0) * length
        found.append(Growth(measure, first, slope * length, low * length, high * length, allowed))
    return found


def table(found: Sequence[Growth]) -> str:
    """A line for each measure."""
    head = f"{'':12}{'after a fifth':>15}{'growth since':>15}{'99 % interval':>22}{'allowed':>10}"
    lines = [
        f"{one.measure.name:12}{one.first:15,.1f}{one.growth:+15,.2f}"
        f"{f'{one.low:+,.2f} … {one.high:+,.2f}':>22}{one.allowed:10,.1f}{'  GROWS' if one.grows else ''}"
        for one in found
    ]
    return "\n".join([head, *lines])
