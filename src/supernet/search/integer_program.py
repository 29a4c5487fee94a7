"""The best architecture under sums of terms, by integer programming: exact where scores and costs add up."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from supernet.errors import RunError, UsageError
from supernet.measure.costs.tables import Term, grid, joint
from supernet.space import Arch, Choice, Space
from supernet.space.gates import gates_of

_MAX_TABLE = 2**14
"""Settings above which a term of several choices is not written out."""


@dataclass(frozen=True)
class Solution:
    """What an integer program found.

    Attributes:
        arch: The architecture.
        value: The sum that was to be small.
        bound: What no architecture within the limits can be below.
        costs: The sums that are limited, by name.
        seconds: What it took.
    """

    arch: Arch
    value: float
    bound: float
    costs: Mapping[str, float]
    seconds: float

    @property
    def gap(self) -> float:
        """By how much an architecture within the limits could be better at most; 0: it is the best."""
        found = self.value - self.bound
        return found if found > 1e-9 * max(1.0, abs(self.value)) else 0.0


def smallest_sum(
    space: Space,
    objective: Sequence[Term],
    limits: Mapping[str, tuple[Sequence[Term], float]],
    *,
    seconds: float = 60.0,
) -> Solution:
    """The architecture with the smallest sum of terms among those whose other sums keep to their limits.

    Exact for any terms that can be tabulated. Option o of choice c is a binary variable x; a term of several choices
    has a variable y for each of their joint settings, whose sums over all settings with one option equal its x, so that
    y is 1 for the setting that is chosen alone. Solved by HiGHS through SciPy.

    Args:
        space: The space of the architectures.
        objective: The terms whose sum is to be small, such as what options damage.
        limits: Terms and the upper bound of their sum, by name, such as `{"macs": (costs.terms("macs"), 2e6)}`.
        seconds: Time after which the best that was found counts, if there is any.

    Raises:
        UsageError: no architecture keeps to the limits, or a term depends on too many choices.
        RunError: nothing was found in this time.

    >>> from supernet.measure.costs.tables import Tabulated
    >>> a, b = Choice("a", (1, 2, 3)), Choice("b", (10, 20))
    >>> found = smallest_sum(Space([a, b]), [Term(Tabulated([a], (5, 1, 0))), Term(Tabulated([b], (2, 0)))],
    ...                      {"product": ([Term(a * b)], 40)})
    >>> found.arch, found.value
    (Arch(a=2, b=20), 1.0)
    """
    began = time.monotonic()
    program = _Program(space)
    wanted = program.row(objective)
    rows = [(program.row(terms), limit) for terms, limit in limits.values()]
    most = program.most()
    integral = np.zeros(program.size)
    integral[: program.options] = 1
    constraints = [program.consistent()]  # after all rows: they make the variables
    for row, limit in rows:
        # The solver's tolerances are absolute: a limit of millions is brought to the size of 1.
        scale = max(abs(limit - row.constant), 1e-12)
        constraints.append(LinearConstraint(row.filled(program.size) / scale, -np.inf, (limit - row.constant) / scale))
    found = milp(
        wanted.filled(program.size),
        constraints=constraints,
        integrality=integral,
        bounds=Bounds(0, most),
        options={"time_limit": seconds, "mip_rel_gap": 0.0},
    )
    if found.status == 2:
        raise UsageError(_impossible(space, limits))
    if found.x is None:
        raise RunError(
            f"No architecture was found in {seconds:g} seconds ({found.message}). Give more time, or fewer options."
        )
    codes = space.canonical(program.codes(found.x))
    arch = space.wrap(codes)[0]
    costs = {name: _sum(space, terms, codes) for name, (terms, _) in limits.items()}
    over = {name: costs[name] - limit for name, (_, limit) in limits.items() if costs[name] > limit}
    if over:  # within the solver's tolerance, but over: asked again for less
        tighter = {name: (terms, limit - 2 * over.get(name, 0.0)) for name, (terms, limit) in limits.items()}
        return smallest_sum(space, objective, tighter, seconds=seconds)
    return Solution(
        arch=arch,
        value=_sum(space, objective, codes),
        bound=float(found.mip_dual_bound) + wanted.constant,
        costs=costs,
        seconds=time.monotonic() - began,
    )


@dataclass
class _Row:
    """A linear form over the variables: coefficients by place, and a constant."""

    coefficients: dict[int, float]
    constant: float = 0.0

    def filled(self, size: int) -> NDArray[np.float64]:
        """As one number per variable."""
        full = np.zeros(size)
        full[list(self.coefficients)] = list(self.coefficients.values())
        return full


class _Program:
    """Variables: the options of every choice, then the settings of the groups of choices that terms ask for."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.first = dict(zip(space.choices, np.cumsum([0, *map(len, space.choices)]), strict=False))
        self.options = self.size = sum(map(len, space.choices))
        self.groups: dict[tuple[Choice, ...], int] = {}

    def row(self, terms: Sequence[Term]) -> _Row:
        """A sum of terms as a linear form."""
        row = _Row({})
        for term in terms:
            choices = tuple(choice for choice in self.space.choices if choice in set(term.choices()))
            if joint(choices) > _MAX_TABLE:
                raise UsageError(
                    f"A cost depends on {len(choices)} choices with {joint(choices):,} joint settings, more than "
                    f"{_MAX_TABLE:,}: {', '.join(choice.name for choice in choices)}. Give fewer options, or search."
                )
            values = term.evaluate(self.space, grid(self.space, choices))
            if not choices:
                row.constant += float(values[0])
                continue
            start = self._place(choices)
            for number, found in enumerate(values.tolist()):
                if found:
                    row.coefficients[start + number] = row.coefficients.get(start + number, 0.0) + found
        return row

    def _place(self, choices: tuple[Choice, ...]) -> int:
        if len(choices) == 1:
            return int(self.first[choices[0]])
        if choices not in self.groups:
            self.groups[choices] = self.size
            self.size += joint(choices)
        return self.groups[choices]

    def most(self) -> NDArray[np.float64]:
        """What each variable may be at most: 0 for settings in which a choice that is off has another code than 0."""
        closed: list[int] = []
        for choice in self.space.choices:
            gates = gates_of(choice)
            if gates:
                choices = tuple(each for each in self.space.choices if each in {*gates, choice})
                codes = grid(self.space, choices)
                column = self.space.column(choice.name)
                idle = ~self.space.active_mask(codes)[:, column] & (codes[:, column] != 0)
                closed += (self._place(choices) + np.flatnonzero(idle)).tolist()
        most = np.ones(self.size)
        most[closed] = 0
        return most

    def consistent(self) -> LinearConstraint:
        """One option per choice, and settings that agree with the options."""
        rows: list[dict[int, float]] = []
        right: list[float] = []
        for choice in self.space.choices:
            rows.append(dict.fromkeys(range(int(self.first[choice]), int(self.first[choice]) + len(choice)), 1.0))
            right.append(1.0)
        for choices, start in self.groups.items():
            codes = grid(self.space, choices)
            for choice in choices:
                column = codes[:, self.space.column(choice.name)]
                for option in range(len(choice)):
                    places = start + np.flatnonzero(column == option)
                    rows.append({**dict.fromkeys(places.tolist(), 1.0), int(self.first[choice]) + option: -1.0})
                    right.append(0.0)
        matrix = csr_array(
            (
                [value for row in rows for value in row.values()],
                ([number for number, row in enumerate(rows) for _ in row], [place for row in rows for place in row]),
            ),
            shape=(len(rows), self.size),
        )
        return LinearConstraint(matrix, right, right)

    def codes(self, found: NDArray[np.float64]) -> NDArray[np.int16]:
        """The population (1, D) of the options that are 1."""
        own = [found[self.first[c] : self.first[c] + len(c)].argmax() for c in self.space.choices]
        return np.asarray([own], dtype=np.int16)


def _sum(space: Space, terms: Sequence[Term], codes: NDArray[np.int16]) -> float:
    return math.fsum(float(term.evaluate(space, codes)[0]) for term in terms)


def _impossible(space: Space, limits: Mapping[str, tuple[Sequence[Term], float]]) -> str:
    smallest = space.codes([space.smallest()])
    told = ", ".join(
        f"{name} {_sum(space, terms, smallest):.6g} where at most {limit:.6g} was asked for"
        for name, (terms, limit) in limits.items()
    )
    return f"No architecture keeps to the limits; the smallest one has {told}. Keep more, or offer smaller options."
