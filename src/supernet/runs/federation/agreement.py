"""What a server and its clients must agree on before they train together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from supernet import catalog
from supernet.nn import Supernet
from supernet.train import Recipe
from supernet.train.programs._remote_rounds import digest

PROTOCOL = 1
"""The version of what server and client say to each other."""


def facts(recipe: Recipe, net: Supernet) -> dict[str, str]:
    """What server and client must agree on, as fingerprints: space, network, method."""

    def short(value: Any) -> str:
        return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]

    described = recipe.on(net.space).describe()
    return {"space": net.space.fingerprint, "network": short(digest(net)), "method": short({**described, "data": None})}


def differs(key: str, found: Any, expected: str) -> str:
    """How one of the facts of a client differs from the server's, in a clause."""
    what = {
        "space": "it spans another space of architectures",
        "network": "its network has weights of other shapes over the same space",
        "method": "its method or its settings are others",
    }[key]
    return f"{what} (fingerprint {str(found)[:16]}, and the server's {expected[:16]}); build it by the server's options"


def foreign_names(value: Any) -> Iterator[str]:
    """The names in settings that are `module:name` of somebody's own."""
    if isinstance(value, str):
        if catalog.is_own(value):
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from foreign_names(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from foreign_names(item)
