"""One architecture of a space: immutable, hashable, validated, and readable as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.space import text
from supernet.space.expression import Option

if TYPE_CHECKING:
    from supernet.space.space import Space

Codes: TypeAlias = NDArray[np.int16]
"""A population: integer array (N, D), one row per architecture, one column per choice, entries are the
positions of the chosen options."""


@dataclass(frozen=True, eq=False, repr=False)
class Arch(Mapping[str, Option | None]):
    """An architecture: one option for every active choice of its space.

    Made by a `Space` (`space.sample`, `space.arch`, `space.parse` …), which validates it. Reads like a
    mapping from choice name to option; an inactive choice (its `when` is false) reads as None. Two
    architectures are equal when they belong to the same space and decide alike wherever it matters.
    `str(arch)` is its text, such as `depth=2,kernel=3`: the one form for files, tables and the command line, which
    `space.parse` reads.

    Attributes:
        space: The space, or the sub-space it was drawn from.
        code: Position of the chosen option, per choice; 0 for an inactive one.
        active: Whether the choice matters, per choice.
    """

    space: Space
    code: tuple[int, ...]
    active: tuple[bool, ...]

    def __getitem__(self, name: str) -> Option | None:
        column = self.space.column(name)
        return self.space.choices[column].options[self.code[column]] if self.active[column] else None

    def __iter__(self) -> Iterator[str]:
        return iter(self.space.names)

    def __len__(self) -> int:
        return len(self.code)

    def __hash__(self) -> int:
        return hash((self.space.fingerprint, self.code))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Arch):
            return NotImplemented
        return self.code == other.code and self.space.fingerprint == other.space.fingerprint

    def options(self) -> dict[str, Option]:
        """The active decisions only, in the order of the space."""
        return {name: option for name, option in self.items() if option is not None}

    def to_json(self) -> dict[str, Any]:
        """A JSON-able form that carries the fingerprint of its space; `Space.from_json` reads it back."""
        return {"space": self.space.fingerprint, "decisions": self.options()}

    def __str__(self) -> str:
        return text.write(self)

    def __repr__(self) -> str:
        return "Arch(" + ", ".join(f"{name}={option}" for name, option in self.options().items()) + ")"

    def __copy__(self) -> Arch:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Arch:
        return self


def no_architecture(given: object) -> UsageError:
    """Why something is no architecture, and what would be."""
    held = getattr(given, "arch", None)
    if isinstance(held, Arch):
        return UsageError(f"An architecture is needed, but this is the {type(given).__name__} of one. Give its .arch.")
    several = ", one at a time" if isinstance(given, list | tuple) else ""
    return UsageError(
        f"An architecture is needed{several}, but {str(given)[:80]!r} is a {type(given).__name__}. Make one with "
        "space.arch({choice: option, …}) or space.parse(text); a front has it as front.best().arch."
    )
