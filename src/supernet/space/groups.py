"""Which choices belong together, judged by their names and conditions: roles, stacks, blocks."""

from __future__ import annotations

import re

from supernet.space.space import Space

_NUMBER = re.compile(r"\d+")


def role(name: str) -> str:
    """What a choice decides, wherever it stands: the last part of its name without numbers.

    >>> [role(name) for name in ("stage2.block1.kernel", "layer3.heads", "resolution", "s0.kernel2")]
    ['kernel', 'heads', 'resolution', 'kernel']
    """
    last = name.rpartition(".")[2]
    return _NUMBER.sub("", last) or last


def asked(space: Space) -> tuple[str, ...]:
    """The choices that the conditions of others ask about, such as depths, in the order of the space."""
    there = {choice.name for other in space.choices if other.when is not None for choice in other.when.choices()}
    return tuple(name for name in space.names if name in there)


def stacks(space: Space) -> dict[str, list[str]]:
    """The choices that decide the same thing in the layers of one stack, by a name of the group.

    A stack is what the first part of a name says, where numbered parts follow it (`encoder.layer3`,
    `stage2.block1`), or else the whole network (`layer3`). A choice that others depend on is alone.

    >>> from supernet.space import Choice
    >>> names = ("stage1.width", "stage1.block1.kernel", "stage1.block2.kernel", "layer1.heads", "layer2.heads")
    >>> list(stacks(Space([Choice(name, (1, 2)) for name in names])))
    ['stage1.width', 'stage1.block.kernel', 'layer.heads']
    """
    alone = set(asked(space))
    numbered = {first for first, dot, rest in (n.partition(".") for n in space.names) if dot and _NUMBER.search(rest)}
    found: dict[str, list[str]] = {}
    for name in space.names:
        first, dot, rest = name.partition(".")
        key = f"{first}{dot}{_NUMBER.sub('', rest)}" if first in numbered else _NUMBER.sub("", name)
        found.setdefault(name if name in alone else key, []).append(name)
    return found


def blocks(space: Space) -> list[list[str]]:
    """The choices of each block: they share a name up to its last part, and the numbers in that.

    A choice that others depend on, and one of the whole network, is in none.

    >>> from supernet.space import Choice
    >>> names = ("resolution", "stage1.block1.kernel", "stage1.block1.expansion", "stage1.block2.kernel")
    >>> blocks(Space([Choice(name, (1, 2)) for name in names]))
    [['stage1.block1.kernel', 'stage1.block1.expansion'], ['stage1.block2.kernel']]
    """
    alone = {*asked(space), *whole(space)}
    found: dict[tuple[str, ...], list[str]] = {}
    for name in space.names:
        if name not in alone:
            place, _, last = name.rpartition(".")
            found.setdefault((place, *_NUMBER.findall(last)), []).append(name)
    return list(found.values())


def whole(space: Space) -> tuple[str, ...]:
    """The choices of the whole network: their names have neither a dot nor a number, such as `resolution`."""
    return tuple(name for name in space.names if "." not in name and not _NUMBER.search(name))
