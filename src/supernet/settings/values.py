"""Values from names and settings: pieces, methods, and what they hold."""

from __future__ import annotations

import inspect
import json
import math
import traceback
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from supernet import catalog
from supernet.errors import SupernetError, UsageError
from supernet.settings.annotations import (
    PLAIN,
    hints_of,
    is_endless,
    is_mapping,
    is_object,
    is_open,
    is_protocol,
    is_table,
    members_of,
    parameters_of,
    satisfies,
    takes_anything,
    takes_method,
)
from supernet.settings.text import expanded, grouped
from supernet.settings.words import shown, unknown_setting, wanted

T = TypeVar("T")

_UNSET: Any = object()


def build(kind: catalog.Kind, name: str, settings: Mapping[str, Any]) -> Any:
    """What a name of the catalogue, or `module:name`, makes of these settings.

    Raises:
        UsageError: an unknown name or setting, or a value that does not fit.
        RunError: what is built raises it, as where an optional package is missing.

    >>> build("pieces", "Cosine", {"floor": 0.04})
    Cosine(floor=0.04)
    """
    return call(catalog.load(kind, name), settings, name=name)


def call(function: Callable[..., T], settings: Mapping[str, Any], *, name: str = "") -> T:
    """Call a function with settings, each converted to what the function's annotation asks for.

    Args:
        function: A function, or a class.
        settings: Values by dotted name, or tables within tables.
        name: What to call the function in errors; default: its own name.

    Raises:
        UsageError: an unknown setting, a value that does not fit, or one that the function refuses.

    >>> def shape(*, width: int, ratio: float = 1.0) -> tuple[int, float]:
    ...     return width, ratio
    >>> call(shape, {"width": "8", "ratio": 2})
    (8, 2.0)
    """
    name = name or getattr(function, "__name__", str(function))
    parameters = parameters_of(function)
    hints = hints_of(function)
    asked = grouped(settings)
    given = {}
    if takes_anything(function):
        given = {key: settings[key] for key in settings if key not in parameters and "." not in key}
        asked = {key: items for key, items in asked.items() if key not in given}
    methods = [key for key in parameters if takes_method(members_of(hints.get(key, Any))) and parameters[key].default]
    through = next(iter(methods), None)  # a setting that the method lacks is meant for the one inside it
    for unknown in [key for key in asked if key not in parameters]:
        if through is None:
            raise UsageError(unknown_setting(name, unknown, list(parameters)))
        moved = [(f"{unknown}.{rest}" if rest else unknown, item) for rest, item in asked.pop(unknown)]
        asked.setdefault(through, []).extend(moved)
    for key, items in asked.items():
        default = parameters[key].default
        value = _resolved(key, items, hints.get(key, Any), _UNSET if default is inspect.Parameter.empty else default)
        given[key] = value
    return _called(function, given, name)


def changed(value: T, settings: Mapping[str, Any], *, name: str = "") -> T:
    """A dataclass value with settings replaced, at any depth.

    A name that the value lacks is looked for in its fields that are marked `metadata={"reach": True}`.

    Raises:
        UsageError: an unknown setting, or a value that does not fit.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Ramp:
    ...     share: float = 0.1
    >>> changed(Ramp(), {"share": "0.2"})
    Ramp(share=0.2)
    """
    assert is_dataclass(value), value
    assert not isinstance(value, type), value
    name = name or type(value).__name__
    own = {field.name: field for field in fields(value) if field.init}
    asked = grouped(settings)
    for key in [key for key in asked if key not in own]:
        through = next((field for field in own.values() if _reaches(field, key, asked, value)), None)
        if through is None:
            allowed = [*own, *(n for f in own.values() if f.metadata.get("reach") for n in _inner(f, asked, value))]
            raise UsageError(unknown_setting(name, key, list(dict.fromkeys(allowed))))
        moved = [(f"{key}.{rest}" if rest else key, item) for rest, item in asked.pop(key)]
        asked.setdefault(through.name, []).extend(moved)
    hints = hints_of(type(value))
    given = {
        key: _resolved(f"{name}.{key}", items, hints.get(key, Any), getattr(value, key)) for key, items in asked.items()
    }
    replaced: Any = _called(lambda **new: replace(value, **new), given, name)
    return typing.cast(T, replaced)


def inner_methods(function: Callable[..., Any], settings: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The methods that a method goes around: of each the name and the settings.

    Where none is named, it is the default's.

    >>> from supernet.train import Recipe
    >>> def around(recipe: Recipe) -> Recipe: ...
    >>> inner_methods(around, {"recipe": {"method": "spos", "weights": {"lr": 1}}})
    [('spos', {'weights': {'lr': 1}})]
    """
    found = []
    hints, asked = hints_of(function), grouped(settings)
    for key, parameter in parameters_of(function).items():
        if not takes_method(members_of(hints.get(key, Any))):
            continue
        chosen, inner = getattr(parameter.default, "name", None), dict[str, Any]()
        for rest, item in asked.get(key, []):
            if rest:
                inner[rest] = item
            elif isinstance(item, Mapping):
                chosen = item.get("method", chosen)
                inner |= {name: value for name, value in item.items() if name != "method"}
            else:
                chosen = item
        if isinstance(chosen, str):
            found.append((chosen, inner))
    return found


def _resolved(name: str, items: list[tuple[str, Any]], hint: Any, default: Any) -> Any:
    """The value that settings `name`, `name.…` ask for, where it would else be the default."""
    kinds = members_of(hint)
    table = next((k for k in kinds if is_table(k)), None) or (dict if is_open(hint) and is_mapping(default) else None)
    word = "method" if takes_method(kinds) else "piece"
    value, inner = _UNSET, dict[str, Any]()
    for rest, item in items:
        if rest:
            inner[rest] = item
        elif isinstance(item, Mapping) and word not in item and (table is not None or not is_open(hint)):
            inner |= item
        else:
            chosen = item[word] if isinstance(item, Mapping) and word in item else item
            if value is not _UNSET and value != chosen:
                inner = {}  # they were settings of what is now replaced
            value = chosen
            if isinstance(item, Mapping) and word in item:
                inner |= {key: setting for key, setting in item.items() if key != word}
            elif isinstance(item, Mapping):
                value = item
    if value is not _UNSET:
        return _converted(name, value, hint, default, inner)
    if table is not None and not is_dataclass(default):
        return _filled(name, inner, table, default)
    if is_dataclass(default) and not isinstance(default, type):
        return changed(default, inner, name=name)
    made = [k for k in kinds if isinstance(k, type) and is_dataclass(k)]
    if len(made) == 1 and word == "piece":
        bare = any(p.default is p.empty for p in parameters_of(made[0]).values())
        return call(made[0], inner, name=name) if bare else changed(made[0](), inner, name=name)
    first = next(iter(inner), None)
    if first is None:
        raise UsageError(f"{name} is an empty table; it takes {wanted(hint)}.")
    if kinds and not any(is_object(k) for k in kinds):
        raise UsageError(f"{name} takes {wanted(hint)} and has no settings; {name}.{first} was given. Write {name}=….")
    raise UsageError(
        f"{name}.{first} was given, but {name} is {'none' if default is None else 'not a piece'} by default. Choose a "
        f"{word} first, as {name}=NAME; it takes {wanted(hint)}."
    )


def _filled(name: str, inner: Mapping[str, Any], table: Any, default: Any) -> dict[str, Any]:
    """A table of settings: the default one with items added or changed."""
    arguments = typing.get_args(table)
    hint = arguments[1] if len(arguments) == 2 else Any
    whole = dict(default) if is_mapping(default) else {}
    deep = any(is_object(kind) for kind in members_of(hint) if not is_open(hint)) or any(
        map(is_dataclass, whole.values())
    )
    groups = grouped(inner) if deep else {key: [("", item)] for key, item in inner.items()}
    for key, items in groups.items():
        whole[key] = _resolved(f"{name}.{key}", items, hint, whole.get(key, _UNSET))
    return whole


def _reaches(field: Field[Any], key: str, asked: Mapping[str, list[tuple[str, Any]]], value: Any) -> bool:
    return bool(field.metadata.get("reach")) and key in _inner(field, asked, value)


def _inner(field: Field[Any], asked: Mapping[str, list[tuple[str, Any]]], value: Any) -> list[str]:
    """The settings of a field's value, or of the piece that takes its place."""
    chosen = [item for rest, item in asked.get(field.name, ()) if not rest]
    name = chosen[-1].get("piece") if chosen and isinstance(chosen[-1], Mapping) else chosen[-1] if chosen else None
    if isinstance(name, str):
        return list(parameters_of(catalog.load("pieces", name)))
    current = getattr(value, field.name)
    if not is_dataclass(current):
        return []
    deeper = [f for f in fields(current) if f.init and f.metadata.get("reach")]
    return [f.name for f in fields(current) if f.init] + [n for f in deeper for n in _inner(f, {}, current)]


def _converted(name: str, value: Any, hint: Any, default: Any, inner: Mapping[str, Any]) -> Any:
    """A value as the annotation asks for it; `inner` are settings of the piece that it names."""
    kinds = members_of(hint)
    if not inner and is_open(hint):
        return value
    if not inner:
        for kind in sorted(kinds, key=lambda kind: kind is not type(value)):
            fits, made = _fitted(name, value, kind, default)
            if fits:
                return made
    if isinstance(value, str) and (is_open(hint) or any(is_object(kind) for kind in kinds)):
        methods = takes_method(kinds)
        made = build("methods" if methods else "pieces", value, inner)
        if not is_open(hint) and not any(is_object(kind) and satisfies(made, kind) for kind in kinds):
            raise UsageError(f"{name} is {value}, which does not fit; it takes {wanted(hint)}.")
        return made
    if inner:
        raise UsageError(f"{name}.{next(iter(inner))} was given, but {name} is {value!r}, which has no settings.")
    raise UsageError(f"{name} is {shown(value)}; it takes {wanted(hint)}.")


def _fitted(name: str, value: Any, kind: Any, default: Any) -> tuple[bool, Any]:
    """Whether a value is, or can be read as, one of this type, and what it then is."""
    if kind is type(None):
        return value is None or (isinstance(value, str) and value.lower() == "none"), None
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return next(((True, a) for a in arguments if a == value and type(a) is type(value)), (False, None))
    if kind is str and isinstance(value, bool | int | float):
        return True, json.dumps(value)
    if kind in PLAIN:
        try:
            made = msgspec.convert(value, kind, strict=kind is bool and not isinstance(value, str))
        except (msgspec.ValidationError, OverflowError):
            return False, None
        if isinstance(made, float) and not math.isfinite(made) and not is_endless(default):
            raise UsageError(f"{name} is {value}; it must be a finite number.")
        return True, made
    if kind is Path:
        return isinstance(value, str | Path), expanded(str(value)) if isinstance(value, str | Path) else None
    if is_table(kind):
        return isinstance(value, Mapping), _filled(name, value, kind, None) if isinstance(value, Mapping) else None
    if origin in (tuple, list, Sequence) or kind in (tuple, list):
        return _sequence(name, value, origin or kind, arguments)
    if isinstance(kind, type) and is_dataclass(kind) and isinstance(value, Mapping):
        return True, call(kind, value, name=name)
    return (isinstance(kind, type) and not is_protocol(kind) and isinstance(value, kind)), value


def _sequence(name: str, value: Any, origin: Any, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    if isinstance(value, str) or not isinstance(value, list | tuple):
        return False, None
    many = origin is not tuple or len(arguments) != 2 or arguments[1] is not Ellipsis
    hints = [arguments[0] if arguments else Any] * len(value)
    if origin is tuple and arguments and many:
        if len(arguments) != len(value):
            return False, None
        hints = list(arguments)
    pairs = enumerate(zip(value, hints, strict=True))
    made = [_resolved(f"{name}[{place}]", [("", item)], hint, _UNSET) for place, (item, hint) in pairs]
    return True, made if origin is list else tuple(made)


def _called(function: Callable[..., T], given: Mapping[str, Any], name: str) -> T:
    """Call it; what it cannot be called with, and sizes that no machine holds, are the request's fault."""
    needed = (n for n, p in parameters_of(function).items() if p.default is p.empty and n not in given)
    if missing := ", ".join(needed):
        beside = f" beside {', '.join(given)}" if given else ""
        raise UsageError(f"{name} needs {missing}{beside}; there is no default. Give a value.")
    try:
        return function(**given)
    except SupernetError:
        raise
    except (TypeError, ValueError, RuntimeError, ArithmeticError, MemoryError, LookupError, AttributeError) as error:
        told = ", ".join(f"{key}={shown(value)}" for key, value in given.items()) or "its defaults"
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = "" if frame.filename == __file__ else f" ({Path(frame.filename).name}, line {frame.lineno})"
        raise UsageError(f"{name} cannot be built with {told}: {reason}{place}. Give other values.") from error
