"""What a search is asked for, as keywords."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, TypedDict

from supernet.search.constraints import Bounds, Constraints
from supernet.search.problem import Wrap
from supernet.search.survey import Survey
from supernet.space import Arch

__all__ = ["Request"]

Progress: TypeAlias = Callable[[int, int, str], None]
Announce: TypeAlias = Callable[[Survey], None]


class Request(TypedDict, total=False):
    """The keywords of `search.run`, which documents them."""

    objectives: str | Sequence[str]
    constraints: Mapping[str, Bounds] | Constraints | None
    budget: int
    seed: int
    initial: Sequence[Arch]
    out: Path | str | None
    resume: bool
    progress: Progress | None
    announce: Announce | None
    wrap: Wrap | None
    reference: int
