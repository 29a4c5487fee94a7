"""An evaluated architecture, in memory and in the files of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from supernet.io import schema
from supernet.space import Arch, Space

__all__ = ["Evaluation", "Point"]


@dataclass(frozen=True)
class Evaluation:
    """An evaluated architecture: its values by name, and the round of `ask` in which it was evaluated."""

    arch: Arch
    values: Mapping[str, float]
    generation: int

    def to_json(self) -> dict[str, Any]:
        return {"arch": self.arch.options(), "values": dict(self.values), "generation": self.generation}


class Point(msgspec.Struct, frozen=True):
    """An evaluated architecture as it stands in `search.jsonl` and `front.json`: readable without the space.

    Args:
        arch: The option of every active choice, by the choice's name.
        values: The values of the quantities, by their names.
        generation: The round of `ask` in which it was evaluated; files of older versions do not say so.
    """

    arch: schema.Arch
    values: dict[str, float]
    generation: int | None = None

    def evaluation(self, space: Space) -> Evaluation:
        """The same in its space.

        Raises:
            UsageError: it is not an architecture of the space.
        """
        return Evaluation(space.arch(self.arch), self.values, self.generation or 0)
