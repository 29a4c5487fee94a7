"""What may go on beside a search: the protocol of `wrap=`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from supernet.search.evaluation import Evaluation
from supernet.search.evaluator import Evaluator
from supernet.space import Arch

__all__ = ["Companion", "Wrap"]


class Companion(Protocol):
    """Follows one search from its beginning to its end."""

    def begin_generation(self, generation: int, evaluations: int) -> None:
        """A round of `ask` begins, after so many evaluations."""

    def candidate(self, arch: Arch, number: int, evaluate: Callable[[], Evaluation]) -> Evaluation:
        """Candidate `number` (from 0) of the search is up: return what `evaluate()` tells, called once."""

    def end(self, evaluations: int) -> None:
        """The search has ended."""


class Wrap(Protocol):
    """A setting that makes companions, such as `Shifting`."""

    @property
    def keep(self) -> int | None:
        """How many architectures the search remembers, with their latest values, as they may be asked for again.

        None: values do not go stale; everything is remembered and nothing evaluated twice.
        """

    def begin(self, evaluator: Evaluator, *, seed: int, out: Path | None, recorded: int) -> Companion:
        """Start beside a search.

        Args:
            evaluator: Where the values of the search come from.
            seed: Seed of everything random.
            out: Folder of the search; None keeps nothing.
            recorded: How many evaluations are on record; above 0 the search is being resumed.
        """

    def describe(self) -> Mapping[str, Any]:
        """The settings as JSON, for `front.json`."""
