"""The archive of a training: architectures, what was measured of them, and those that are kept (NAT)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from supernet.space import Arch, Codes, Space

Code: TypeAlias = tuple[int, ...]
Values: TypeAlias = Mapping[str, float]

_KEY = "archive"


class ArchitectureArchive:
    """Every architecture that a training has measured, with its latest values, in the memory of the training.

    Args:
        memory: The mapping `Step.memory`, in which it is held, so that it is in checkpoints.

    >>> archive = ArchitectureArchive({})
    >>> archive.write([(0, 1), (1, 1)], [{"accuracy": 0.5}, {"accuracy": 0.7}], keep=[1])
    >>> len(archive), archive.kept()
    (2, [(1, 1)])
    """

    def __init__(self, memory: dict[str, Any]) -> None:
        self._memory = memory

    def __len__(self) -> int:
        return len(self._held["codes"])

    @property
    def _held(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = self._memory.get(_KEY, {"codes": [], "values": [], "kept": []})
        return found

    def codes(self) -> list[Code]:
        """All of them, the first that was measured first."""
        return [tuple(code) for code in self._held["codes"]]

    def values(self) -> list[dict[str, float]]:
        """What was measured of each, by name."""
        return [dict(values) for values in self._held["values"]]

    def kept(self) -> list[Code]:
        """Those that the supernet is trained for."""
        codes = self.codes()
        return [codes[place] for place in self._held["kept"]]

    def archs(self, space: Space) -> list[Arch]:
        """All of them, as architectures."""
        return space.wrap(population(space, self.codes()))

    def write(self, codes: Sequence[Code], values: Sequence[Values], *, keep: Sequence[int]) -> None:
        """Hold these, and no others; those at the places `keep` are the ones to train for."""
        self._memory[_KEY] = {
            "codes": [[int(option) for option in code] for code in codes],
            "values": [{name: float(value) for name, value in told.items()} for told in values],
            "kept": [int(place) for place in keep],
        }


def population(space: Space, codes: Sequence[Code]) -> Codes:
    """Codes as an array (N, D), also when there are none."""
    return np.asarray(codes, dtype=np.int16).reshape(len(codes), len(space))


def frequencies(space: Space, codes: Codes) -> list[NDArray[np.float64]]:
    """How often a population (N, D) has each option (O,) of each choice, among the members in which it matters.

    Options that the (sub-)space does not allow count nothing. A choice that matters in no member, or of which no
    allowed option occurs, is uniform over the options that are allowed.
    """
    active = space.active_mask(codes) if len(codes) else np.zeros(codes.shape, dtype=bool)
    found = []
    for column, (choice, allowed) in enumerate(zip(space.choices, space.allowed_codes, strict=True)):
        counts = np.bincount(codes[active[:, column], column], minlength=len(choice)).astype(np.float64)
        open_ = np.zeros(len(choice))
        open_[allowed] = 1.0
        counts *= open_
        weights = counts if counts.sum() else open_
        found.append(weights / weights.sum())
    return found
