"""Which choices matter: the conditions of a space as truth tables, so that nothing is evaluated per architecture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.space.arch import Codes
from supernet.space.choice import Choice
from supernet.space.expression import MAX_JOINT_OPTIONS, Expr, Option, option_array, parts_of


@dataclass(frozen=True, eq=False)
class Gate:
    """The conditions of all choices that ask about the same choices.

    A choice is active when the choices it asks about are active and its condition holds for their options. One that
    has a value for being `off` reads as that while it is inactive, and hinders nothing.

    Attributes:
        asks: Columns of the choices asked about.
        strides: Their place values: the joint setting of `asks` with codes c is number Σ strides · c.
        columns: Columns of the gated choices.
        offs: The code that each choice asked about reads as while it is inactive; −1: none, it switches off.
        table: Truth (settings, len(columns)) of each condition in each joint setting.
        classes: Where the codes themselves have too many joint settings: for each choice asked about, the number that
            stands in the place of each code, the same for codes that make no difference to the conditions.
    """

    asks: tuple[int, ...]
    strides: tuple[int, ...]
    columns: tuple[int, ...]
    offs: tuple[int, ...]
    table: NDArray[np.bool_]
    classes: tuple[NDArray[np.int64], ...] | None = None

    def apply(self, codes: Codes, active: NDArray[np.bool_]) -> None:
        """Fill in the gated columns of the mask (N, D) of a population."""
        asks = list(self.asks)
        read, on = codes[:, asks], active[:, asks]
        if max(self.offs) >= 0:
            offs = np.asarray(self.offs)
            read, on = np.where(on | (offs < 0), read, offs), on | (offs >= 0)
        if self.classes is not None:
            read = np.stack([of[codes] for of, codes in zip(self.classes, read.T, strict=True)], axis=1)
        settings = read @ np.asarray(self.strides, dtype=np.int64)
        active[:, list(self.columns)] = self.table[settings] & on.all(axis=1, keepdims=True)

    def apply_one(self, code: Sequence[int], active: list[bool]) -> None:
        """Fill in the gated columns of one mask."""
        setting, asked = 0, True
        for place, (column, stride, off) in enumerate(zip(self.asks, self.strides, self.offs, strict=True)):
            read = code[column] if active[column] or off < 0 else off
            setting += (read if self.classes is None else int(self.classes[place][read])) * stride
            asked = asked and (active[column] or off >= 0)
        for column, holds in zip(self.columns, self.table[setting].tolist(), strict=True):
            active[column] = asked and holds


def tabulate(choices: Sequence[Choice]) -> tuple[Gate, ...]:
    """The gates of choices, each after those its own choices depend on.

    Raises:
        UsageError: a condition asks about too many joint options, or is not true or false.
    """
    column = {choice.name: place for place, choice in enumerate(choices)}
    gated: dict[tuple[int, ...], list[tuple[int, Expr]]] = {}
    for place, choice in enumerate(choices):
        if choice.when is not None:
            asks = tuple(sorted(column[asked.name] for asked in choice.when.choices()))
            gated.setdefault(asks, []).append((place, choice.when))
    gates = []
    for asks, conditions in gated.items():
        read = [readings(choices[ask]) for ask in asks]
        offs = tuple(len(choices[ask]) if _off(choices[ask]) else -1 for ask in asks)
        shape = [len(values) for values in read]
        joint = math.prod(shape)
        classes: tuple[NDArray[np.int64], ...] | None = None
        if joint > MAX_JOINT_OPTIONS:
            classes = tuple(told_apart([when for _, when in conditions], choices[ask]) for ask in asks)
            read = [
                tuple(values[of.tolist().index(number)] for number in range(of.max() + 1))
                for values, of in zip(read, classes, strict=True)
            ]
            shape = [len(values) for values in read]
            joint = math.prod(shape)
        if joint > MAX_JOINT_OPTIONS:
            raise UsageError(
                f"The condition of the choice {choices[conditions[0][0]].name!r} depends on {len(asks)} choices with "
                f"{joint:,} joint options; at most {MAX_JOINT_OPTIONS:,} can be tabulated. Ask about fewer choices."
            )
        settings = np.indices(shape).reshape(len(shape), joint)
        options = {
            choices[ask].name: option_array(values)[codes]
            for ask, values, codes in zip(asks, read, settings, strict=True)
        }
        table = np.stack([_truth(choices[place].name, when, options) for place, when in conditions], axis=1)
        strides = tuple(math.prod(shape[place + 1 :]) for place in range(len(shape)))
        gates.append(Gate(asks, strides, tuple(place for place, _ in conditions), offs, table, classes))
    return tuple(gates)


def readings(choice: Choice) -> tuple[Option, ...]:
    """What conditions may read of a choice: its options, and what it reads as while it is inactive, if that is said."""
    return (*choice.options, *_off(choice))


def told_apart(conditions: Sequence[Expr], choice: Choice) -> NDArray[np.int64]:
    """Numbers (R,) of the `readings` of a choice, the same for those that no condition tells apart."""
    values = option_array(readings(choice))
    seen: list[list[Any]] = [[] for _ in values]
    for part in (part for condition in conditions for part in parts_of(condition, choice)):
        for of, value in zip(seen, np.asarray(part.evaluate(lambda asked: values)).tolist(), strict=True):
            of.append(value)
    known: dict[tuple[Any, ...], int] = {}
    return np.asarray([known.setdefault(tuple(of), len(known)) for of in seen], dtype=np.int64)


def _off(choice: Choice) -> tuple[Option, ...]:
    return () if choice.off is None else (choice.off,)


def _truth(name: str, when: Expr, options: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    values = np.asarray(when.evaluate(lambda asked: options[asked.name]))
    wrong = [value for value in values.tolist() if not isinstance(value, bool | int | float)]
    if wrong:
        raise UsageError(
            f"The condition of the choice {name!r} is {when}, which takes the value {wrong[0]!r}; "
            "a condition is true or false, such as depth > 2 or kind.is_in((…))."
        )
    return values.astype(bool)


def gates_of(choice: Choice) -> tuple[Choice, ...]:
    """The choices that decide whether a choice is on, and those that decide these."""
    direct = () if choice.when is None else choice.when.choices()
    return tuple(dict.fromkeys([*direct, *(gate for each in direct for gate in gates_of(each))]))
