"""Sections of settings, which check themselves when they are built, and their way from and into files."""

from __future__ import annotations

import math
import tomllib
import typing
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import msgspec
from msgspec import Meta

from supernet.errors import RunError, UsageError
from supernet.io.files import needed, read_text

Count: TypeAlias = Annotated[int, Meta(ge=0)]
Positive: TypeAlias = Annotated[int, Meta(ge=1)]
Probability: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
NotNegative: TypeAlias = Annotated[float, Meta(ge=0)]
Seed: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Text: TypeAlias = Annotated[str, Meta(min_length=1)]


class Section:
    """Settings, a frozen dataclass, that check types and ranges of their fields when they are built.

    Args:
        place: What stands before the names of the fields in errors, such as `"train."`.
        without: Fields that are left alone.
    """

    _place: ClassVar[str]
    _without: ClassVar[Collection[str]]

    def __init_subclass__(cls, *, place: str = "", without: Collection[str] = ()) -> None:
        cls._place, cls._without = place, without

    def __post_init__(self) -> None:
        """Lists become tuples, whole numbers floats; values that are dataclasses have checked themselves.

        Raises:
            UsageError: a field is not of its type, out of range or not finite; names it.
        """
        for name, hint in _hints(type(self)).items():
            value = getattr(self, name)
            if name not in self._without and not is_dataclass(value):
                object.__setattr__(self, name, checked(f"{self._place}{name}", value, hint))


S = typing.TypeVar("S")


def read_settings(path: Path, kind: str) -> object:
    """The value in a .toml or .json file that a user has written.

    Raises:
        UsageError: there is no such file, it cannot be read, or it is not TOML or JSON.
    """
    name, text = ("TOML" if path.suffix == ".toml" else "JSON"), None
    try:
        text = read_text(path)
        if text is not None:
            return tomllib.loads(text) if name == "TOML" else msgspec.json.decode(text)
    except RunError as error:
        raise UsageError(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read as {name}: {error}.") from error
    raise UsageError(f"There is no {kind} {path}; give a .toml or .json file.")


def section(cls: type[S], value: object, place: str = "") -> S:
    """A section of settings from the value that a file holds.

    Args:
        cls: The section: a dataclass that checks itself.
        value: Its settings by name.
        place: Where it stands in the whole, for errors, such as `"train."`.

    Raises:
        UsageError: an unknown or missing setting, or one of the wrong type or out of its range; names the place.
    """
    where = f"The settings of {place[:-1]}" if place else "The settings"
    if not isinstance(value, Mapping):
        raise UsageError(f"{where} must be a table of names and values; got {_shown(value)}.")
    hints = _hints(cls)
    for key in value:
        if key not in hints:
            raise UsageError(f"There is no setting {place}{key}; allowed are {', '.join(sorted(hints))}.")
    built = dict(value)
    for name, hint in hints.items():
        inner = next((part for part in (hint, *typing.get_args(hint)) if is_dataclass(part)), None)
        if inner is not None and built.get(name) is not None:
            built[name] = section(typing.cast(type[Any], inner), built[name], f"{place}{name}.")
    try:
        return cls(**built)
    except TypeError as error:
        raise UsageError(f"{where} are not complete: {str(error).partition('() ')[2]}.") from error


def to_json(settings: Any) -> Any:
    """A section of settings as the value that a file holds."""
    return msgspec.json.decode(msgspec.json.encode(settings))


def checked(name: str, value: object, hint: Any, *, strict: bool = True) -> Any:
    """A value as the type and range of a field of a section.

    Args:
        name: What to call it in errors.
        value: The value that was given.
        hint: The annotation of the field, which says what is allowed.
        strict: Whether texts stay texts; False also reads numbers from them.

    Raises:
        UsageError: it is not of this type, out of range, or a number that is not finite.
    """
    try:
        found = msgspec.convert(value, hint, strict=strict)
    except msgspec.ValidationError as error:
        where, wanted = needed(error)
        if where == "[...]" and isinstance(value, Mapping):  # one of several that the user has named
            for key, one in value.items():
                checked(f"{name}.{key}", one, typing.get_args(hint)[1], strict=strict)
        options = [option for part in (hint, *typing.get_args(hint)) for option in _literals(part)]
        wanted = f"one of {', '.join(map(str, options))}" if options else wanted
        raise UsageError(f"{name}{where} is {_shown(value)}; it must be {wanted}.") from error
    if isinstance(found, float) and not math.isfinite(found):
        raise UsageError(f"{name} is {_shown(value)}; it must be a finite number.")
    return found


def _hints(cls: type[Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return {f.name: hints[f.name] for f in fields(cls)}


def _literals(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) is Literal else ()


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
