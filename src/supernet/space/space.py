"""A space of architectures: which decisions there are, and the algebra of populations over them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.space import text, variation
from supernet.space.arch import Arch, Codes, no_architecture
from supernet.space.choice import Choice
from supernet.space.counting import Product, number_architectures
from supernet.space.expression import Expr, Option, option_array, plain_option, walk
from supernet.space.gates import tabulate


class Space:
    """A finite set of architectures, spanned by choices.

    A population is an integer array (N, D); every operation on populations is vectorised. Codes are always
    positions in the *full* option lists, also in a sub-space made by `restrict` or `split`: an architecture of
    a sub-space is an architecture of the whole space and runs on the same supernet.

    Codes are canonical: the column of an inactive choice holds 0.

    Args:
        choices: The choices, or expressions of them; those their `when` conditions mention come before them.

    Attributes:
        choices: The choices, one per column.
        names: Names of the choices, in the order of the columns.
        allowed_codes: Per choice the codes that this (sub-)space allows, ascending.
        counts: Per choice (D,) how many these are.

    Raises:
        UsageError: two different choices share a name, or a condition cannot be tabulated.

    >>> depth = Choice("depth", (1, 2))
    >>> space = Space([depth, Choice("k1", (3, 5)), Choice("k2", (3, 5), when=depth > 1)])
    >>> space.size
    6
    >>> space.arch({"depth": 1, "k1": 5}).options()
    {'depth': 1, 'k1': 5}
    """

    def __init__(self, choices: Iterable[Expr]) -> None:
        self.choices = _one_per_name(walk(choices))
        self.names = tuple(choice.name for choice in self.choices)
        self._columns = {name: position for position, name in enumerate(self.names)}
        self._gates = tabulate(self.choices)
        self._allow([np.arange(len(choice), dtype=np.int16) for choice in self.choices])

    def _allow(self, codes: Sequence[Codes]) -> None:
        self.allowed_codes = tuple(codes)
        self.counts = np.asarray([len(allowed) for allowed in codes], dtype=np.int64)
        longest = max(self.counts.tolist(), default=0)
        padded = [np.resize(allowed, longest) for allowed in codes]
        self._digit_codes = np.asarray(padded, dtype=np.int16).reshape(len(codes), longest)

    # -- what it is -------------------------------------------------------------------------------------

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that identify the names, the options and what the conditions mean.

        Sub-spaces share their parent's.
        """
        conditions: dict[int, Any] = {}
        for gate in self._gates:
            asked = [self.names[ask] for ask in gate.asks]
            classes = [] if gate.classes is None else [[of.tolist() for of in gate.classes]]
            for place, column in enumerate(gate.columns):
                conditions[column] = [asked, np.packbits(gate.table[:, place]).tobytes().hex(), *classes]
        declared = [[c.name, c.options, conditions.get(column)] for column, c in enumerate(self.choices)]
        return hashlib.sha256(json.dumps(declared).encode()).hexdigest()[:16]

    @cached_property
    def _numbering(self) -> Product:
        return number_architectures(self.choices, self.allowed_codes, self.active_mask)

    @property
    def size(self) -> int:
        """Exact number of distinct architectures (a Python integer of any size).

        Raises:
            UsageError: conditions are too entangled: they tell more than 16,384 states of earlier choices apart.
        """
        return self._numbering.size

    def column(self, name: str) -> int:
        """Column of a choice in the population array.

        Raises:
            UsageError: no choice has this name.
        """
        try:
            return self._columns[name]
        except KeyError:
            raise UsageError(
                f"The space has no choice named {name!r}; it has {text.listed(self.names, wanted=name)}."
            ) from None

    def allowed(self, name: str) -> tuple[Option, ...]:
        """Options of a choice that this (sub-)space allows."""
        position = self.column(name)
        return tuple(self.choices[position].options[code] for code in self.allowed_codes[position])

    def __contains__(self, arch: object) -> bool:
        if not isinstance(arch, Arch) or arch.space.fingerprint != self.fingerprint:
            return False
        return bool(self.contains(self.codes([arch]))[0])

    def contains(self, codes: Codes) -> NDArray[np.bool_]:
        """Which rows (N,) of a population lie in this (sub-)space."""
        inside = np.ones(len(codes), dtype=bool)
        active = self.active_mask(codes)
        for column, (choice, allowed) in enumerate(zip(self.choices, self.allowed_codes, strict=True)):
            if len(allowed) < len(choice):
                permitted = np.zeros(len(choice), dtype=bool)
                permitted[allowed] = True
                inside &= ~active[:, column] | permitted[codes[:, column]]
        return inside

    def __len__(self) -> int:
        return len(self.choices)

    def __repr__(self) -> str:
        return f"Space({len(self)} choices, {self.size:,} architectures, fingerprint {self.fingerprint})"

    # Never changes once built; and a copy of a network keeps its choices, so it keeps its space.
    def __copy__(self) -> Space:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Space:
        return self

    # -- architectures ----------------------------------------------------------------------------------

    def arch(self, decisions: Mapping[str, Any]) -> Arch:
        """The architecture with these options.

        Inactive choices may be left out or None; an option given for one is checked, and then makes no difference.

        Raises:
            UsageError: an unknown choice, a missing active choice, or an option that is not allowed.
        """
        if not isinstance(decisions, Mapping):
            raise no_architecture(decisions)
        for name in decisions:
            self.column(name)
        code, missing = [], []
        for choice in self.choices:
            option = plain_option(decisions.get(choice.name))
            missing.append(option is None)
            if option is not None and option not in self.allowed(choice.name):
                raise text.no_option(choice.name, option, self.allowed(choice.name))
            code.append(0 if option is None else choice.position(option))
        arch = self._arch(code)
        undecided = [
            name for name, lacks, active in zip(self.names, missing, arch.active, strict=True) if lacks and active
        ]
        if undecided:
            raise UsageError(f"The architecture does not decide {', '.join(undecided)}; give an option for each.")
        return arch

    def taken(self, given: Mapping[str, Any]) -> Arch:
        """An architecture of this space as it is, and that of a mapping as `arch` makes it.

        Raises:
            UsageError: an architecture of another space, or something else than either; as `arch`.
        """
        if not isinstance(given, Arch):
            return self.arch(given)
        self.codes([given])
        return given

    parse = text.parse

    def from_json(self, data: Mapping[str, Any]) -> Arch:
        """Read an architecture that `Arch.to_json` wrote.

        Raises:
            UsageError: it belongs to another space, or it is not an architecture at all.
        """
        if (
            not isinstance(data, Mapping)
            or not {"space", "decisions"} <= set(data)
            or not isinstance(data["decisions"], Mapping)
        ):
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
            UsageError: the array is not of integers, has another number of columns, or has an entry that is no
                option of its choice.
        """
        codes = np.asarray(codes)
        if codes.ndim != 2 or codes.shape[1] != len(self):
            raise UsageError(
                f"A population of this space has shape (N, {len(self)}), one column per choice; "
                f"got an array of shape {codes.shape}."
            )
        if codes.dtype.kind not in "iu":
            raise UsageError(
                f"A population holds integers, the positions of the options; got an array of {codes.dtype}. "
                "Round and convert it first."
            )
        options = np.asarray([len(choice) for choice in self.choices], dtype=np.int64)
        wrong = (codes < 0) | (codes >= options)
        if wrong.any():
            column = int(wrong.any(axis=0).argmax())
            raise UsageError(
                f"Column {column} of the population decides {self.names[column]!r}, whose codes are 0 to "
                f"{options[column] - 1}; got values from {codes[:, column].min()} to {codes[:, column].max()}."
            )
        active = self.active_mask(codes)
        rows = np.where(active, codes, 0).tolist()
        return [Arch(self, tuple(row), tuple(on)) for row, on in zip(rows, active.tolist(), strict=True)]

    def _arch(self, code: Sequence[int]) -> Arch:
        active = self.active(code)
        return Arch(self, tuple(c if on else 0 for c, on in zip(code, active, strict=True)), active)

    def codes(self, archs: Sequence[Arch]) -> Codes:
        """Population array (N, D) of architectures, or of mappings as `arch` takes them.

        Raises:
            UsageError: an architecture belongs to another space, or something is no architecture.
        """
        archs = [arch if isinstance(arch, Arch) else self.arch(arch) for arch in archs]
        for arch in archs:
            if arch.space is not self and arch.space.fingerprint != self.fingerprint:
                raise UsageError(
                    f"An architecture of the space {arch.space.fingerprint} was given to the space "
                    f"{self.fingerprint}; architectures do not move between spaces."
                )
        return np.asarray([arch.code for arch in archs], dtype=np.int16).reshape(len(archs), len(self))

    # -- which choices matter ----------------------------------------------------------------------------

    def values(self, codes: Codes, value: Expr | Any) -> Any:
        """Value (N,) of an expression for every row of a population; a constant stays as it is.

        Raises:
            UsageError: the expression depends on a choice that is not of this space.
        """
        if not isinstance(value, Expr):
            return value

        def options(choice: Choice) -> NDArray[Any]:
            column = self.column(choice.name)
            if choice is not self.choices[column] and choice.options != self.choices[column].options:
                raise UsageError(
                    f"The expression {value} asks about a choice {choice.name!r} with the options {choice.options}, "
                    f"but in this space it has {self.choices[column].options}. Use the choices in space.choices."
                )
            return option_array(choice.options)[codes[:, column]]

        return value.evaluate(options)

    def active_mask(self, codes: Codes) -> NDArray[np.bool_]:
        """Which choices (N, D) matter: their condition holds, and those the condition asks about matter."""
        active = np.ones(codes.shape, dtype=bool)
        for gate in self._gates:
            gate.apply(codes, active)
        return active

    def active(self, code: Sequence[int]) -> tuple[bool, ...]:
        """`active_mask` of one code (D,)."""
        active = [True] * len(self)
        for gate in self._gates:
            gate.apply_one(code, active)
        return tuple(active)

    def canonical(self, codes: Codes) -> Codes:
        """The same architectures with 0 in the columns of inactive choices."""
        return np.where(self.active_mask(codes), codes, np.int16(0))

    # -- drawing and listing -----------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator) -> Arch:
        """One architecture, uniform over the options of every choice (SPOS, eq. 6)."""
        return self._arch(self.draw(rng, 1)[0].tolist())

    def population(
        self, rng: np.random.Generator, n: int, *, per: Literal["choice", "architecture"] = "choice"
    ) -> Codes:
        """Draw a population (N, D) with replacement.

        Args:
            rng: The generator that they are drawn with.
            n: Number of architectures.
            per: `"choice"` draws every decision uniformly and independently, so that with gated choices
                small depths collect more of the probability than their share of the architectures;
                `"architecture"` makes each architecture equally likely.

        Raises:
            UsageError: `per` is neither.
        """
        if per == "choice":
            return self.canonical(self.draw(rng, n))
        if per == "architecture":
            _check_generator(rng)
            return self.unindex(_random_integers(rng, self.size, n))
        raise UsageError(f"Architectures cannot be drawn per {per!r}; use per='choice' or per='architecture'.")

    def draw(self, rng: np.random.Generator, n: int) -> Codes:
        """An allowed option (N, D) for every choice, uniform and independent, inactive choices included."""
        _check_generator(rng)
        digits = rng.random((n, len(self)))
        digits *= self.counts
        return self._digit_codes[np.arange(len(self)), digits.astype(np.int16)]

    def enumerate(self, *, chunk: int = 4096) -> Iterator[Arch]:
        """Every architecture once, in the order of `index`."""
        for start in range(0, self.size, chunk):
            yield from self.wrap(self.unindex(range(start, min(start + chunk, self.size))))

    def index(self, codes: Codes) -> NDArray[Any]:
        """Position (N,) of each architecture in `enumerate`; dtype object beyond 2⁶³ architectures.

        Raises:
            UsageError: an architecture lies outside this sub-space.
        """
        outside = np.flatnonzero(~self.contains(codes))
        if len(outside):
            raise UsageError(
                f"Row {outside[0]} of the population lies outside this sub-space, so it has no position in it. "
                "Select rows with space.contains(codes), or ask the whole space."
            )
        return self._numbering.index(codes, self.active_mask(codes))

    def unindex(self, positions: Sequence[int] | NDArray[Any]) -> Codes:
        """Population (N, D) at these positions of `enumerate`; the inverse of `index`.

        Raises:
            UsageError: a position that is no integer from 0 to size − 1.
        """
        wanted = positions if isinstance(positions, np.ndarray) else np.asarray(list(positions), dtype=object)
        integers = wanted.dtype.kind in "iu" or all(isinstance(number, int) for number in wanted.tolist())
        if not integers or (len(wanted) and not 0 <= wanted.min() <= wanted.max() < self.size):
            raise UsageError(
                f"The space holds {self.size:,} architectures, numbered 0 to {self.size - 1:,}; "
                f"got {str(positions)[:80]}."
            )
        codes = np.zeros((len(wanted), len(self)), dtype=np.int16)
        self._numbering.unindex(wanted.astype(self._numbering.dtype), codes)
        return codes

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
        return self._arch(code)

    # -- variation: the operators are in variation.py ------------------------------------------------------

    mutate = variation.mutate
    change_one = variation.change_one
    crossover = variation.crossover
    neighbours = variation.neighbours

    # -- encodings and sub-spaces ------------------------------------------------------------------------

    def encode(self, codes: Codes, kind: Literal["ordinal", "onehot"] = "onehot") -> NDArray[np.float32]:
        """Features for predictors and clustering.

        Args:
            codes: Population (N, D).
            kind: `"ordinal"` gives (N, D), the place of the option in the choice's `order` scaled to [0, 1];
                `"onehot"` gives (N, Σ options). Inactive choices are all zeros in both.

        Raises:
            UsageError: `kind` is neither.
        """
        active = self.active_mask(codes)
        sizes = np.asarray([len(choice) for choice in self.choices], dtype=np.int64)
        if kind == "onehot":
            onehot = np.zeros((len(codes), int(sizes.sum())), dtype=np.float32)
            onehot[np.arange(len(codes))[:, None], np.cumsum(sizes) - sizes + codes] = active
            return onehot
        if kind == "ordinal":
            ordinal = np.zeros(codes.shape, dtype=np.float32)
            for column, choice in enumerate(self.choices):
                places = np.asarray([choice.order.index(option) for option in choice.options], dtype=np.float32)
                ordinal[:, column] = places[codes[:, column]] / max(len(choice) - 1, 1)
            return ordinal * active
        raise UsageError(f"The encoding {kind!r} does not exist; use 'ordinal' or 'onehot'.")

    def restrict(self, options: Mapping[str, Sequence[Any]]) -> Space:
        """The sub-space in which these choices may only take these options.

        Raises:
            UsageError: an unknown choice, an option this space does not allow, or none left.
        """
        allowed = list(self.allowed_codes)
        for name, given in options.items():
            column = self.column(name)
            wanted = [plain_option(option) for option in given]
            if not wanted or any(option not in self.allowed(name) for option in wanted):
                raise UsageError(
                    f"The choice {name!r} was to be restricted to {wanted}; "
                    f"give at least one of {self.allowed(name)} and nothing else."
                )
            positions = sorted({self.choices[column].position(option) for option in wanted})
            allowed[column] = np.asarray(positions, dtype=np.int16)
        sub = Space(self.choices)
        sub._allow(allowed)
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
        parts = [[option] for option in self.allowed(name)] if groups is None else [list(group) for group in groups]
        flat = [plain_option(option) for part in parts for option in part]
        if not all(parts) or len(flat) != len(set(flat)) or set(flat) != set(self.allowed(name)):
            raise UsageError(
                f"The groups {parts} must hold each of the options {self.allowed(name)} of {name!r} exactly once, "
                "and none may be empty."
            )
        return [self.restrict({name: part}) for part in parts]

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


def _one_per_name(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    by_name: dict[str, Choice] = {}
    for choice in choices:
        if by_name.setdefault(choice.name, choice) is not choice:
            raise UsageError(
                f"Two different choices are named {choice.name!r}. To tie two layers pass them the same "
                "Choice object; to let them differ give each its own name."
            )
    return tuple(by_name.values())


def _check_generator(rng: object) -> None:
    if not isinstance(rng, np.random.Generator):
        raise UsageError(
            f"Architectures are drawn with a generator of NumPy, and {rng!r} is a {type(rng).__name__}. Give "
            "numpy.random.default_rng(0), the same one from draw to draw."
        )


def _random_integers(rng: np.random.Generator, high: int, n: int) -> NDArray[Any]:
    if high < 2**63:
        return rng.integers(high, size=n)
    width = high.bit_length() // 8 + 9  # at least 64 spare bits: the bias of the remainder is below 2⁻⁶⁴
    raw = rng.bytes(n * width)
    numbers = [int.from_bytes(raw[start : start + width], "little") % high for start in range(0, len(raw), width)]
    return np.asarray(numbers, dtype=object)
