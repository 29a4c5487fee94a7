"""Exact counting and numbering of architectures when choices are gated by other choices."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.space.expression import Choice

_MAX_GATE_SETTINGS = 1_000_000


class Counter:
    """A bijection between 0 … size − 1 and the canonical codes of a (sub-)space.

    Choices linked by conditions form a component. Within a component the settings of its gates are
    listed; each leaves a set of active choices that are free, so it holds ∏ |options| architectures. The
    components are independent: their sizes multiply, and an index is a mixed-radix number over them, the
    first choice being the most significant digit.
    """

    def __init__(self, choices: tuple[Choice, ...], allowed: tuple[NDArray[np.int16], ...]) -> None:
        self._width = len(choices)
        self._components = [_Component(columns, choices, allowed) for columns in _linked(choices)]
        self.size = math.prod(component.size for component in self._components)
        self._dtype: Any = np.int64 if self.size < 2**63 else object

    def index(self, codes: NDArray[np.int16], active: NDArray[np.bool_]) -> NDArray[Any]:
        total = np.zeros(len(codes), dtype=self._dtype)
        for component in self._components:
            total = total * component.size + component.index(codes, active, self._dtype)
        return total

    def unindex(self, positions: Sequence[int] | NDArray[Any]) -> NDArray[np.int16]:
        rest = np.asarray(list(positions), dtype=self._dtype).reshape(-1)
        if len(rest) and not (rest.min() >= 0 and rest.max() < self.size):
            raise UsageError(
                f"The space holds {self.size:,} architectures, numbered 0 to {self.size - 1:,}; "
                f"got a number from {rest.min()} to {rest.max()}."
            )
        codes = np.zeros((len(rest), self._width), dtype=np.int16)
        for component in reversed(self._components):
            component.unindex(rest % component.size, codes)
            rest = rest // component.size
        return codes


class _Component:
    def __init__(self, columns: list[int], choices: tuple[Choice, ...], allowed: tuple[NDArray[np.int16], ...]) -> None:
        position = {choices[column].name: column for column in columns}
        asked = {g.name for c in columns if (when := choices[c].when) is not None for g in when.choices()}
        gates = [column for column in columns if choices[column].name in asked]
        settings = math.prod(len(allowed[gate]) for gate in gates)
        if settings > _MAX_GATE_SETTINGS:
            raise UsageError(
                f"The conditions on {choices[columns[0]].name!r} and the choices linked to it have {settings:,} "
                f"joint settings; at most {_MAX_GATE_SETTINGS:,} can be counted. Use independent conditions."
            )
        self.columns, self.gates, self.allowed = columns, gates, allowed
        self._settings: dict[tuple[int, ...], int] = {}  # canonical setting of the gates → its number
        self._free: list[list[int]] = []  # per setting: the active columns that are not gates
        self._starts = [0]
        for setting in itertools.product(*(allowed[gate].tolist() for gate in gates)):
            chosen = dict(zip(gates, setting, strict=True))

            def value(choice: Choice, chosen: dict[int, int] = chosen) -> Any:
                return choice.options[chosen[position[choice.name]]]

            active: dict[int, bool] = {}
            for column in columns:
                when = choices[column].when
                active[column] = when is None or (
                    all(active[position[g.name]] for g in when.choices()) and bool(when.evaluate(value))
                )
            canonical = tuple(chosen[gate] if active[gate] else 0 for gate in gates)
            if canonical in self._settings:
                continue
            self._settings[canonical] = len(self._free)
            self._free.append([column for column in columns if active[column] and column not in chosen])
            self._starts.append(self._starts[-1] + math.prod(len(allowed[c]) for c in self._free[-1]))
        self.size = self._starts[-1]

    def index(self, codes: NDArray[np.int16], active: NDArray[np.bool_], dtype: Any) -> NDArray[Any]:
        result = np.zeros(len(codes), dtype=dtype)
        for rows, free, start in self._by_setting(np.where(active, codes, 0)):
            number = np.zeros(len(rows), dtype=dtype)
            for column in free:
                digits = np.searchsorted(self.allowed[column], codes[rows, column]).astype(dtype)
                number = number * len(self.allowed[column]) + digits
            result[rows] = number + start
        return result

    def _by_setting(self, codes: NDArray[np.int16]) -> list[tuple[NDArray[Any], list[int], int]]:
        if not self.gates:
            return [(np.arange(len(codes)), self._free[0], 0)]
        distinct, inverse = np.unique(codes[:, self.gates], axis=0, return_inverse=True)
        found = []
        for number, setting in enumerate(distinct.tolist()):
            place = self._settings[tuple(setting)]
            found.append((np.flatnonzero(inverse.reshape(-1) == number), self._free[place], self._starts[place]))
        return found

    def unindex(self, numbers: NDArray[Any], codes: NDArray[np.int16]) -> None:
        starts = np.asarray(self._starts, dtype=numbers.dtype)
        places = np.searchsorted(starts, numbers, side="right") - 1
        for setting, place in self._settings.items():
            rows = np.flatnonzero(places == place)
            if not len(rows):
                continue
            codes[rows[:, None], self.gates] = setting
            rest = numbers[rows] - self._starts[place]
            for column in reversed(self._free[place]):
                radix = len(self.allowed[column])
                codes[rows, column] = self.allowed[column][(rest % radix).astype(np.int64)]
                rest = rest // radix


def _linked(choices: tuple[Choice, ...]) -> list[list[int]]:
    """Columns grouped by the conditions that link them, each group in order."""
    column = {choice.name: place for place, choice in enumerate(choices)}
    group = list(range(len(choices)))
    for place, choice in enumerate(choices):
        for gate in choice.when.choices() if choice.when is not None else ():
            old, new = group[place], group[column[gate.name]]
            group = [new if member == old else member for member in group]
    members: dict[int, list[int]] = {}
    for place, number in enumerate(group):
        members.setdefault(number, []).append(place)
    return sorted(members.values())
