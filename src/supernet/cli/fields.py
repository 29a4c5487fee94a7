"""How a field of the configuration becomes an option: its type, range, default and meaning stand there alone."""

from __future__ import annotations

import types
import typing
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, TypeAlias, TypedDict

from cyclopts import Group, Parameter, Token
from docstring_parser import parse_from_object
from msgspec import Meta

from supernet import settings
from supernet.io.asked_workers import AskedWorkers
from supernet.io.section import checked

Given: TypeAlias = Mapping[str, Any]
"""The options of a section that were given, by the name of the field; the others are not in it."""

NOTHING: Given = MappingProxyType({})


def value(hint: Any) -> Parameter:
    """An option whose value is checked like a field of the configuration with this annotation; `none` is no value."""

    def convert(_: Any, tokens: Sequence[Token]) -> Any:
        name, text = tokens[0].keyword or "the argument", tokens[0].value
        empty = type(None) in typing.get_args(hint) and text.lower() == "none"
        return None if empty else checked(name, text, hint, strict=False)

    return Parameter(converter=convert)


def at_least(least: int) -> Parameter:
    """An option that is a whole number of at least this."""
    return value(Annotated[int, Meta(ge=least)])


ABOVE_0 = value(Annotated[float, Meta(gt=0, le=1e9)])
"""An option that is a number above 0."""


def listed(hint: Any = str) -> Parameter:
    """An option that is several values, separated by commas."""

    def convert(_: Any, tokens: Sequence[Token]) -> tuple[Any, ...]:
        parts = [(token.keyword or "the argument", part.strip()) for token in tokens for part in token.value.split(",")]
        return tuple(checked(name, part, hint, strict=False) for name, part in parts)

    return Parameter(converter=convert, negative=(), metavar="A,B")


def _pairs(_: Any, tokens: Sequence[Token]) -> dict[str, Any]:
    return settings.parse([token.value for token in tokens])


PAIRS = Parameter(converter=_pairs, negative=(), metavar="NAME=VALUE")
"""A repeatable option that is a setting, as name=value."""


def _workers(_: Any, tokens: Sequence[Token]) -> int | str:
    return AskedWorkers.of(tokens[0].value, tokens[0].keyword or "the argument").written


WORKERS = Parameter(converter=_workers)
"""An option that says how many workers there are, and where."""


def options(section: type[Any], panel: Group, names: Iterable[str], **told: Parameter) -> Given:
    """Fields of a section as options: annotations by name.

    Args:
        section: A dataclass of the configuration.
        panel: Where the options stand in the help.
        names: The fields that are options.
        told: What is otherwise than the field says, or called otherwise, on the command line.
    """
    hints = typing.get_type_hints(section, include_extras=True)
    meanings = _meanings(typing.cast(Hashable, section))
    defaults = {field.name: _shown(field.default) for field in fields(section)}
    annotations = {}
    for name in names:
        kind, reader, note = _read(hints[name])
        own = told.get(name, Parameter())
        usual = Parameter(
            name=f"--{name.replace('_', '-')}",
            group=panel,
            help=" ".join((own.help or meanings[name]).split()) + note,
            show_default=defaults[name],
        )
        annotations[name] = Annotated[kind, Parameter.combine(reader, usual, own, Parameter(help=usual.help))]
    return annotations


def grouped(name: str, *annotations: Given) -> Any:
    """Options by name and annotation: the annotation of a command's parameter."""
    together = {option: found for each in annotations for option, found in each.items()}
    made = TypedDict(f"{name}Options", together, total=False)  # type: ignore[misc]
    return Annotated[made, Parameter(name="*")]


def _read(hint: Any) -> tuple[Any, Parameter, str]:
    """How a field's value is written: its type on the command line, what reads it, and how to say that it repeats."""
    kinds = {typing.get_origin(part) or part: part for part in _kinds(hint)}
    if bool in kinds:
        return bool, Parameter(), ""
    if dict in kinds:
        return list[str], PAIRS, " Repeatable."
    if {int, str} <= set(kinds):  # a number or a text, as only workers are
        return hint, WORKERS, ""
    if tuple not in kinds:
        return hint, value(hint), ""
    inner = typing.get_args(kinds[tuple])[0]
    if typing.get_origin(inner) is typing.Literal:
        return list[inner], Parameter(negative=()), " Repeatable."  # type: ignore[valid-type]
    return list[str], listed(inner), " Several are separated by commas."


def _kinds(hint: Any) -> Iterator[Any]:
    """A type and what it says it may be: the members of a union, and what stands in `Annotated`."""
    yield hint
    if typing.get_origin(hint) in (typing.Union, types.UnionType, Annotated):
        for part in typing.get_args(hint):
            yield from _kinds(part)


@cache
def _meanings(section: Hashable) -> dict[str, str]:
    """What the docstrings of a section's fields say."""
    return {found.arg_name: found.description or "" for found in parse_from_object(section).params}


def _shown(default: Any) -> str | bool:
    """A default as it would be typed; False: there is none to show."""
    if default is MISSING or default is None or default == "":
        return False
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
