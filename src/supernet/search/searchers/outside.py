"""Any optimiser from outside that can be asked and told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np

from supernet import catalog
from supernet.errors import RunError, UsageError
from supernet.io.section import Positive, Section, checked
from supernet.search.problem import Problem, Rounds
from supernet.search.sampler import Code, distinct, population, sampler_of
from supernet.space import Arch

__all__ = ["Optimiser"]


class Optimiser(Protocol):
    """What an optimiser of another package is adapted to, in a few lines."""

    def ask(self) -> tuple[Any, Mapping[str, Any]]:
        """A handle of its own, and the option of each choice by name; of choices that do not matter any or none."""
        ...

    def tell(self, handle: Any, losses: Sequence[float] | None) -> None:
        """The objectives of what a handle stands for, less being better; None: it is not allowed."""
        ...


Make: TypeAlias = Callable[[Problem], Optimiser]


@dataclass(frozen=True, kw_only=True)
class Outside(Section, place="outside.", without=("make",)):
    """An optimiser of another package, adapted by two methods, `ask` and `tell`.

    It is asked for architectures, and told their losses. What it asks for that is not allowed by the cheap constraints
    it is told as such, at no cost; after `attempts` of these in a row an architecture is drawn at random, and it is
    told nothing of that. What it asks for again it is told again at once. Constraints that are only known once
    measured make the losses worse: their relative violation, times 1,000, is added.

    A killed search asks it anew and answers from the record, so the optimiser must be deterministic: given the seed of
    the problem and the same answers, it asks for the same.

    Args:
        make: Makes the optimiser of a `Problem`: a function, or its place as `module:name`.
        batch: Number of architectures that are asked for before any is told.
        attempts: Number of questions in a row that lead to nothing new and feasible.

    Raises:
        UsageError: a number outside its range, or no function.
    """

    name: ClassVar[str] = "outside"

    make: Make | str = ""
    batch: Positive = 1
    attempts: Positive = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.make):
            checked("outside.make", self.make, str)
            if not catalog.is_own(self.make):
                raise UsageError(f"outside.make is {self.make!r}; it must be a function, or its place as module:name.")

    def begin(self, problem: Problem) -> Rounds:
        """Start a search, see `Searcher`.

        Raises:
            UsageError: the function cannot be found, or refuses the problem.
        """
        make = catalog.load("searchers", self.make) if isinstance(self.make, str) else self.make
        asking = Asking(problem, make(problem), batch=self.batch, attempts=self.attempts)
        return Rounds(asking.round, asking.learn)


class Asking:
    """Rounds of questions to an optimiser."""

    def __init__(self, problem: Problem, optimiser: Optimiser, *, batch: int, attempts: int) -> None:
        self.problem, self.optimiser, self.batch, self.attempts = problem, optimiser, batch, attempts
        self._sampler = sampler_of(problem, np.random.default_rng([problem.seed, 3]))
        self._first = [] if problem.initial is None else problem.space.wrap(problem.initial)
        self._waiting: dict[Arch, list[Any]] = {}
        self._known: dict[Arch, tuple[float, ...]] = {}
        self._visited: set[Code] = set()

    def round(self) -> list[Arch]:
        """The architectures of a batch, all new."""
        if self.problem.keep is not None:
            self._visited.clear()
            self._known.clear()
        found, self._first = list(dict.fromkeys(self._first)), []
        self._visited.update(arch.code for arch in found)
        idle = 0
        while len(found) < self.batch and idle < self.attempts:
            handle, options = self.optimiser.ask()
            arch = self._arch(options)
            if not self.problem.feasible(self.problem.space.codes([arch]))[0]:
                self.optimiser.tell(handle, None)
            elif arch in self._known:
                self.optimiser.tell(handle, self._known[arch])
            else:
                self._waiting.setdefault(arch, []).append(handle)
                if arch.code not in self._visited:
                    self._visited.add(arch.code)
                    found.append(arch)
                    idle = -1
            idle += 1
        drawn = distinct(self._sampler.draw(self.batch - len(found), self._visited))
        self._visited.update(drawn)
        return found + self.problem.space.wrap(population(self.problem.space, drawn))

    def learn(self, archs: Sequence[Arch], values: Sequence[Mapping[str, float]]) -> None:
        for arch, told in zip(archs, values, strict=True):
            violation, *losses = self.problem.rank(told)
            self._known[arch] = tuple(loss + 1000 * violation for loss in losses)
            for handle in self._waiting.pop(arch, []):
                self.optimiser.tell(handle, self._known[arch])

    def _arch(self, options: Mapping[str, Any]) -> Arch:
        try:
            return self.problem.space.arch(options)
        except UsageError as error:
            raise RunError(f"{type(self.optimiser).__name__} asked for what is no architecture: {error}") from error
