"""The language of the size space of NATS-Bench: five widths, each out of eight."""

from __future__ import annotations

from functools import lru_cache

from supernet.errors import UsageError
from supernet.space import Arch, Choice, Space

WIDTHS = tuple(range(8, 65, 8))
LAYERS = tuple(f"width{number}" for number in range(5))


@lru_cache(maxsize=1)
def size_space() -> Space:
    """The space of the five widths."""
    return Space([Choice(name, WIDTHS) for name in LAYERS])


def size_string(arch: Arch) -> str:
    """The benchmark's string, such as `8:16:24:32:64`."""
    return ":".join(str(arch[name]) for name in LAYERS)


def size_arch(space: Space, text: str) -> Arch:
    """The architecture of a string.

    Raises:
        UsageError: it is not five widths from 8 to 64, in steps of 8.
    """
    widths = text.split(":")
    if len(widths) != len(LAYERS) or not set(widths) <= set(map(str, WIDTHS)):
        raise UsageError(
            f"{text!r} is not an architecture of the size space. Write five widths out of "
            f"{', '.join(map(str, WIDTHS))}, such as '8:16:24:32:64'."
        )
    return space.arch({name: int(width) for name, width in zip(LAYERS, widths, strict=True)})
