"""Values from names and settings, for the command line, configuration files and studies.

A setting has a dotted name that reaches into the values a function takes: `weights.lr` is the field `lr` of what the
parameter `weights` is by default. A piece is given by its name, and its settings like any others:

    weights.schedule=Cosine  weights.schedule.floor=0.04         on the command line
    {"weights": {"schedule": {"piece": "Cosine", "floor": 0.04}}}     in a file; dotted names are understood too

In the same way a parameter that is a `Recipe` takes the name of a method: `recipe=fairnas  recipe.weights.lr=0.1`, or
`{"method": "fairnas", …}`. Whatever has a name may also be given as `module:name`.
"""

from __future__ import annotations

import difflib
import inspect
import json
import math
import sys
import traceback
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from supernet import catalog
from supernet.errors import SupernetError, UsageError

T = TypeVar("T")

_UNSET: Any = object()
_PLAIN = (bool, int, float, str)


def parse(texts: Sequence[str]) -> dict[str, Any]:
    """Settings written as `name=value`, in order; a value is JSON, `none`, or else a text.

    Raises:
        UsageError: a text of another form.

    >>> parse(["weights.lr=0.1", "strides=[2, 1]", "variant=proxyless", "clip_norm=none"])
    {'weights.lr': 0.1, 'strides': [2, 1], 'variant': 'proxyless', 'clip_norm': None}
    """
    settings = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name.strip():
            raise UsageError(f"A setting is written name=value; got {text!r}.")
        settings[name.strip()] = _value(value.strip())
    return settings


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
    hints = _hints(function)
    asked = _grouped(settings)
    given = {}
    if _takes_anything(function):
        given = {key: settings[key] for key in settings if key not in parameters and "." not in key}
        asked = {key: items for key, items in asked.items() if key not in given}
    methods = [key for key in parameters if _takes_method(_members(hints.get(key, Any))) and parameters[key].default]
    through = next(iter(methods), None)  # a setting that the method lacks is meant for the one inside it
    for unknown in [key for key in asked if key not in parameters]:
        if through is None:
            raise UsageError(_unknown(name, unknown, list(parameters)))
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
    asked = _grouped(settings)
    for key in [key for key in asked if key not in own]:
        through = next((field for field in own.values() if _reaches(field, key, asked, value)), None)
        if through is None:
            allowed = [*own, *(n for f in own.values() if f.metadata.get("reach") for n in _inner(f, asked, value))]
            raise UsageError(_unknown(name, key, list(dict.fromkeys(allowed))))
        moved = [(f"{key}.{rest}" if rest else key, item) for rest, item in asked.pop(key)]
        asked.setdefault(through.name, []).extend(moved)
    hints = _hints(type(value))
    given = {
        key: _resolved(f"{name}.{key}", items, hints.get(key, Any), getattr(value, key)) for key, items in asked.items()
    }
    replaced: Any = _called(lambda **new: replace(value, **new), given, name)
    return typing.cast(T, replaced)


def expanded(path: str) -> Path:
    """A path with `~` resolved.

    Raises:
        UsageError: it names a user there is not.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"The path {path} begins with a user whose home directory is not known here; write it out."
        ) from error


def parameters_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a function that settings can name; none where it does not tell them."""
    try:
        found = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}
    return {n: p for n, p in found.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


def inner_methods(function: Callable[..., Any], settings: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The methods that a method goes around: of each the name and the settings.

    Where none is named, it is the default's.

    >>> from supernet.train import Recipe
    >>> def around(recipe: Recipe) -> Recipe: ...
    >>> inner_methods(around, {"recipe": {"method": "spos", "weights": {"lr": 1}}})
    [('spos', {'weights': {'lr': 1}})]
    """
    found = []
    hints, asked = _hints(function), _grouped(settings)
    for key, parameter in parameters_of(function).items():
        if not _takes_method(_members(hints.get(key, Any))):
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


# -- names into values ----------------------------------------------------------------------------------


def _grouped(settings: Mapping[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """Settings by the first part of their name: the rest of each name, and its value."""
    grouped: dict[str, list[tuple[str, Any]]] = {}
    for key, value in settings.items():
        first, _, rest = key.partition(".")
        grouped.setdefault(first, []).append((rest, value))
    return grouped


def _resolved(name: str, items: list[tuple[str, Any]], hint: Any, default: Any) -> Any:
    """The value that settings `name`, `name.…` ask for, where it would else be the default."""
    kinds = _members(hint)
    table = next((k for k in kinds if _is_table(k)), None) or (
        dict if _is_open(hint) and _is_mapping(default) else None
    )
    word = "method" if _takes_method(kinds) else "piece"
    value, inner = _UNSET, dict[str, Any]()
    for rest, item in items:
        if rest:
            inner[rest] = item
        elif isinstance(item, Mapping) and word not in item and (table is not None or not _is_open(hint)):
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
        raise UsageError(f"{name} is an empty table; it takes {_wanted(hint)}.")
    if kinds and not any(_is_object(k) for k in kinds):
        raise UsageError(f"{name} takes {_wanted(hint)} and has no settings; {name}.{first} was given. Write {name}=….")
    raise UsageError(
        f"{name}.{first} was given, but {name} is {'none' if default is None else 'not a piece'} by default. Choose a "
        f"{word} first, as {name}=NAME; it takes {_wanted(hint)}."
    )


def _filled(name: str, inner: Mapping[str, Any], table: Any, default: Any) -> dict[str, Any]:
    """A table of settings: the default one with items added or changed."""
    arguments = typing.get_args(table)
    hint = arguments[1] if len(arguments) == 2 else Any
    whole = dict(default) if _is_mapping(default) else {}
    deep = any(_is_object(kind) for kind in _members(hint) if not _is_open(hint)) or any(
        map(is_dataclass, whole.values())
    )
    groups = _grouped(inner) if deep else {key: [("", item)] for key, item in inner.items()}
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


# -- converting -----------------------------------------------------------------------------------------


def _converted(name: str, value: Any, hint: Any, default: Any, inner: Mapping[str, Any]) -> Any:
    """A value as the annotation asks for it; `inner` are settings of the piece that it names."""
    kinds = _members(hint)
    if not inner and _is_open(hint):
        return value
    if not inner:
        for kind in sorted(kinds, key=lambda kind: kind is not type(value)):
            fits, made = _fitted(name, value, kind, default)
            if fits:
                return made
    if isinstance(value, str) and (_is_open(hint) or any(_is_object(kind) for kind in kinds)):
        methods = _takes_method(kinds)
        made = build("methods" if methods else "pieces", value, inner)
        if not _is_open(hint) and not any(_is_object(kind) and _satisfies(made, kind) for kind in kinds):
            raise UsageError(f"{name} is {value}, which does not fit; it takes {_wanted(hint)}.")
        return made
    if inner:
        raise UsageError(f"{name}.{next(iter(inner))} was given, but {name} is {value!r}, which has no settings.")
    raise UsageError(f"{name} is {_shown(value)}; it takes {_wanted(hint)}.")


def _fitted(name: str, value: Any, kind: Any, default: Any) -> tuple[bool, Any]:
    """Whether a value is, or can be read as, one of this type, and what it then is."""
    if kind is type(None):
        return value is None or (isinstance(value, str) and value.lower() == "none"), None
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return next(((True, a) for a in arguments if a == value and type(a) is type(value)), (False, None))
    if kind is str and isinstance(value, bool | int | float):
        return True, json.dumps(value)
    if kind in _PLAIN:
        try:
            made = msgspec.convert(value, kind, strict=kind is bool and not isinstance(value, str))
        except (msgspec.ValidationError, OverflowError):
            return False, None
        if isinstance(made, float) and not math.isfinite(made) and not _is_endless(default):
            raise UsageError(f"{name} is {value}; it must be a finite number.")
        return True, made
    if kind is Path:
        return isinstance(value, str | Path), expanded(str(value)) if isinstance(value, str | Path) else None
    if _is_table(kind):
        return isinstance(value, Mapping), _filled(name, value, kind, None) if isinstance(value, Mapping) else None
    if origin in (tuple, list, Sequence) or kind in (tuple, list):
        return _sequence(name, value, origin or kind, arguments)
    if isinstance(kind, type) and is_dataclass(kind) and isinstance(value, Mapping):
        return True, call(kind, value, name=name)
    return (isinstance(kind, type) and not _is_protocol(kind) and isinstance(value, kind)), value


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


def _satisfies(value: Any, kind: Any) -> bool:
    """Whether a value, or the values of a class, are of a type: have what a protocol asks for, with its parameters."""
    kind = typing.get_origin(kind) or kind
    made = value if isinstance(value, type) else type(value)
    if not _is_protocol(kind):
        return not isinstance(kind, type) or issubclass(made, kind)
    for base in filter(_is_protocol, kind.__mro__):
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
    hints = (_hints(function).get("return") for function in (asked, there))
    wanted, returned = (typing.get_origin(hint) or hint for hint in hints)
    if isinstance(wanted, type) and isinstance(returned, type) and not _is_protocol(wanted):
        numbers = wanted is float and returned is int
        if not (issubclass(returned, wanted) or numbers):
            return False
    if _takes_anything(there):
        return True
    offered = [p for p in inspect.signature(asked).parameters.values() if p.name != "self"]
    taken = [p for p in inspect.signature(there).parameters.values() if p.name != "self"]
    named = {p.name for p in offered if p.kind != p.POSITIONAL_ONLY} <= {p.name for p in taken}
    return named and sum(p.default is p.empty for p in taken) <= len(offered) <= len(taken)


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
        told = ", ".join(f"{key}={_shown(value)}" for key, value in given.items()) or "its defaults"
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = "" if frame.filename == __file__ else f" ({Path(frame.filename).name}, line {frame.lineno})"
        raise UsageError(f"{name} cannot be built with {told}: {reason}{place}. Give other values.") from error


# -- annotations ----------------------------------------------------------------------------------------


def _takes_anything(function: Callable[..., Any]) -> bool:
    try:
        return any(p.kind == p.VAR_KEYWORD for p in inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
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


def _members(hint: Any) -> tuple[Any, ...]:
    """The types of a union, the narrowest first: none, true or false, whole numbers, numbers, then the rest."""
    hint = typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else hint
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    members = [m for part in typing.get_args(hint) for m in _members(part)] if union else [hint]
    order = [type(None), bool, int, float]
    text = [str]
    return tuple(sorted(members, key=lambda m: order.index(m) if m in order else 9 if m in text else 5))


def _is_open(hint: Any) -> bool:
    return hint is Any or hint is object or hint is inspect.Parameter.empty or isinstance(hint, TypeVar)


def _is_table(kind: Any) -> bool:
    return (typing.get_origin(kind) or kind) in (dict, Mapping)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_object(kind: Any) -> bool:
    """Whether values of a type are given by the name of what makes them."""
    origin = typing.get_origin(kind) or kind
    plain = origin in (*_PLAIN, type(None), Literal, Path, tuple, list, Sequence, dict, Mapping)
    return not plain and (isinstance(origin, type) or origin is Callable)


def _is_protocol(kind: Any) -> bool:
    return isinstance(kind, type) and bool(vars(kind).get("_is_protocol", False)) and kind is not typing.Protocol


def _takes_method(kinds: tuple[Any, ...]) -> bool:
    return any(
        isinstance(k, type) and (k.__name__, k.__module__.split(".")[0]) == ("Recipe", "supernet") for k in kinds
    )


def _is_endless(default: Any) -> bool:
    return isinstance(default, float) and not math.isfinite(default)


# -- sentences ------------------------------------------------------------------------------------------


def _value(text: str) -> Any:
    if text.lower() == "none":
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _unknown(name: str, key: str, allowed: list[str]) -> str:
    near = difflib.get_close_matches(key, allowed, n=2, cutoff=0.6)
    meant = f"did you mean {' or '.join(near)}? It" if near else "it"
    return f"{name} has no setting {key!r}; {meant} has {', '.join(allowed) or 'none'}."


def _wanted(hint: Any) -> str:
    """What an annotation allows, in words."""
    words = [_word(kind) for kind in _members(hint)]
    words = [*(w for w in words if w != "none"), *(w for w in words if w == "none")]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _word(kind: Any) -> str:
    simple = {type(None): "none", bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in simple:
        return simple[kind]
    if kind is Path:
        return "a path"
    if origin is Literal:
        return ", ".join(map(str, arguments[:-1])) + (" or " if len(arguments) > 1 else "") + str(arguments[-1])
    if _is_table(kind):
        return 'a table of settings, in JSON such as {"name": 1}'
    if origin in (tuple, list, Sequence) or kind in (tuple, list):
        return 'a list, in JSON such as ["a", "b"]' if arguments[:1] == (str,) else "a list, in JSON such as [1, 2]"
    if _takes_method((kind,)):
        return f"a method by name ({', '.join(catalog.names('methods'))})"
    fitting = _fitting(kind)
    if fitting:
        return f"a piece by name ({', '.join(fitting)})"
    names = list(parameters_of(kind)) if isinstance(kind, type) and is_dataclass(kind) else []
    return f"settings ({', '.join(names)})" if names else "an object, as module:name"


def _fitting(kind: Any) -> list[str]:
    """Names of the pieces that are of a type."""
    found = []
    for entry in catalog.entries("pieces"):
        try:
            made = entry.load()
        except UsageError:
            continue
        if _satisfies(made, kind):
            found.append(entry.name)
    return found
