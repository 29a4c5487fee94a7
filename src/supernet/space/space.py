"""A space of architectures: which decisions there are, and the algebra of populations over them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.space.arch import Arch
from supernet.space.counting import Counter
from supernet.space.expression import Choice, Expr, Option, walk

Codes: TypeAlias = NDArray[np.int16]
"""A population: integer array (N, D), one row per architecture, one column per choice, entries are the
positions of the chosen options."""


class Space:
    """A finite set of architectures, spanned by choices.

    A population is an integer array (N, D); every operation on populations is vectorised. Codes are always
    positions in the *full* option lists, also in a sub-space made by `restrict` or `split`: an architecture of
    a sub-space is an architecture of the whole space and runs on the same supernet.

    Codes are canonical: the column of an inactive choice holds 0.

    Args:
        choices: The choices; those their `when` conditions mention are added before them.

    Raises:
        UsageError: two different choices share a name, or conditions refer to each other in a circle.

    >>> depth = Choice("depth", (1, 2))
    >>> space = Space([depth, Choice("k1", (3, 5)), Choice("k2", (3, 5), when=depth > 1)])
    >>> space.size
    6
    >>> space.arch({"depth": 1, "k1": 5}).decisions()
    {'depth': 1, 'k1': 5}
    """

    def __init__(self, choices: Iterable[Choice]) -> None:
        self.choices = _ordered(choices)
        self.names = tuple(choice.name for choice in self.choices)
        self._columns = {name: position for position, name in enumerate(self.names)}
        self._allowed = tuple(np.arange(len(choice), dtype=np.int16) for choice in self.choices)
        self._active = lru_cache(maxsize=65536)(self._active_row)

    # -- what it is -------------------------------------------------------------------------------------

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that identify the declaration; sub-spaces share their parent's."""
        declared = [[c.name, c.options, str(c.when) if c.when is not None else None] for c in self.choices]
        return hashlib.sha256(json.dumps(declared).encode()).hexdigest()[:16]

    @cached_property
    def _counter(self) -> Counter:
        return Counter(self.choices, self._allowed)

    @property
    def size(self) -> int:
        """Exact number of distinct architectures (a Python integer of any size)."""
        return self._counter.size

    def column(self, name: str) -> int:
        """Column of a choice in the population array.

        Raises:
            UsageError: no choice has this name.
        """
        try:
            return self._columns[name]
        except KeyError:
            raise UsageError(
                f"The space has no choice named {name!r}; it has {', '.join(map(repr, self.names))}."
            ) from None

    def allowed(self, name: str) -> tuple[Option, ...]:
        """Options of a choice that this (sub-)space allows."""
        position = self.column(name)
        return tuple(self.choices[position].options[i] for i in self._allowed[position])

    def __contains__(self, arch: object) -> bool:
        if not isinstance(arch, Arch) or arch.space.fingerprint != self.fingerprint:
            return False
        return bool(self.contains(np.asarray([arch.code], dtype=np.int16))[0])

    def contains(self, codes: Codes) -> NDArray[np.bool_]:
        """Which rows (N,) of a population lie in this (sub-)space."""
        inside = np.ones(len(codes), dtype=bool)
        active = self.active_mask(codes)
        for column, allowed in enumerate(self._allowed):
            inside &= ~active[:, column] | np.isin(codes[:, column], allowed)
        return inside

    def __len__(self) -> int:
        return len(self.choices)

    def __repr__(self) -> str:
        return f"Space({len(self)} choices, {self.size:,} architectures, fingerprint {self.fingerprint})"

    # -- architectures ----------------------------------------------------------------------------------

    def arch(self, decisions: Mapping[str, Any]) -> Arch:
        """The architecture with these options; inactive choices may be left out or None.

        Raises:
            UsageError: an unknown choice, a missing active choice, or an option that is not allowed.
        """
        for name in decisions:
            self.column(name)
        code = np.zeros((1, len(self)), dtype=np.int16)
        for column, choice in enumerate(self.choices):
            given = decisions.get(choice.name)
            if given is None:
                code[0, column] = -1
                continue
            option = _as_option(given)
            if option not in self.allowed(choice.name):
                raise UsageError(
                    f"The choice {choice.name!r} was given {option!r}; this space allows {self.allowed(choice.name)}."
                )
            code[0, column] = choice.position(option)
        missing = code[0] == -1
        code[0, missing] = 0
        active = self.active_mask(code)[0]
        if (missing & active).any():
            names = [name for name, lacks in zip(self.names, missing & active, strict=True) if lacks]
            raise UsageError(f"The architecture does not decide {', '.join(names)}; give an option for each.")
        return self.wrap(code)[0]

    def from_json(self, data: Mapping[str, Any]) -> Arch:
        """Read an architecture that `Arch.to_json` wrote.

        Raises:
            UsageError: it belongs to another space, or it is not an architecture at all.
        """
        if not isinstance(data, Mapping) or not {"space", "decisions"} <= set(data):
            raise UsageError(
                'An architecture in JSON is {"space": fingerprint, "decisions": {choice: option, …}}; '
                f"got {str(data)[:80]}."
            )
        if data["space"] != self.fingerprint:
            raise UsageError(
                f"The architecture belongs to the space {data['space']}, but this space is {self.fingerprint}. "
                "Load it into the space it was made in (same zoo entry, same options)."
            )
        return self.arch(data["decisions"])

    def wrap(self, codes: Codes) -> list[Arch]:
        """Architectures of a population; rows are brought into canonical form.

        Raises:
            UsageError: the array has another number of columns, or an entry that is no option of its choice.
        """
        codes = np.asarray(codes)
        if codes.ndim != 2 or codes.shape[1] != len(self):
            raise UsageError(
                f"A population of this space has shape (N, {len(self)}), one column per choice; "
                f"got an array of shape {codes.shape}."
            )
        for column, choice in enumerate(self.choices):
            if len(codes) and not 0 <= codes[:, column].min() <= codes[:, column].max() < len(choice):
                raise UsageError(
                    f"Column {column} of the population decides {choice.name!r}, whose codes are 0 to "
                    f"{len(choice) - 1}; got values from {codes[:, column].min()} to {codes[:, column].max()}."
                )
        return [Arch(self, tuple(row)) for row in self.canonical(codes.astype(np.int16)).tolist()]

    def codes(self, archs: Sequence[Arch]) -> Codes:
        """Population array (N, D) of architectures.

        Raises:
            UsageError: an architecture belongs to another space.
        """
        for arch in archs:
            if arch.space is not self and arch.space.fingerprint != self.fingerprint:
                raise UsageError(
                    f"An architecture of the space {arch.space.fingerprint} was given to the space "
                    f"{self.fingerprint}; architectures do not move between spaces."
                )
        return np.asarray([arch.code for arch in archs], dtype=np.int16).reshape(len(archs), len(self))

    # -- which choices matter ----------------------------------------------------------------------------

    def values(self, codes: Codes, value: Expr | Any) -> Any:
        """Value (N,) of an expression for every row of a population; a constant stays as it is."""
        if not isinstance(value, Expr):
            return value
        return value.evaluate(
            lambda choice: _option_array(choice)[codes[:, self.column(choice.name)]],
        )

    def active_mask(self, codes: Codes) -> NDArray[np.bool_]:
        """Which choices (N, D) matter: their condition holds, and those the condition asks about matter."""
        active = np.ones(codes.shape, dtype=bool)
        for column, choice in enumerate(self.choices):
            if choice.when is not None:
                active[:, column] = self.values(codes, choice.when)
                for gate in choice.when.choices():
                    active[:, column] &= active[:, self.column(gate.name)]
        return active

    def active(self, code: tuple[int, ...]) -> tuple[bool, ...]:
        """`active_mask` of one code, remembered."""
        return self._active(code)

    def _active_row(self, code: tuple[int, ...]) -> tuple[bool, ...]:
        return tuple(self.active_mask(np.asarray([code], dtype=np.int16))[0].tolist())

    def canonical(self, codes: Codes) -> Codes:
        """The same architectures with 0 in the columns of inactive choices."""
        if all(choice.when is None for choice in self.choices):
            return codes
        return np.where(self.active_mask(codes), codes, np.int16(0))

    # -- drawing and listing -----------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator) -> Arch:
        """One architecture, uniform over the options of every choice (SPOS, eq. 6)."""
        return self.wrap(self.population(rng, 1))[0]

    def population(
        self, rng: np.random.Generator, n: int, *, per: Literal["choice", "architecture"] = "choice"
    ) -> Codes:
        """Draw a population (N, D) with replacement.

        Args:
            rng: Source of randomness.
            n: Number of architectures.
            per: `"choice"` draws every decision uniformly and independently, so that with gated choices
                small depths collect more architectures; `"architecture"` makes each architecture equally likely.
        """
        if per == "architecture":
            return self.unindex(_random_integers(rng, self.size, n))
        return self.canonical(self._draw(rng, n))

    def _draw(self, rng: np.random.Generator, n: int) -> Codes:
        columns = [allowed[rng.integers(len(allowed), size=n)] for allowed in self._allowed]
        return np.stack(columns, axis=1) if columns else np.zeros((n, 0), dtype=np.int16)

    def enumerate(self, *, chunk: int = 4096) -> Iterator[Arch]:
        """Every architecture once, in the order of `index`."""
        for start in range(0, self.size, chunk):
            yield from self.wrap(self.unindex(range(start, min(start + chunk, self.size))))

    def index(self, codes: Codes) -> NDArray[Any]:
        """Position (N,) of each architecture in `enumerate`; dtype object beyond 2⁶³ architectures."""
        return self._counter.index(codes, self.active_mask(codes))

    def unindex(self, positions: Sequence[int] | NDArray[Any]) -> Codes:
        """Population (N, D) at these positions of `enumerate`; the inverse of `index`.

        Raises:
            UsageError: a position outside 0 … size − 1.
        """
        return self._counter.unindex(positions)

    def largest(self) -> Arch:
        """Every choice at the end of its `order` (for numbers: the largest)."""
        return self._extreme(-1)

    def smallest(self) -> Arch:
        """Every choice at the start of its `order` (for numbers: the smallest)."""
        return self._extreme(0)

    def _extreme(self, end: int) -> Arch:
        code = []
        for choice in self.choices:
            allowed = self.allowed(choice.name)
            code.append(choice.position([option for option in choice.order if option in allowed][end]))
        return self.wrap(np.asarray([code], dtype=np.int16))[0]

    # -- variation ---------------------------------------------------------------------------------------

    def mutate(self, codes: Codes, rng: np.random.Generator, *, p: float) -> Codes:
        """Resample every decision with probability `p`, uniformly over its options (SPOS's mutation).

        A decision that a mutation switches on (a deeper stage, say) is drawn afresh. The draw may hit the old
        option, as in the paper; `change_one` always changes something.
        """
        if not 0 <= p <= 1:
            raise UsageError(f"The mutation probability is {p}; it must lie between 0 and 1.")
        fresh = self._draw(rng, len(codes))
        old = np.where(self.active_mask(codes), codes, fresh)
        return self.canonical(np.where(rng.random(codes.shape) < p, self._draw(rng, len(codes)), old))

    def change_one(self, codes: Codes, rng: np.random.Generator) -> Codes:
        """Give exactly one active decision of every row another option (regularised evolution's mutation).

        Raises:
            UsageError: the space holds a single architecture, so nothing can change.
        """
        several = np.asarray([len(allowed) > 1 for allowed in self._allowed])
        active = self.active_mask(codes)
        movable = active & several
        if len(codes) and not movable.any(axis=1).all():
            raise UsageError("The space leaves an architecture no decision to change; widen the space.")
        keys = np.where(movable, rng.random(codes.shape), -1.0)
        columns = keys.argmax(axis=1)
        mutated = np.where(active, codes, self._draw(rng, len(codes)))
        for column in np.unique(columns):
            rows = np.flatnonzero(columns == column)
            allowed = self._allowed[column]
            # Shift by 1 … n−1 places within the allowed options: uniform over the others.
            place = np.searchsorted(allowed, codes[rows, column])
            shift = rng.integers(1, len(allowed), size=len(rows))
            mutated[rows, column] = allowed[(place + shift) % len(allowed)]
        return self.canonical(mutated)

    def crossover(self, first: Codes, second: Codes, rng: np.random.Generator) -> Codes:
        """Take each decision from either parent with a fair coin; where one parent has it inactive, from the
        other; where both do and the child needs it, drawn afresh."""
        a, b = self.active_mask(first), self.active_mask(second)
        take_first = (a & ~b) | ((a == b) & (rng.random(first.shape) < 0.5))
        child = np.where(take_first, first, second)
        return self.canonical(np.where(a | b, child, self._draw(rng, len(first))))

    def neighbours(self, arch: Arch) -> list[Arch]:
        """Every architecture that differs in one decision. A decision that this switches on takes its first
        allowed option."""
        base = np.asarray([allowed[0] for allowed in self._allowed], dtype=np.int16)
        active = np.asarray(self.active(arch.code))
        code = np.where(active, np.asarray(arch.code, dtype=np.int16), base)
        rows = []
        for column in np.flatnonzero(active):
            for option in self._allowed[column]:
                if option != code[column]:
                    row = code.copy()
                    row[column] = option
                    rows.append(row)
        return self.wrap(np.stack(rows)) if rows else []

    # -- encodings and sub-spaces ------------------------------------------------------------------------

    def encode(self, codes: Codes, kind: Literal["ordinal", "onehot"] = "onehot") -> NDArray[np.float32]:
        """Features for predictors and clustering.

        Args:
            codes: Population (N, D).
            kind: `"ordinal"` gives (N, D), the place of the option in the choice's `order` scaled to [0, 1];
                `"onehot"` gives (N, Σ options). Inactive choices are all zeros in both.
        """
        active = self.active_mask(codes)
        if kind == "ordinal":
            columns = []
            for column, choice in enumerate(self.choices):
                places = np.asarray([choice.order.index(option) for option in choice.options])
                columns.append(places[codes[:, column]] / max(len(choice) - 1, 1))
            return (np.stack(columns, axis=1) * active).astype(np.float32)
        if kind == "onehot":
            blocks = [
                (codes[:, column, None] == np.arange(len(choice))) & active[:, column, None]
                for column, choice in enumerate(self.choices)
            ]
            return np.concatenate(blocks, axis=1).astype(np.float32)
        raise UsageError(f"The encoding {kind!r} does not exist; use 'ordinal' or 'onehot'.")

    def restrict(self, options: Mapping[str, Sequence[Any]]) -> Space:
        """The sub-space in which these choices may only take these options.

        Raises:
            UsageError: an unknown choice, an option this space does not allow, or none left.
        """
        sub = Space.__new__(Space)
        sub.__dict__.update(self.__dict__)
        sub.__dict__.pop("_counter", None)
        allowed = list(self._allowed)
        for name, wanted in options.items():
            column = self.column(name)
            wanted = [_as_option(option) for option in wanted]
            outside = [option for option in wanted if option not in self.allowed(name)]
            if outside or not wanted:
                raise UsageError(
                    f"The choice {name!r} was to be restricted to {wanted}; "
                    f"give at least one of {self.allowed(name)} and nothing else."
                )
            positions = sorted({self.choices[column].position(option) for option in wanted})
            allowed[column] = np.asarray(positions, dtype=np.int16)
        sub._allowed = tuple(allowed)
        return sub

    def split(self, name: str, groups: Sequence[Sequence[Any]] | None = None) -> list[Space]:
        """Partition the space by one choice; default: one sub-space per option.

        Raises:
            UsageError: the groups do not hold each allowed option exactly once, or the choice can be inactive
                (architectures without it would fall into every part).
        """
        if self.choices[self.column(name)].when is not None:
            raise UsageError(
                f"The choice {name!r} only exists under a condition, so it cannot split the space; "
                "split by the choice its condition depends on."
            )
        groups = [[option] for option in self.allowed(name)] if groups is None else groups
        flat = [_as_option(option) for group in groups for option in group]
        if len(flat) != len(set(flat)) or set(flat) != set(self.allowed(name)):
            raise UsageError(
                f"The groups {groups} must hold each of the options {self.allowed(name)} of {name!r} exactly once."
            )
        return [self.restrict({name: group}) for group in groups]

    def to_json(self) -> dict[str, Any]:
        """Declaration of the space, for people and for reports."""
        choices = [
            {
                "name": c.name,
                "options": list(self.allowed(c.name)),
                "when": None if c.when is None else str(c.when),
            }
            for c in self.choices
        ]
        return {"fingerprint": self.fingerprint, "size": str(self.size), "choices": choices}


def _ordered(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    """Conditions before what they gate; each choice once; one object per name."""
    by_name: dict[str, Choice] = {}
    try:
        found = list(walk(list(choices)))
    except RecursionError:
        raise UsageError("The conditions of the choices refer to each other in a circle.") from None
    for choice in found:
        known = by_name.setdefault(choice.name, choice)
        if known is not choice:
            raise UsageError(
                f"Two different choices are named {choice.name!r}. To tie two layers pass them the same "
                "Choice object; to let them differ give each its own name."
            )
    return tuple(by_name.values())


@lru_cache(maxsize=4096)
def _option_array(choice: Choice) -> NDArray[Any]:
    if any(isinstance(option, tuple) for option in choice.options):
        array = np.empty(len(choice), dtype=object)
        array[:] = choice.options
        return array
    return np.asarray(choice.options)


def _as_option(value: Any) -> Any:
    return tuple(_as_option(item) for item in value) if isinstance(value, list | tuple) else value


def _random_integers(rng: np.random.Generator, high: int, n: int) -> NDArray[Any]:
    if high < 2**63:
        return rng.integers(high, size=n)
    words = (high.bit_length() + 64) // 32 + 1  # 64 spare bits: the bias of the remainder is below 2⁻⁶⁴
    draws = rng.integers(2**32, size=(n, words), dtype=np.uint64)
    numbers = [sum(int(word) << (32 * place) for place, word in enumerate(row)) % high for row in draws]
    return np.asarray(numbers, dtype=object)
