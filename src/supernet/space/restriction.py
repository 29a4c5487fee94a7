"""The part of a space that is still open: options are forbidden, decided and given back as a training goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.space.expression import Option
from supernet.space.space import Space


class Restriction:
    """The options of a space that are allowed now; at first all of them.

    Args:
        whole: The space.
        kept: The allowed positions by choice name, where not all are allowed. An empty dictionary is filled; a
            checkpoint that holds it needs to know nothing else.

    >>> from supernet.space import Choice
    >>> restriction = Restriction(Space([Choice("op", ("none", "skip", "conv")), Choice("width", (8, 16))]))
    >>> restriction.allow("op", ("skip", "conv"))
    >>> restriction.space.size, restriction.decided("op")
    (4, None)
    >>> restriction.decide("op", "conv")
    >>> restriction.decided("op"), restriction.space.size
    (2, 2)
    >>> restriction.release("op")
    >>> restriction.space.size
    6
    """

    def __init__(self, whole: Space, kept: dict[str, list[int]] | None = None) -> None:
        self.whole = whole
        self.kept: dict[str, list[int]] = {} if kept is None else kept
        self._made: tuple[dict[str, list[int]], Space] = ({}, whole)

    @property
    def space(self) -> Space:
        """What is left of the space."""
        if self._made[0] != self.kept:
            options = {
                name: [self.whole.choices[self.whole.column(name)].options[code] for code in codes]
                for name, codes in self.kept.items()
            }
            self._made = ({name: list(codes) for name, codes in self.kept.items()}, self.whole.restrict(options))
        return self._made[1]

    def allow(self, name: str, options: Sequence[Option]) -> None:
        """Allow these options of a choice, and no others; it may be more than were allowed.

        Raises:
            UsageError: no option is left, or one that the choice does not have.
        """
        choice = self.whole.choices[self.whole.column(name)]
        codes = sorted({choice.position(option) for option in options})
        if not codes:
            raise UsageError(f"No option of {name!r} would be left. Leave at least one of {list(choice.options)}.")
        allowed = self.whole.allowed_codes[self.whole.column(name)].tolist()
        if not set(codes) <= set(allowed):
            raise UsageError(
                f"The options {list(options)} of {name!r} were to be allowed, but the space has only "
                f"{list(self.whole.allowed(name))} of them."
            )
        if codes == allowed:
            self.kept.pop(name, None)
        else:
            self.kept[name] = codes

    def allow_all(self, options: Mapping[str, Sequence[Option]]) -> None:
        """Allow these options, by choice name; choices that are not named stay as they are."""
        for name, of in options.items():
            self.allow(name, of)

    def decide(self, name: str, option: Option) -> None:
        """Leave one option of a choice."""
        self.allow(name, (option,))

    def release(self, name: str) -> None:
        """Allow every option of a choice."""
        self.whole.column(name)
        self.kept.pop(name, None)

    def decided(self, name: str) -> int | None:
        """The position of the one option that is left of a choice; None: several are."""
        allowed = self.allowed(name)
        return allowed[0] if len(allowed) == 1 else None

    def allowed(self, name: str) -> tuple[int, ...]:
        """The positions of the options that are allowed, ascending."""
        column = self.whole.column(name)
        return tuple(self.kept.get(name) or self.whole.allowed_codes[column].tolist())

    def mask(self, name: str) -> NDArray[np.bool_]:
        """(O,) whether each option of a choice is allowed."""
        found = np.zeros(len(self.whole.choices[self.whole.column(name)]), dtype=np.bool_)
        found[list(self.allowed(name))] = True
        return found

    def to_json(self) -> dict[str, Any]:
        """The options that are allowed, by the names of the choices that are restricted, in the order of the space."""
        return {c.name: [c.options[at] for at in self.kept[c.name]] for c in self.whole.choices if c.name in self.kept}
