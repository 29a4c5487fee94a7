"""One decision of an architecture: a name, and the options to decide between."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from supernet.errors import UsageError
from supernet.space.expression import Expr, Lookup, Option, plain_option
from supernet.space.text import no_option, option_text

_MAX_OPTIONS = 2**15  # a population stores codes as int16


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
        options = _options(name, options)
        texts = _texts(name, options)
        if when is not None and not isinstance(when, Expr):
            raise UsageError(
                f"The condition of the choice {name!r} is {when!r}, which depends on no choice. "
                "Compare a choice with > >= < <= or is_in((…)); == tells whether two choices are the same object."
            )
        order = _order(name, options, order)
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


def _options(name: str, given: Sequence[Option]) -> tuple[Option, ...]:
    """The options as Python's own values, distinct and not too many."""
    if isinstance(given, Set | Mapping) or not isinstance(given, Iterable):
        raise UsageError(
            f"The options of the choice {name!r} are {given!r}; give them in an order, such as (8, 16, 24), that is "
            "the same whenever the program runs."
        )
    options = tuple(map(plain_option, given)) if not isinstance(given, str) else (given,)
    if not options:
        raise UsageError(f"The choice {name!r} has no options; give at least one.")
    if len(options) > _MAX_OPTIONS:
        raise UsageError(f"The choice {name!r} has {len(options):,} options; at most {_MAX_OPTIONS:,} are possible.")
    for option in options:
        _check_option(name, option)
    if len(set(options)) != len(options):
        raise UsageError(f"The choice {name!r} lists an option twice: {options}. Options must be distinct.")
    return options


def _texts(name: str, options: Sequence[Option]) -> tuple[str, ...]:
    """How the options read, each otherwise than the others."""
    texts = tuple(map(option_text, options))
    if len(set(texts)) != len(texts):
        alike = next(text for text in texts if texts.count(text) > 1)
        same = [option for option, text in zip(options, texts, strict=True) if text == alike]
        raise UsageError(
            f"The options {' and '.join(map(repr, same))} of the choice {name!r} both read {alike!r} in the text "
            "of an architecture. Rename one, such as 'three' beside 3."
        )
    return texts


def _order(name: str, options: tuple[Option, ...], given: Sequence[Option] | None) -> tuple[Option, ...]:
    """The options from smallest to largest."""
    if given is None:
        numeric = all(isinstance(option, int | float) for option in options)
        given = sorted(options) if numeric else options
    order = tuple(map(plain_option, given))
    if len(order) != len(options) or set(order) != set(options):
        raise UsageError(
            f"The order of the choice {name!r} is {order}, but it must list each of its options {options} exactly once."
        )
    return order


def _check_option(name: str, option: Any) -> None:
    if isinstance(option, tuple):
        for item in option:
            _check_option(name, item)
    elif not isinstance(option, int | float | str) or (isinstance(option, float) and not math.isfinite(option)):
        raise UsageError(
            f"The choice {name!r} has the option {option!r}; options are finite numbers, strings, "
            "booleans or tuples of these, so that an architecture can be written as JSON."
        )
