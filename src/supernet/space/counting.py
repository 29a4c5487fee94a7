"""Exact counting and numbering of architectures when choices are gated by other choices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from supernet.space.arch import Codes
from supernet.space.choice import Choice
from supernet.space.counting_in_turn import InTurn
from supernet.space.expression import MAX_JOINT_OPTIONS

Mask: TypeAlias = NDArray[np.bool_]


class Numbering(Protocol):
    """A bijection between 0 … size − 1 and the canonical codes of some columns."""

    size: int
    dtype: Any

    def index(self, codes: Codes, active: Mask) -> NDArray[Any]:
        """Number (N,) of each row."""
        ...

    def unindex(self, numbers: NDArray[Any], codes: Codes) -> None:
        """Write the columns of the numbered rows into `codes`."""
        ...


class Product:
    """Independent parts: their sizes multiply; a number has one digit per part, the first most significant."""

    def __init__(self, parts: Sequence[Numbering]) -> None:
        self._parts = parts
        self.size = math.prod(part.size for part in parts)
        self.dtype: Any = _dtype(self.size)

    def index(self, codes: Codes, active: Mask) -> NDArray[Any]:
        total = np.zeros(len(codes), dtype=self.dtype)
        for part in self._parts:
            total = total * part.size + part.index(codes, active).astype(self.dtype)
        return total

    def unindex(self, numbers: NDArray[Any], codes: Codes) -> None:
        for part in reversed(self._parts):
            part.unindex((numbers % part.size).astype(part.dtype), codes)
            numbers = numbers // part.size


class Component:
    """Choices linked by conditions.

    The settings of the gates (the choices that conditions ask about) are listed. Each leaves a set of other
    choices active, which are free, so it holds ∏ |options| architectures; numbers run through the settings in turn.
    """

    def __init__(
        self,
        columns: Sequence[int],
        choices: Sequence[Choice],
        allowed: Sequence[Codes],
        active_mask: Callable[[Codes], Mask],
    ) -> None:
        asked = {gate for column in columns if (when := choices[column].when) is not None for gate in when.choices()}
        names = {gate.name for gate in asked}
        self._gates = [column for column in columns if choices[column].name in names]
        self._others = [column for column in columns if choices[column].name not in names]
        self._allowed = allowed
        self._rank = {column: _inverse(allowed[column], len(choices[column])) for column in columns}
        shape = [len(allowed[gate]) for gate in self._gates]
        settings = math.prod(shape)
        self._strides = [math.prod(shape[place + 1 :]) for place in range(len(shape))]
        digits = np.indices(shape).reshape(len(shape), settings)
        codes = np.zeros((settings, len(choices)), dtype=np.int16)
        for gate, digit in zip(self._gates, digits, strict=True):
            codes[:, gate] = allowed[gate][digit]
        active = active_mask(codes)
        # A setting with digit 0 for its inactive gates stands for all that differ only there.
        first, self._place = np.unique(self._setting(codes, active), return_inverse=True)
        self._settings = np.where(active, codes, np.int16(0))[first][:, self._gates]
        counts = np.asarray([len(allowed[column]) for column in self._others], dtype=np.int64)
        self._free = active[first][:, self._others]
        bound = len(first) * math.prod(counts.tolist())
        sizes = np.multiply.reduce(np.where(self._free, counts, 1).astype(_dtype(bound)), axis=1)
        starts = np.concatenate([np.zeros(1, sizes.dtype), np.cumsum(sizes)])
        self.size = int(starts[-1])
        self.dtype: Any = _dtype(self.size)
        self._starts = starts.astype(self.dtype)

    def _setting(self, codes: Codes, active: Mask) -> NDArray[np.int64]:
        number = np.zeros(len(codes), dtype=np.int64)
        for gate, stride in zip(self._gates, self._strides, strict=True):
            number += np.where(active[:, gate], self._rank[gate][codes[:, gate]], 0) * stride
        return number

    def index(self, codes: Codes, active: Mask) -> NDArray[Any]:
        number = np.zeros(len(codes), dtype=self.dtype)
        for column in self._others:
            on = active[:, column]
            number = number * np.where(on, len(self._allowed[column]), 1)
            number = number + np.where(on, self._rank[column][codes[:, column]], 0)
        number += self._starts[self._place[self._setting(codes, active)]]
        return number

    def unindex(self, numbers: NDArray[Any], codes: Codes) -> None:
        places = np.searchsorted(self._starts, numbers, side="right") - 1
        numbers = numbers - self._starts[places]
        codes[:, self._gates] = self._settings[places]
        for other, column in reversed(list(enumerate(self._others))):
            free = self._free[places, other]
            radices = np.where(free, len(self._allowed[column]), 1)
            chosen = self._allowed[column][(numbers % radices).astype(np.int64)]
            codes[:, column] = np.where(free, chosen, 0)
            numbers = numbers // radices


def number_architectures(
    choices: Sequence[Choice], allowed: Sequence[Codes], active_mask: Callable[[Codes], Mask]
) -> Product:
    """The numbering of a (sub-)space.

    Args:
        choices: All choices, in the order of the columns.
        allowed: Per choice the codes that the sub-space allows, ascending.
        active_mask: Which choices (N, D) matter, for a population (N, D).
    """
    blocks: list[list[Numbering]] = []
    for columns in _linked(choices):
        component: Numbering
        if _settings(columns, choices, allowed) > MAX_JOINT_OPTIONS:
            component = InTurn(columns, choices, allowed)
        else:
            component = Component(columns, choices, allowed, active_mask)
        # Components share a block while its numbers fit machine integers: large spaces then pay for Python's
        # big integers once per block, not once per choice.
        if blocks and math.prod(part.size for part in blocks[-1]) * component.size < 2**63:
            blocks[-1].append(component)
        else:
            blocks.append([component])
    return Product([Product(block) for block in blocks])


def _settings(columns: Sequence[int], choices: Sequence[Choice], allowed: Sequence[Codes]) -> int:
    """The joint settings of what conditions ask about."""
    asked = {gate.name for column in columns if (when := choices[column].when) is not None for gate in when.choices()}
    return math.prod(len(allowed[column]) for column in columns if choices[column].name in asked)


def _dtype(size: int) -> Any:
    return np.int64 if size < 2**63 else object


def _inverse(allowed: Codes, options: int) -> NDArray[np.int64]:
    """Place of each code among the allowed ones."""
    rank = np.zeros(options, dtype=np.int64)
    rank[allowed] = np.arange(len(allowed))
    return rank


def _linked(choices: Sequence[Choice]) -> list[list[int]]:
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
