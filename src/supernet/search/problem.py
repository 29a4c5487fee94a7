"""What a search is given, what it must do, ask and tell, and what may go on beside it (`wrap=`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.quantity import Quantity
from supernet.search.constraints import Constraints
from supernet.search.evaluation import Evaluation, Evaluator
from supernet.space import Arch, Codes, Space

__all__ = ["AskTell", "Companion", "Predicting", "Problem", "Searcher", "Wrap"]


class Terms(NamedTuple):
    """A quantity that is a sum over stages, each a function of its own choices.

    Attributes:
        name: The quantity.
        stages: The choices of each stage, by name.
        of: Tells the term of each stage of an architecture.
    """

    name: str
    stages: tuple[tuple[str, ...], ...]
    of: Callable[[Arch], Sequence[float]]


@dataclass(frozen=True)
class Problem:
    """Everything a searcher may know before it asks for its first value.

    Args:
        space: The space to search.
        objectives: The quantities to optimise.
        seed: Seed of everything random in the searcher.
        feasible: Tells which rows (N,) of a population (N, D) satisfy the constraints that are cheap to check.
        constraints: All constraints, so that values that are told can be judged.
        known: Some feasible architectures (K, D), K ≥ 1, from which others can be reached when chance finds none.
        keep: None: values hold for good. A number: they go stale, so architectures may be asked for again in a later
            generation, the latest values count, and only the best so many are to be remembered.
        initial: Feasible architectures (I, D) to ask for first, in this order, before random ones; of more than a first
            generation holds, the first.
        costs: What is cheap, by name: each a function from a population (N, D) to values (N,).
        terms: The quantity that is a sum over stages; None: none is known to be.
    """

    space: Space
    objectives: tuple[Quantity, ...]
    seed: int
    feasible: Callable[[Codes], NDArray[np.bool_]]
    constraints: Constraints
    known: Codes
    keep: int | None = None
    initial: Codes | None = None
    costs: Mapping[str, Callable[[Codes], NDArray[np.float64]]] = field(default_factory=dict)
    terms: Terms | None = None

    def losses(self, values: Mapping[str, float]) -> tuple[float, ...]:
        """The objectives of one architecture, each with the sign that makes less better."""
        return tuple(objective.loss(values[objective.name]) for objective in self.objectives)

    def rank(self, values: Mapping[str, float]) -> tuple[float, ...]:
        """Sorting key: whatever violates the constraints comes last, by violation; then the objectives."""
        return self.constraints.violation(values), *self.losses(values)

    def require_one_objective(self, searcher: str) -> None:
        """Refuse several objectives.

        Raises:
            UsageError: there are several; names the searchers that can.
        """
        if len(self.objectives) > 1:
            names = ", ".join(objective.name for objective in self.objectives)
            raise UsageError(
                f"{searcher} optimises one objective, but {len(self.objectives)} were given ({names}). Use nsga2 "
                f"(or random) for a front, or keep one objective (--objectives {self.objectives[0].name}) and turn the "
                "others into constraints."
            )


class AskTell(Protocol):
    """A search that has begun: it proposes architectures and learns their values.

    It is deterministic: what it asks follows from its problem and what it was told. It asks only for feasible
    architectures of its space. It may ask again for one it knows: that costs nothing, or where values go stale
    (`Problem.keep`) a new evaluation. What it proposes does not depend on the `n` of `ask`, so that a search can be
    continued with a larger budget.
    """

    def ask(self, n: int) -> list[Arch]:
        """At most `n` architectures to evaluate next; none if there is nothing new to propose."""

    def tell(self, archs: Sequence[Arch], values: Sequence[Mapping[str, float]]) -> None:
        """The values of architectures: objectives and constrained quantities, by name."""


@runtime_checkable
class Predicting(AskTell, Protocol):
    """A search that has begun and asks for what it has predicted to be good."""

    def predicted(self, arch: Arch) -> Mapping[str, float] | None:
        """What was predicted of an architecture before it was asked for; None: nothing, chance drew it."""

    def findings(self) -> Mapping[str, Any]:
        """How good the predictions were, as JSON for `front.json`."""


class Rounds:
    """An `AskTell` that proposes whole rounds, of which as many are handed out at a time as are asked for.

    Args:
        propose: Makes the next round, once all of the last one has been handed out; empty: there is nothing new.
        learn: Takes in values, as `tell`.
    """

    def __init__(
        self,
        propose: Callable[[], list[Arch]],
        learn: Callable[[Sequence[Arch], Sequence[Mapping[str, float]]], None] = lambda archs, values: None,
    ) -> None:
        self._propose, self.tell = propose, learn
        self._queue: list[Arch] = []

    def ask(self, n: int) -> list[Arch]:
        """At most `n` architectures of the present round."""
        if not self._queue:
            self._queue = self._propose()
        asked, self._queue = self._queue[:n], self._queue[n:]
        return asked


@runtime_checkable
class Searcher(Protocol):
    """A published search as a value: a frozen dataclass of its settings, which begins searches.

    The settings are written down when a search begins (`search.json`) and compared when it is resumed. One that cannot
    have several objectives has the attribute `most_objectives`, the largest number that it can have.
    """

    @property
    def name(self) -> str:
        """How results and errors name the searcher."""

    def begin(self, problem: Problem) -> AskTell:
        """Start a search.

        Raises:
            UsageError: the problem is not one that this searcher can do.
        """


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
