"""Settings as rows: what is nested is named by its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from supernet.report.units import plain


def flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of nested settings with their places, as people write them.

    >>> list(flat({"method": {"name": "darts", "options": {}}, "seed": 0}))
    [('method.name', 'darts'), ('method.options', 'none'), ('seed', '0')]
    """
    for name, item in value.items():
        if isinstance(item, dict) and item:
            yield from flat(item, f"{prefix}{name}.")
        else:
            yield prefix + name, plain(item)
