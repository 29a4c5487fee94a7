"""How much is alive at a time, in a list of steps that read and make blocks of memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple


class Birth(NamedTuple):
    """A block of memory that a step makes.

    Attributes:
        block: Its number.
        size: Its bytes.
        spare: Whether it is a further result of an operation, such as the indices of a maximum, which takes memory only
            if something reads it.
    """

    block: int
    size: int
    spare: bool = False


class Step(NamedTuple):
    """One operation, or several in a row.

    Attributes:
        reads: The blocks that it reads.
        births: The blocks that it makes.
        scratch: Bytes that it takes beside, and gives back.
    """

    reads: tuple[int, ...] = ()
    births: tuple[Birth, ...] = ()
    scratch: int = 0


def peak(steps: Sequence[Step], given: Mapping[int, int], kept: Collection[int]) -> int:
    """The most bytes that are alive during a step.

    A block lives from the step that makes it to the last step that reads it, both included.

    Args:
        steps: What is done, in order.
        given: Bytes of the blocks that are there from the beginning, by number.
        kept: The blocks that are still needed at the end.

    >>> add = [Step((0,), (Birth(1, 8),)), Step((1,), (Birth(2, 8),)), Step((0, 2), (Birth(3, 8),))]
    >>> peak(add, {0: 8}, {3}), peak(add[:2], {0: 8}, {2})
    (24, 16)
    """
    return max(_profile(steps, given, kept), default=sum(given.values()))


def merged(steps: Sequence[Step], given: Collection[int], kept: Collection[int]) -> list[Step]:
    """The fewest steps that are the same to whoever looks on from outside.

    Blocks that are neither given nor kept become scratch. A step ends where one of the others is read for the last
    time, and begins where one is made.

    >>> two = [Step((0,), (Birth(1, 8),)), Step((1,), (Birth(2, 4),))]
    >>> merged(two, {0}, {2})[1]
    Step(reads=(), births=(Birth(block=2, size=4, spare=False),), scratch=8)
    """
    last = {block: place for place, step in enumerate(steps) for block in step.reads}
    seen = {*given, *kept}
    inside = _profile(steps, {}, (), without=seen)
    found: list[Step] = []
    start = 0
    for place, step in enumerate(steps):
        reads = tuple(block for block in dict.fromkeys(step.reads) if block in seen and last[block] == place)
        following = steps[place + 1].births if place + 1 < len(steps) else ()
        if reads or place + 1 == len(steps) or any(birth.block in kept for birth in following):
            births = tuple(birth for birth in steps[start].births if birth.block in kept)
            found.append(Step(reads, births, max(inside[start : place + 1])))
            start = place + 1
    return found


def _profile(
    steps: Sequence[Step], given: Mapping[int, int], kept: Collection[int], without: Collection[int] = ()
) -> list[int]:
    """Bytes alive during each step, but for those of the blocks to leave out."""
    last = {block: place for place, step in enumerate(steps) for block in step.reads}
    last |= dict.fromkeys(kept, len(steps))
    change = [0] * (len(steps) + 2)

    def lives(block: int, size: int, first: int) -> None:
        if block not in without:
            change[first] += size
            change[min(last.get(block, first), len(steps)) + 1] -= size

    for block, size in given.items():
        if block in last:
            lives(block, size, 0)
    for place, step in enumerate(steps):
        for birth in step.births:
            if not birth.spare or birth.block in last:
                lives(birth.block, birth.size, place)
    return [alive + step.scratch for alive, step in zip(accumulate(change), steps, strict=False)]
