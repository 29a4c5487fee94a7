"""What is allowed, in words."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Literal

from supernet import catalog
from supernet.errors import UsageError
from supernet.settings.annotations import is_table, members_of, parameters_of, satisfies, takes_method


def shown(value: Any) -> str:
    """A value as text of no more than 80 letters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def unknown_setting(name: str, key: str, allowed: list[str]) -> str:
    """That there is no such setting, and what there is."""
    near = difflib.get_close_matches(key, allowed, n=2, cutoff=0.6)
    meant = f"did you mean {' or '.join(near)}? It" if near else "it"
    return f"{name} has no setting {key!r}; {meant} has {', '.join(allowed) or 'none'}."


def wanted(hint: Any) -> str:
    """What an annotation allows, in words."""
    words = [_word(kind) for kind in members_of(hint)]
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
    if is_table(kind):
        return 'a table of settings, in JSON such as {"name": 1}'
    if origin in (tuple, list, Sequence) or kind in (tuple, list):
        return 'a list, in JSON such as ["a", "b"]' if arguments[:1] == (str,) else "a list, in JSON such as [1, 2]"
    if takes_method((kind,)):
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
        if satisfies(made, kind):
            found.append(entry.name)
    return found
