"""Choices and the expressions derived from them: `width * expand`, `depth > 2`."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.space.text import no_option, option_text

Option: TypeAlias = int | float | str | bool | tuple[Any, ...]
Lookup: TypeAlias = "Callable[[Choice], Any]"

MAX_JOINT_OPTIONS = 1_000_000
"""As many joint options of several choices are listed to tabulate an expression or a condition of them."""

_MAX_OPTIONS = 2**15  # a population stores codes as int16


class Expr:
    """A value that depends on decisions. Built from choices with ordinary arithmetic and comparisons.

    `evaluate` works on one architecture and on a whole population alike: the lookup returns a scalar for
    the first, a NumPy array for the second, and the operators do the rest.

    >>> width, ratio = Choice("width", (16, 24)), Choice("ratio", (3, 6))
    >>> (width * ratio).possible()
    (48, 72, 96, 144)
    """

    __slots__ = ()
    __array_ufunc__ = None  # np.int64(2) * choice asks the choice, not NumPy, what that means

    def evaluate(self, lookup: Lookup) -> Any:
        """Value of the expression, given `lookup(choice)` for each choice in it."""
        raise TypeError(f"{type(self).__name__} does not define its value: override evaluate(lookup).")

    def choices(self) -> tuple[Choice, ...]:
        """The choices the expression depends on, in order of first appearance."""
        raise TypeError(f"{type(self).__name__} does not name its choices: override choices().")

    def possible(self) -> tuple[Any, ...]:
        """Every value the expression can take, sorted.

        Raises:
            UsageError: the choices in it have more than a million joint options, or its values have no order.
        """
        involved = self.choices()
        joint = math.prod(len(choice) for choice in involved)
        if joint > MAX_JOINT_OPTIONS:
            raise UsageError(
                f"The expression {self} depends on {len(involved)} choices with {joint:,} joint options; "
                f"at most {MAX_JOINT_OPTIONS:,} can be listed. Derive it from fewer choices."
            )
        values = set()
        for options in itertools.product(*(choice.options for choice in involved)):
            table = dict(zip(involved, options, strict=True))
            values.add(self.evaluate(table.__getitem__))
        try:
            return tuple(sorted(values))
        except TypeError:
            raise UsageError(
                f"The values of {self} cannot be sorted: {', '.join(map(repr, values))}. "
                "Where a size is meant give options of one kind."
            ) from None

    def max(self) -> Any:
        """The largest value, the size the supernet's weights need."""
        return self.possible()[-1]

    def min(self) -> Any:
        """The smallest value."""
        return self.possible()[0]

    def map(self, function: Callable[[Any], Any], name: str = "map") -> Expr:
        """A derived expression that applies `function` to each value.

        The function is called once per distinct value and must depend on nothing else. Give a module-level
        function rather than a lambda where the network is to be pickled (multi-process training).
        """
        return _Operation(name, partial(_elementwise, function), (self,))

    def is_in(self, options: Sequence[Option]) -> Expr:
        """A condition: the value is one of `options`."""
        return self.map(partial(operator.contains, frozenset(map(plain_option, options))), name=f"in {tuple(options)}")

    def __add__(self, other: Any) -> Expr:
        return _Operation("+", partial(_arithmetic, operator.add), (self, other))

    def __radd__(self, other: Any) -> Expr:
        return _Operation("+", partial(_arithmetic, operator.add), (other, self))

    def __sub__(self, other: Any) -> Expr:
        return _Operation("-", partial(_arithmetic, operator.sub), (self, other))

    def __rsub__(self, other: Any) -> Expr:
        return _Operation("-", partial(_arithmetic, operator.sub), (other, self))

    def __mul__(self, other: Any) -> Expr:
        return _Operation("*", partial(_arithmetic, operator.mul), (self, other))

    def __rmul__(self, other: Any) -> Expr:
        return _Operation("*", partial(_arithmetic, operator.mul), (other, self))

    def __truediv__(self, other: Any) -> Expr:
        return _Operation("/", partial(_arithmetic, operator.truediv), (self, other))

    def __rtruediv__(self, other: Any) -> Expr:
        return _Operation("/", partial(_arithmetic, operator.truediv), (other, self))

    def __floordiv__(self, other: Any) -> Expr:
        return _Operation("//", partial(_arithmetic, operator.floordiv), (self, other))

    def __rfloordiv__(self, other: Any) -> Expr:
        return _Operation("//", partial(_arithmetic, operator.floordiv), (other, self))

    def __mod__(self, other: Any) -> Expr:
        return _Operation("%", partial(_arithmetic, operator.mod), (self, other))

    def __rmod__(self, other: Any) -> Expr:
        return _Operation("%", partial(_arithmetic, operator.mod), (other, self))

    def __gt__(self, other: Any) -> Expr:
        return _Operation(">", operator.gt, (self, other))

    def __ge__(self, other: Any) -> Expr:
        return _Operation(">=", operator.ge, (self, other))

    def __lt__(self, other: Any) -> Expr:
        return _Operation("<", operator.lt, (self, other))

    def __le__(self, other: Any) -> Expr:
        return _Operation("<=", operator.le, (self, other))

    def __and__(self, other: Any) -> Expr:
        return _Operation("&", partial(_logical, operator.and_), (self, other))

    def __or__(self, other: Any) -> Expr:
        return _Operation("|", partial(_logical, operator.or_), (self, other))

    def __invert__(self) -> Expr:
        return _Operation("not", partial(_logical, operator.xor, True), (self,))

    def __eq__(self, other: object) -> bool:
        """Whether both are the same object; a comparison with a value would look like a condition and never hold."""
        if isinstance(other, Expr) or other is None:
            return self is other
        raise UsageError(
            f"{self} was compared with {other!r} by ==, but it has no value before an architecture is chosen. As a "
            f"condition of another choice write when={self}.is_in(({other!r},)). To run different code for different "
            "options put the code into the candidates of an OpChoice, or derive the module from Mutable and compare "
            "self.selection.option(choice)."
        )

    __hash__ = object.__hash__

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


@dataclass(frozen=True, eq=False, repr=False, init=False)
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
        off: What conditions of other choices read while this one is inactive. Default: an inactive choice switches
            off every choice whose condition asks about it.

    Attributes:
        texts: The options as they stand in the text of an architecture, all distinct.

    Raises:
        UsageError: no name, no options, duplicate or unsupported options, options that read alike as text (3 and
            "3"), a condition that is no expression, an `order` that is not a permutation of the options, or `off` of a
            choice without a condition.

    A route through three blocks, on which the third counts as not reached where the second is not there to lead to it:

    >>> from supernet.space import Space
    >>> first = Choice("first", ("end", "second"))
    >>> second = Choice("second", ("end", "third"), when=first.is_in(("second",)), off="end")
    >>> tail = Choice("tail", (1, 2), when=second.is_in(("end",)))
    >>> [str(arch) for arch in Space([tail]).enumerate()][:3]
    ['first=end,tail=1', 'first=end,tail=2', 'first=second,second=end,tail=1']
    """

    name: str
    options: tuple[Option, ...]
    when: Expr | None
    order: tuple[Option, ...]
    off: Option | None
    texts: tuple[str, ...]

    def __init__(
        self,
        name: str,
        options: Sequence[Option],
        *,
        when: Expr | None = None,
        order: Sequence[Option] | None = None,
        off: Option | None = None,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise UsageError(f"A choice needs a non-empty string as its name; got {name!r}.")
        if isinstance(options, Set | Mapping) or not isinstance(options, Iterable):
            raise UsageError(
                f"The options of the choice {name!r} are {options!r}; give them in an order, such as (8, 16, 24), that "
                "is the same whenever the program runs."
            )
        options = tuple(map(plain_option, options)) if not isinstance(options, str) else (options,)
        if not options:
            raise UsageError(f"The choice {name!r} has no options; give at least one.")
        if len(options) > _MAX_OPTIONS:
            raise UsageError(
                f"The choice {name!r} has {len(options):,} options; at most {_MAX_OPTIONS:,} are possible."
            )
        for option in options:
            _check_option(name, option)
        if len(set(options)) != len(options):
            raise UsageError(f"The choice {name!r} lists an option twice: {options}. Options must be distinct.")
        texts = tuple(map(option_text, options))
        if len(set(texts)) != len(texts):
            alike = next(text for text in texts if texts.count(text) > 1)
            same = [option for option, text in zip(options, texts, strict=True) if text == alike]
            raise UsageError(
                f"The options {' and '.join(map(repr, same))} of the choice {name!r} both read {alike!r} in the text "
                "of an architecture. Rename one, such as 'three' beside 3."
            )
        if when is not None and not isinstance(when, Expr):
            raise UsageError(
                f"The condition of the choice {name!r} is {when!r}, which depends on no choice. "
                "Compare a choice with > >= < <= or is_in((…)); == tells whether two choices are the same object."
            )
        if order is None:
            numeric = all(isinstance(option, int | float) for option in options)
            order = tuple(sorted(options)) if numeric else options
        order = tuple(map(plain_option, order))
        if len(order) != len(options) or set(order) != set(options):
            raise UsageError(
                f"The order of the choice {name!r} is {order}, but it must list each of its "
                f"options {options} exactly once."
            )
        off = plain_option(off)
        if off is not None:
            _check_option(name, off)
            if when is None:
                raise UsageError(
                    f"The choice {name!r} is never inactive, so that nothing reads off={off!r}. Give it a condition "
                    "with when=…, or leave off out."
                )
        fields = {"name": name, "options": options, "when": when, "order": order, "off": off, "texts": texts}
        for field, value in fields.items():
            object.__setattr__(self, field, value)  # frozen: a space relies on its choices staying as they are

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
            raise no_option(self.name, option, self.options) from None

    def __len__(self) -> int:
        return len(self.options)

    def __repr__(self) -> str:
        return f"Choice({self.name!r}, {self.options!r})"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False, repr=False)
class _Operation(Expr):
    symbol: str
    function: Callable[..., Any]
    operands: tuple[Any, ...]

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


def parts_of(value: Expr, choice: Choice) -> tuple[Expr, ...]:
    """The largest parts of an expression that depend on this choice alone; all of it that depends on the choice.

    >>> width, depth = Choice("width", (16, 24)), Choice("depth", (1, 2))
    >>> [str(part) for part in parts_of((width > 16) & (depth > 1), width)]
    ['width > 16']
    """
    involved = value.choices()
    if choice not in involved:
        return ()
    if involved == (choice,):
        return (value,)
    if not isinstance(value, _Operation):
        return (choice,)  # of an unknown kind: every option may make a difference
    return tuple(part for inner in value.operands if isinstance(inner, Expr) for part in parts_of(inner, choice))


def round_to(value: Expr | float, divisor: int, *, minimum: int | None = None) -> Any:
    """Nearest multiple of `divisor`, never below 90 % of the value (the `make_divisible` of MobileNet).

    Args:
        value: A number or an expression.
        divisor: The result is a multiple of it; at least 1.
        minimum: Smallest result; default `divisor`.

    Raises:
        UsageError: the divisor is below 1.

    >>> round_to(37, 8), round_to(Choice("w", (10, 20)) * 1.5, 8).possible()
    (40, (16, 32))
    """
    if divisor < 1:
        raise UsageError(f"Sizes were to be rounded to multiples of {divisor}; the divisor must be at least 1.")
    rounded = partial(_make_divisible, divisor=divisor, minimum=divisor if minimum is None else minimum)
    return value.map(rounded, name=f"round_to_{divisor}") if isinstance(value, Expr) else rounded(value)


def largest_value(value: Expr | int) -> int:
    """The largest value of a dimension that may be fixed or derived from choices.

    Raises:
        UsageError: some value of the expression is not a whole number.
    """
    if not isinstance(value, Expr):
        return value
    possible = value.possible()
    broken = [v for v in possible if not isinstance(v, int | float) or v != int(v)]
    if broken:
        raise UsageError(
            f"A size must be a whole number, but {value} can be {broken[0]!r}. "
            "Use // instead of /, or round_to(size, 8)."
        )
    return int(possible[-1])


def walk(values: Iterable[Any]) -> Iterator[Choice]:
    """Every choice inside `values` once, those of `when` conditions included (conditions first)."""
    found: dict[Choice, None] = {}

    def visit(expression: Expr) -> None:
        for choice in expression.choices():
            if choice not in found:
                if choice.when is not None:
                    visit(choice.when)
                found[choice] = None

    for value in values:
        if not isinstance(value, Expr):
            raise UsageError(f"A space is spanned by choices and expressions of them; got {value!r}.")
        visit(value)
    return iter(found)


def option_array(options: Sequence[Any]) -> NDArray[Any]:
    """The options (n,) as an array; of dtype object where NumPy would turn 3 into "3" or 1 into 1.0."""
    kinds = {type(option) for option in options}
    if len(kinds) == 1 and kinds <= {bool, int, float, str}:
        return np.asarray(options)
    array = np.empty(len(options), dtype=object)
    array[:] = options
    return array


def plain_option(value: Any) -> Any:
    """The option as Python's own number or tuple: JSON gives lists, NumPy its scalars."""
    if isinstance(value, list | tuple):
        return tuple(plain_option(item) for item in value)
    return value.item() if isinstance(value, np.generic) else value


def _elementwise(function: Callable[[Any], Any], value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return function(value)
    if value.dtype == object:  # may hold what cannot be sorted
        place = {item: number for number, item in enumerate(dict.fromkeys(value.tolist()))}
        inverse = np.asarray([place[item] for item in value.tolist()], dtype=np.intp)
        return option_array([function(item) for item in place])[inverse]
    distinct, inverse = np.unique(value, return_inverse=True)
    return option_array([function(item) for item in distinct.tolist()])[inverse]


def _arithmetic(function: Callable[[Any, Any], Any], first: Any, second: Any) -> Any:
    return function(_number(first), _number(second))


def _number(value: Any) -> Any:
    """True counts as 1, for NumPy as for Python (NumPy adds truth values up to True)."""
    return value.astype(np.int64) if isinstance(value, np.ndarray) and value.dtype == bool else value


def _logical(function: Callable[[Any, Any], Any], first: Any, second: Any) -> Any:
    return function(_truth(first), _truth(second))


def _truth(value: Any) -> Any:
    return value.astype(bool) if isinstance(value, np.ndarray) else bool(value)


def _make_divisible(number: float, divisor: int, minimum: int) -> int:
    result = max(minimum, int(number + divisor / 2) // divisor * divisor)
    return result + divisor if result < 0.9 * number else result


def _check_option(name: str, option: Any) -> None:
    if isinstance(option, tuple):
        for item in option:
            _check_option(name, item)
    elif not isinstance(option, int | float | str) or (isinstance(option, float) and not math.isfinite(option)):
        raise UsageError(
            f"The choice {name!r} has the option {option!r}; options are finite numbers, strings, "
            "booleans or tuples of these, so that an architecture can be written as JSON."
        )
