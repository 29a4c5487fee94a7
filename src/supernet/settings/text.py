"""Settings as they are written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from supernet.errors import UsageError


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


def _value(text: str) -> Any:
    if text.lower() == "none":
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def grouped(settings: Mapping[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """Settings by the first part of their name: the rest of each name, and its value."""
    grouped: dict[str, list[tuple[str, Any]]] = {}
    for key, value in settings.items():
        first, _, rest = key.partition(".")
        grouped.setdefault(first, []).append((rest, value))
    return grouped


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
