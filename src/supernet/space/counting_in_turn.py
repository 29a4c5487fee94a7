"""Counting and numbering of architectures choice after choice, for conditions with too many joint settings to list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.space.arch import Codes
from supernet.space.choice import Choice
from supernet.space.expression import Expr, Option
from supernet.space.gates import readings, told_apart

_MOST_STATES = 2**14
_HINDERS = -1  # an inactive choice that reads as nothing: what asks about it is inactive too

State: TypeAlias = tuple[int, ...]
"""What later conditions read of the choices that are decided, by the place in which each of them is asked about."""


class InTurn:
    """Choices linked by conditions, decided in turn: what was decided counts as far as later conditions tell it apart.

    Of routes through a graph that is where one stands, so that long ones are counted in no time, though there are more
    settings of their gates than can be listed. A number has a part per choice: the architectures of all options before
    the one that is taken.

    Args:
        columns: The columns of the choices, ascending.
        choices: All choices of the space; what conditions mention comes first.
        allowed: Per choice the codes that are allowed, ascending.

    Raises:
        UsageError: conditions tell more than 16,384 states apart at once.
    """

    size: int

    def __init__(self, columns: Sequence[int], choices: Sequence[Choice], allowed: Sequence[Codes]) -> None:
        self._choices, self._allowed = choices, [codes.tolist() for codes in allowed]
        place = {choices[column].name: number for number, column in enumerate(columns)}
        asks = [
            [] if (when := choices[column].when) is None else [place[gate.name] for gate in when.choices()]
            for column in columns
        ]
        asked = {gate for gates in asks for gate in gates}
        # A choice that no other asks about follows the last one that it asks about: gates are soon forgotten.
        turn = sorted(range(len(columns)), key=lambda n: (n, 0) if n in asked else (max(asks[n], default=n), 1))
        self._columns = [columns[number] for number in turn]
        self._asks = [[turn.index(gate) for gate in asks[number]] for number in turn]
        self._later = [
            [at for at, gates in enumerate(self._asks) if number in gates] for number in range(len(self._columns))
        ]
        self._kept = [self._left(number) for number in range(len(self._columns) + 1)]
        self._steps: list[dict[State, list[tuple[int | None, State, int]]]] = []
        self._reads = [self._representatives(number) for number in range(len(self._columns))]
        self._fill()
        self.dtype: Any = np.int64 if self.size < 2**63 else object

    def _left(self, number: int) -> list[int]:
        """The places before this one that are asked about here or later."""
        return [gate for gate in range(number) if any(at >= number for at in self._later[gate])]

    def _representatives(self, gate: int) -> dict[int, list[int]]:
        """For each later place: the reading that stands for each reading of a choice from there on."""
        choice = self._choices[self._columns[gate]]
        found = {}
        for at in range(gate + 1, max(self._later[gate], default=gate) + 1):
            conditions = [self._when(later) for later in self._later[gate] if later >= at]
            classes = told_apart(conditions, choice).tolist()
            found[at] = [classes.index(number) for number in classes]
        return found

    def _when(self, at: int) -> Expr:
        when = self._choices[self._columns[at]].when
        assert when is not None
        return when

    def _active(self, at: int, state: State) -> bool:
        when = self._choices[self._columns[at]].when
        if when is None:
            return True
        held = dict(zip(self._kept[at], state, strict=True))
        options: dict[Choice, Option] = {}
        for gate in self._asks[at]:
            if held[gate] == _HINDERS:
                return False
            choice = self._choices[self._columns[gate]]
            options[choice] = readings(choice)[held[gate]]
        return bool(when.evaluate(options.__getitem__))

    def _next(self, at: int, state: State, code: int | None) -> State:
        """The state behind a choice that takes a code; None: it is inactive."""
        held = dict(zip(self._kept[at], state, strict=True))
        choice = self._choices[self._columns[at]]
        if code is None:
            code = _HINDERS if choice.off is None else len(choice)
        held[at] = code
        return tuple(
            held[gate] if held[gate] == _HINDERS else self._reads[gate][at + 1][held[gate]]
            for gate in self._kept[at + 1]
        )

    def _options(self, at: int, state: State) -> list[int | None]:
        """What a choice may be: the allowed codes, or nothing while it is inactive."""
        return list(self._allowed[self._columns[at]]) if self._active(at, state) else [None]

    def _fill(self) -> None:
        """Count the ways on from every state that can come up, from the last choice back to the first."""
        layers: list[dict[State, list[tuple[int | None, State]]]] = []
        states: dict[State, None] = {(): None}
        for at in range(len(self._columns)):
            layers.append({s: [(code, self._next(at, s, code)) for code in self._options(at, s)] for s in states})
            states = dict.fromkeys(after for ways in layers[-1].values() for _, after in ways)
            if len(states) > _MOST_STATES:
                raise UsageError(
                    f"The conditions on {self._choices[self._columns[0]].name!r} and the choices linked to it tell "
                    f"{len(states):,} states apart; at most {_MOST_STATES:,} can be counted. Use independent "
                    "conditions."
                )
        counts = dict.fromkeys(states, 1)
        for layer in reversed(layers):
            steps = {state: [(code, after, counts[after]) for code, after in ways] for state, ways in layer.items()}
            self._steps.insert(0, steps)
            counts = {state: sum(count for _, _, count in ways) for state, ways in steps.items()}
        self.size = counts[()]

    def index(self, codes: Codes, active: NDArray[np.bool_]) -> NDArray[Any]:
        """Number (N,) of each row."""
        return np.asarray([self._number(code) for code in codes.tolist()], dtype=self.dtype)

    def _number(self, code: Sequence[int]) -> int:
        number, state = 0, cast(State, ())
        for at, column in enumerate(self._columns):
            for option, after, ways in self._steps[at][state]:
                if option is None or option == code[column]:
                    state = after
                    break
                number += ways
        return number

    def unindex(self, numbers: NDArray[Any], codes: Codes) -> None:
        """Write the columns of the numbered rows into `codes`."""
        for row, left in enumerate(numbers.tolist()):
            state: State = ()
            for at, column in enumerate(self._columns):
                for option, after, ways in self._steps[at][state]:
                    if left < ways:
                        codes[row, column] = 0 if option is None else option
                        state = after
                        break
                    left -= ways
