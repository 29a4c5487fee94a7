"""What a parameter takes, by its annotation."""

from __future__ import annotations

import inspect
import math
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

PLAIN = (bool, int, float, str)


def parameters_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a function that settings can name; none where it does not tell them."""
    try:
        found = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}
    return {n: p for n, p in found.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


def takes_anything(function: Callable[..., Any]) -> bool:
    """Whether a function has `**settings`."""
    try:
        return any(p.kind == p.VAR_KEYWORD for p in inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Annotations by name, without those that only a type checker can resolve."""
    while isinstance(function, partial):
        function = function.func
    subject: Any = function if is_dataclass(function) or not inspect.isclass(function) else function.__init__
    try:
        return typing.get_type_hints(subject)
    except (NameError, TypeError, AttributeError):
        pass
    found: dict[str, Any] = {}
    space = vars(sys.modules[function.__module__]) if function.__module__ in sys.modules else {}
    for name, parameter in parameters_of(function).items():
        probe = types.SimpleNamespace(__annotations__={name: parameter.annotation})
        try:
            found |= typing.get_type_hints(probe, globalns=dict(space))
        except (NameError, TypeError, AttributeError, SyntaxError):
            continue
    return found


def members_of(hint: Any) -> tuple[Any, ...]:
    """The types of a union, the narrowest first: none, true or false, whole numbers, numbers, then the rest."""
    hint = typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else hint
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    members = [m for part in typing.get_args(hint) for m in members_of(part)] if union else [hint]
    order = [type(None), bool, int, float]
    text = [str]
    return tuple(sorted(members, key=lambda m: order.index(m) if m in order else 9 if m in text else 5))


def is_open(hint: Any) -> bool:
    """Whether an annotation says nothing."""
    return hint is Any or hint is object or hint is inspect.Parameter.empty or isinstance(hint, TypeVar)


def is_table(kind: Any) -> bool:
    """Whether values of a type are tables of settings."""
    return (typing.get_origin(kind) or kind) in (dict, Mapping)


def is_mapping(value: Any) -> bool:
    """Whether a value is a table."""
    return isinstance(value, Mapping)


def is_object(kind: Any) -> bool:
    """Whether values of a type are given by the name of what makes them."""
    origin = typing.get_origin(kind) or kind
    plain = origin in (*PLAIN, type(None), Literal, Path, tuple, list, Sequence, dict, Mapping)
    return not plain and (isinstance(origin, type) or origin is Callable)


def is_protocol(kind: Any) -> bool:
    """Whether a type is a protocol, not a class that has one."""
    return isinstance(kind, type) and bool(vars(kind).get("_is_protocol", False)) and kind is not typing.Protocol


def takes_method(kinds: tuple[Any, ...]) -> bool:
    """Whether one of the types is a method."""
    return any(
        isinstance(k, type) and (k.__name__, k.__module__.split(".")[0]) == ("Recipe", "supernet") for k in kinds
    )


def is_endless(default: Any) -> bool:
    """Whether a default is a number without end, so that a setting may be one."""
    return isinstance(default, float) and not math.isfinite(default)


def satisfies(value: Any, kind: Any) -> bool:
    """Whether a value, or the values of a class, are of a type: have what a protocol asks for, with its parameters."""
    kind = typing.get_origin(kind) or kind
    made = value if isinstance(value, type) else type(value)
    if not is_protocol(kind):
        return not isinstance(kind, type) or issubclass(made, kind)
    for base in filter(is_protocol, kind.__mro__):
        for member in {*vars(base), *vars(base).get("__annotations__", {})}:
            if member.startswith("_") and member != "__call__":
                continue
            asked = vars(base).get(member)
            there = next((vars(c)[member] for c in made.__mro__ if member in vars(c)), None)
            if inspect.isfunction(asked):
                if not _same_parameters(asked, value if inspect.isfunction(value) else there):
                    return False
            elif (
                there is None and member not in getattr(made, "__dataclass_fields__", {}) and not hasattr(value, member)
            ):
                return False
    return True


def _same_parameters(asked: Callable[..., Any], there: Any) -> bool:
    """Whether a method can be called as a protocol asks for, by its parameters and by the class that it returns."""
    if not callable(there):
        return False
    hints = (hints_of(function).get("return") for function in (asked, there))
    wanted, returned = (typing.get_origin(hint) or hint for hint in hints)
    if isinstance(wanted, type) and isinstance(returned, type) and not is_protocol(wanted):
        numbers = wanted is float and returned is int
        if not (issubclass(returned, wanted) or numbers):
            return False
    if takes_anything(there):
        return True
    offered = [p for p in inspect.signature(asked).parameters.values() if p.name != "self"]
    taken = [p for p in inspect.signature(there).parameters.values() if p.name != "self"]
    named = {p.name for p in offered if p.kind != p.POSITIONAL_ONLY} <= {p.name for p in taken}
    return named and sum(p.default is p.empty for p in taken) <= len(offered) <= len(taken)
