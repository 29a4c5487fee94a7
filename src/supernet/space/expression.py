"""Choices and the expressions derived from them: `width * expand`, `depth > 2`."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from supernet.errors import UsageError

Option: TypeAlias = int | float | str | bool | tuple[Any, ...]
Lookup: TypeAlias = "Callable[[Choice], Any]"

_MAX_JOINT_OPTIONS = 1_000_000


class Expr:
    """A value that depends on decisions. Built from choices with ordinary arithmetic and comparisons.

    `evaluate` works on one architecture and on a whole population alike: the lookup returns a scalar for
    the first, a NumPy array for the second, and the operators do the rest.

    >>> width, ratio = Choice("width", (16, 24)), Choice("ratio", (3, 6))
    >>> (width * ratio).possible()
    (48, 72, 96, 144)
    """

    __slots__ = ()

    def evaluate(self, lookup: Lookup) -> Any:
        """Value of the expression, given `lookup(choice)` for each choice in it."""
        raise TypeError(f"{type(self).__name__} does not define its value: override evaluate(lookup).")

    def choices(self) -> tuple[Choice, ...]:
        """The choices the expression depends on, in order of first appearance."""
        raise TypeError(f"{type(self).__name__} does not name its choices: override choices().")

    def possible(self) -> tuple[Any, ...]:
        """Every value the expression can take, sorted.

        Raises:
            UsageError: the choices in it have more than a million joint options.
        """
        involved = self.choices()
        joint = math.prod(len(choice.options) for choice in involved)
        if joint > _MAX_JOINT_OPTIONS:
            raise UsageError(
                f"The expression {self} depends on {len(involved)} choices with {joint:,} joint options; "
                f"at most {_MAX_JOINT_OPTIONS:,} can be listed. Derive it from fewer choices."
            )
        values = set()
        for options in itertools.product(*(choice.options for choice in involved)):
            table = dict(zip(involved, options, strict=True))
            values.add(self.evaluate(table.__getitem__))
        return tuple(sorted(values))

    def max(self) -> Any:
        """The largest value, the size the supernet's weights need."""
        return self.possible()[-1]

    def min(self) -> Any:
        """The smallest value."""
        return self.possible()[0]

    def map(self, function: Callable[[Any], Any], name: str = "map") -> Expr:
        """A derived expression that applies `function` to each value."""
        return _Operation(name, lambda value: _elementwise(function, value), (self,))

    def is_in(self, options: Sequence[Option]) -> Expr:
        """A condition: the value is one of `options`."""
        allowed = set(options)
        return self.map(lambda value: value in allowed, name=f"in {tuple(options)}")

    def __add__(self, other: Any) -> Expr:
        return _Operation("+", operator.add, (self, other))

    def __radd__(self, other: Any) -> Expr:
        return _Operation("+", operator.add, (other, self))

    def __sub__(self, other: Any) -> Expr:
        return _Operation("-", operator.sub, (self, other))

    def __rsub__(self, other: Any) -> Expr:
        return _Operation("-", operator.sub, (other, self))

    def __mul__(self, other: Any) -> Expr:
        return _Operation("*", operator.mul, (self, other))

    def __rmul__(self, other: Any) -> Expr:
        return _Operation("*", operator.mul, (other, self))

    def __truediv__(self, other: Any) -> Expr:
        return _Operation("/", operator.truediv, (self, other))

    def __floordiv__(self, other: Any) -> Expr:
        return _Operation("//", operator.floordiv, (self, other))

    def __gt__(self, other: Any) -> Expr:
        return _Operation(">", operator.gt, (self, other))

    def __ge__(self, other: Any) -> Expr:
        return _Operation(">=", operator.ge, (self, other))

    def __lt__(self, other: Any) -> Expr:
        return _Operation("<", operator.lt, (self, other))

    def __le__(self, other: Any) -> Expr:
        return _Operation("<=", operator.le, (self, other))

    def __and__(self, other: Any) -> Expr:
        return _Operation("&", np.logical_and, (self, other))

    def __or__(self, other: Any) -> Expr:
        return _Operation("|", np.logical_or, (self, other))

    def __invert__(self) -> Expr:
        return _Operation("not", np.logical_not, (self,))

    def __bool__(self) -> bool:
        raise UsageError(
            f"The expression {self} has no truth value before an architecture is chosen. "
            "Combine conditions with & | ~ instead of and, or, not."
        )

    # A copy of a module keeps the very same choices: that is what ties the copy to the original.
    def __deepcopy__(self, memo: dict[int, Any]) -> Expr:
        return self

    def __copy__(self) -> Expr:
        return self


class Choice(Expr):
    """One architectural decision: a name and the options to decide between.

    Passing the same object to two layers ties them: they always decide alike.

    Args:
        name: Unique within its space, such as `"stage1.width"`.
        options: The distinct options, in the order that codes refer to (code 0 is the first).
        when: Condition under which the decision matters, such as `depth > 2`. While it is false the
            decision is inactive: architectures that differ only there are the same architecture.
        order: The options from smallest to largest, for `Space.smallest` and `Space.largest`.
            Default: numeric order for numbers, else the order of `options`.

    Raises:
        UsageError: no name, no options, duplicate or unsupported options, or an `order` that is not a
            permutation of the options.
    """

    __slots__ = ("name", "options", "order", "when")

    def __init__(
        self,
        name: str,
        options: Sequence[Option],
        *,
        when: Expr | None = None,
        order: Sequence[Option] | None = None,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise UsageError(f"A choice needs a non-empty string as its name; got {name!r}.")
        options = tuple(options) if not isinstance(options, str) else (options,)
        if not options:
            raise UsageError(f"The choice {name!r} has no options; give at least one.")
        for option in options:
            _check_option(name, option)
        if len(set(options)) != len(options):
            raise UsageError(f"The choice {name!r} lists an option twice: {options}. Options must be distinct.")
        if order is None:
            numeric = all(isinstance(option, int | float) for option in options)
            order = tuple(sorted(options)) if numeric else options
        if len(order) != len(options) or set(order) != set(options):
            raise UsageError(
                f"The order of the choice {name!r} is {tuple(order)}, but it must list each of its "
                f"options {options} exactly once."
            )
        self.name = name
        self.options: tuple[Option, ...] = options
        self.when = when
        self.order: tuple[Option, ...] = tuple(order)

    def evaluate(self, lookup: Lookup) -> Any:
        return lookup(self)

    def choices(self) -> tuple[Choice, ...]:
        return (self,)

    def position(self, option: Option) -> int:
        """Code of an option.

        Raises:
            UsageError: it is not among the options.
        """
        try:
            return self.options.index(option)
        except ValueError:
            raise UsageError(f"The choice {self.name!r} has no option {option!r}; it allows {self.options}.") from None

    def __len__(self) -> int:
        return len(self.options)

    def __repr__(self) -> str:
        return f"Choice({self.name!r}, {self.options!r})"

    def __str__(self) -> str:
        return self.name


class _Operation(Expr):
    __slots__ = ("function", "operands", "symbol")

    def __init__(self, symbol: str, function: Callable[..., Any], operands: tuple[Any, ...]) -> None:
        self.symbol, self.function, self.operands = symbol, function, operands

    def evaluate(self, lookup: Lookup) -> Any:
        values = (o.evaluate(lookup) if isinstance(o, Expr) else o for o in self.operands)
        return self.function(*values)

    def choices(self) -> tuple[Choice, ...]:
        found: dict[Choice, None] = {}
        for operand in self.operands:
            if isinstance(operand, Expr):
                found.update(dict.fromkeys(operand.choices()))
        return tuple(found)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        texts = [f"({o})" if isinstance(o, _Operation) else str(o) for o in self.operands]
        if len(texts) == 2:
            return f"{texts[0]} {self.symbol} {texts[1]}"
        return f"{self.symbol}({', '.join(texts)})"


def round_to(value: Expr | float, divisor: int, *, minimum: int | None = None) -> Any:
    """Nearest multiple of `divisor`, never below 90 % of the value (the `make_divisible` of MobileNet).

    Args:
        value: A number or an expression.
        divisor: The result is a multiple of it.
        minimum: Smallest result; default `divisor`.

    >>> round_to(37, 8), round_to(Choice("w", (10, 20)) * 1.5, 8).possible()
    (40, (16, 32))
    """

    def rounded(number: float) -> int:
        result = max(minimum or divisor, int(number + divisor / 2) // divisor * divisor)
        return result + divisor if result < 0.9 * number else result

    return value.map(rounded, name=f"round_to_{divisor}") if isinstance(value, Expr) else rounded(value)


def largest_value(value: Expr | int) -> int:
    """The largest value of a dimension that may be fixed or derived from choices."""
    return int(value.max()) if isinstance(value, Expr) else value


def walk(values: Sequence[Any]) -> Iterator[Choice]:
    """Every choice inside `values`, those of `when` conditions included (conditions first)."""
    for value in values:
        if isinstance(value, Expr):
            for choice in value.choices():
                if choice.when is not None:
                    yield from walk([choice.when])
                yield choice


def _elementwise(function: Callable[[Any], Any], value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return function(value)
    distinct, inverse = np.unique(value, return_inverse=True)
    return np.asarray([function(item) for item in distinct.tolist()])[inverse.reshape(value.shape)]


def _check_option(name: str, option: Any) -> None:
    if isinstance(option, tuple):
        for item in option:
            _check_option(name, item)
    elif not isinstance(option, int | float | str) or (isinstance(option, float) and not math.isfinite(option)):
        raise UsageError(
            f"The choice {name!r} has the option {option!r}; options are finite numbers, strings, "
            "booleans or tuples of these, so that an architecture can be written as JSON."
        )
