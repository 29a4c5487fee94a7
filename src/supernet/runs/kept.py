"""Settings that are on disk before the first result, so that stopped work goes on as it was begun."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from supernet.errors import UsageError
from supernet.io.section import to_json


def refuse_changes(kept: Any, asked: Any, file: Path, *, place: str = "", free: Collection[str] = ()) -> None:
    """Check that stopped work is asked to go on with the settings it was begun with.

    Args:
        kept: The section of settings that it was begun with.
        asked: The section of settings that is asked for now.
        file: The file that the former settings are kept in.
        place: Where the section stands in the whole, such as `"search."`.
        free: Names of settings, or of whole sections, that may change.

    Raises:
        UsageError: a setting has changed; names it with both values.
    """
    before, now = _flat(to_json(kept), place), _flat(to_json(asked), place)
    names = sorted(before.keys() | now.keys())
    for name in names:
        if {} in (before.get(name), now.get(name)) and any(other.startswith(f"{name}.") for other in names):
            continue  # an empty table against one with settings, which are named themselves
        if before.get(name) != now.get(name) and not any(name == one or name.startswith(f"{one}.") for one in free):
            raise UsageError(
                f"{file} says {name} = {before.get(name)!r}, and {now.get(name)!r} was asked for: stopped work goes on "
                "with other settings than it was begun with. Leave the option out to go on; or begin anew in "
                "another directory, or with --overwrite where the command has it."
            )


def _flat(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {place.removesuffix("."): value}
    return {name: item for key, inner in value.items() for name, item in _flat(inner, f"{place}{key}.").items()}
