"""Where values come from: the protocol that real networks, tables and toys implement."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from supernet.errors import RunError
from supernet.measure.quantity import Quantity
from supernet.space import Arch, Codes, Space

__all__ = ["Evaluator"]


class Evaluator(Protocol):
    """Tells quantities of architectures. Cheap ones come by the population, the others one by one."""

    @property
    def space(self) -> Space:
        """The space that is searched; may be a sub-space (`space.restrict`)."""

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """Everything the evaluator can tell, by name."""

    @property
    def cheap(self) -> frozenset[str]:
        """Names that `costs` can compute for whole populations, such as MACs."""

    def costs(self, codes: Codes, name: str) -> NDArray[np.float64]:
        """One cheap quantity (N,) for a population (N, D)."""

    def evaluate(self, arch: Arch, names: Sequence[str]) -> Mapping[str, float]:
        """The named expensive quantities of one architecture, such as its accuracy."""


def costs_of(evaluator: Evaluator, codes: Codes, names: Iterable[str]) -> dict[str, NDArray[np.float64]]:
    """Checked columns (N,) of cheap quantities.

    Raises:
        RunError: the evaluator returned another shape, or a value that is not finite.
    """
    columns = {}
    for name in names:
        column = np.asarray(evaluator.costs(codes, name), dtype=np.float64)
        if column.shape != (len(codes),):
            raise RunError(
                f"The evaluator's costs for {name!r} have shape {column.shape}; "
                f"return one number per architecture, shape ({len(codes)},)."
            )
        if not np.isfinite(column).all():
            row = int(np.flatnonzero(~np.isfinite(column))[0])
            raise RunError(_not_finite(evaluator.space.wrap(codes[row : row + 1])[0], name, column[row]))
        columns[name] = column
    return columns


def values_of(evaluator: Evaluator, arch: Arch, names: Collection[str]) -> dict[str, float]:
    """Checked expensive quantities of one architecture; does not bother the evaluator for none.

    Raises:
        RunError: a value is missing or not finite.
    """
    if not names:
        return {}
    told = evaluator.evaluate(arch, tuple(names))
    for name in names:
        if name not in told:
            raise RunError(f"The evaluator was asked for {name!r} of {arch} but only told {sorted(told)}.")
        if not math.isfinite(told[name]):
            raise RunError(_not_finite(arch, name, told[name]))
    return {name: float(told[name]) for name in names}


def _not_finite(arch: Arch, name: str, value: float) -> str:
    return (
        f"The evaluator told {name} = {value} for {arch}. A search cannot rank such a value: find out why "
        "(diverged weights, a division by zero), then resume the search."
    )
