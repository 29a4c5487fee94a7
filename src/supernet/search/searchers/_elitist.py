"""Generations of which the best stay: what OFA's and HAT's evolution have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from supernet.search.problem import Problem
from supernet.search.sampler import sampler_of
from supernet.space import Arch, Codes

Mutate: TypeAlias = Callable[[Codes, np.random.Generator], Codes]


class Elitist:
    """A population of which the best `parents` stay and have `mutations` mutants and `crossovers` children.

    Nothing keeps an architecture from being in the population twice, as in both original programs. They try for ever
    to make a feasible child; here a round of `attempts` tries per child, and what is missing is filled with parents.

    Args:
        problem: The problem.
        first: Number of architectures of the first generation.
        parents: Number of best that stay.
        mutations: Number of mutants per generation.
        crossovers: Number of crossover children per generation.
        iterations: Number of generations after the first.
        attempts: Number of tries per child.
        mutate: Makes mutants of architectures (N, D).
        apart: Whether the two parents of a child are two different members.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        first: int,
        parents: int,
        mutations: int,
        crossovers: int,
        iterations: int,
        attempts: int,
        mutate: Mutate,
        apart: bool,
    ) -> None:
        self.problem, self.parents, self.mutations, self.crossovers = problem, parents, mutations, crossovers
        self.left, self.attempts, self.mutate, self.apart = iterations, attempts, mutate, apart
        self._rng = np.random.default_rng(problem.seed)
        self._sampler = sampler_of(problem, self._rng)
        self._first = first
        self._population: list[Arch] = []
        self._ranks: dict[Arch, tuple[float, ...]] = {}

    def learn(self, archs: Sequence[Arch], values: Sequence[Mapping[str, float]]) -> None:
        self._ranks.update((arch, self.problem.rank(told)) for arch, told in zip(archs, values, strict=True))

    def generation(self) -> list[Arch]:
        """The next population, parents included: those are known, or where values go stale looked at again."""
        if not self._population:
            self._population = self.problem.space.wrap(self._sampler.draw(self._first))
            return self._population
        if self.left == 0:
            return []
        self.left -= 1
        parents = sorted(self._population, key=self._ranks.__getitem__)[: self.parents]
        codes = self.problem.space.codes(parents)
        rng, space = self._rng, self.problem.space
        tries = rng.integers(len(codes), size=self.attempts * self.mutations)
        children = self._feasible(self.mutate(codes[tries], rng), self.mutations, codes)
        first = rng.integers(len(codes), size=self.attempts * self.crossovers)
        other = rng.integers(len(codes) - 1, size=len(first)) if self.apart and len(codes) > 1 else None
        second = rng.integers(len(codes), size=len(first)) if other is None else other + (other >= first)
        mixed = space.crossover(codes[first], codes[second], rng)
        children = np.concatenate([children, self._feasible(mixed, self.crossovers, codes)])
        self._population = parents + space.wrap(children)
        return self._population

    def _feasible(self, candidates: Codes, n: int, parents: Codes) -> Codes:
        allowed = candidates[self.problem.feasible(candidates)][:n]
        fill = parents[self._rng.integers(len(parents), size=n - len(allowed))]
        return np.concatenate([allowed, fill])
