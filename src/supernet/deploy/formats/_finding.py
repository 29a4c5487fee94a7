"""A format by its name, or by the name of a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from supernet import catalog, settings
from supernet.deploy.formats._protocol import Format
from supernet.errors import UsageError


def format_of(given: str | Format) -> Format:
    """The format of a name, of `module:name`, or that is given.

    Raises:
        UsageError: there is none of this name, or what it names is no format.
    """
    made = settings.build("formats", given, {}) if isinstance(given, str) else given
    if isinstance(made, type) or not isinstance(made, Format):
        kind = made.__name__ if isinstance(made, type) else type(made).__name__
        raise UsageError(
            f"{given if isinstance(given, str) else kind} is no format; give a name such as 'onnx', or a value such as "
            "deploy.formats.Onnx()."
        )
    return made


def formats_of(names: Sequence[str], options: Mapping[str, Any]) -> list[Format]:
    """The formats of these names, each with its settings.

    Args:
        names: As `format_of` takes them.
        options: Settings by the name of the format and theirs, such as `{"int8.images": 512}`, or tables within a
            table.

    Raises:
        UsageError: a setting of a format that is not among the names, or that the format does not have; as `format_of`.
    """
    settled: dict[str, dict[str, Any]] = {name: {} for name in names}
    for key, value in options.items():
        name = next((each for each in sorted(names, key=len, reverse=True) if f"{key}.".startswith(f"{each}.")), None)
        inner = value if name == key else {key[len(name or "") + 1 :]: value}
        if name is None or not isinstance(inner, Mapping):
            raise UsageError(
                f"{key}={value} is a setting of no format that is asked for ({', '.join(names)}); settings are named "
                f"after theirs, such as int8.images=512."
            )
        settled[name].update(inner)
    return [format_of(settings.build("formats", name, given)) for name, given in settled.items()]


@cache
def known() -> tuple[Format, ...]:
    """The formats of this package, the longest suffix first."""
    found = [cast(Format, entry.load()()) for entry in catalog.own("formats")]
    return tuple(sorted(found, key=lambda each: -len(each.suffix)))


def by_suffix(path: Path, formats: Iterable[Format] = ()) -> Format | None:
    """The format that a file's name ends as: one of these, or of this package; None: it ends as none does."""
    return next((each for each in (*formats, *known()) if path.name.endswith(each.suffix)), None)


def suffixes() -> str:
    """What names of files can end in, for a sentence."""
    *others, last = sorted(each.suffix for each in known())
    return f"{', '.join(others)} or {last}"
