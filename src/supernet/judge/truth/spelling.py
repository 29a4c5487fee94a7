"""Architectures as texts in the files of this room: ours, and the spellings that benchmarks have of their own."""

from __future__ import annotations

import json

from supernet.errors import UsageError
from supernet.space import Arch, Choice, Space
from supernet.zoo import nasbench201_arch, nasbench_macro_arch
from supernet.zoo.cells import nas_bench_201
from supernet.zoo.chains import nas_bench_macro

WIDTHS = tuple(range(8, 65, 8))
SIZE_SPACE = Space([Choice(f"width{number}", WIDTHS) for number in range(5)])
"""The size space of NATS-Bench: the widths of five stages, 32,768 architectures."""


def read_arch(space: Space, text: str) -> Arch:
    """The architecture that a text describes: what `write_arch` gives, or the string of the benchmark.

    Raises:
        UsageError: it is none of these, or not of this space.

    >>> read_arch(SIZE_SPACE, "8:16:24:32:64")
    Arch(width0=8, width1=16, width2=24, width3=32, width4=64)
    """
    options = {choice.options for choice in space.choices}
    if "=" not in text and not text.lstrip().startswith("{"):
        if space.names == nas_bench_201.EDGES and options == {nas_bench_201.OPS}:
            return nasbench201_arch(space, text.strip())
        if space.names == nas_bench_macro.LAYERS and options == {nas_bench_macro.OPS}:
            return nasbench_macro_arch(space, text.strip())
        if space.names == SIZE_SPACE.names and options == {WIDTHS}:
            return size_arch(space, text.strip())
    return _parse(space, text)


def write_arch(arch: Arch) -> str:
    """`choice=option;choice=option`; JSON where names or options of the space would be ambiguous in that form.

    >>> space = Space([Choice("depth", (1, 2)), Choice("kernel", (3, 5))])
    >>> write_arch(space.largest())
    'depth=2;kernel=5'
    >>> read_arch(space, "kernel=3; depth=2"), read_arch(space, '{"depth": 2, "kernel": 3}')
    (Arch(depth=2, kernel=3), Arch(depth=2, kernel=3))
    """
    names = [*arch.space.names, *(str(option) for choice in arch.space.choices for option in choice.options)]
    clear = not any(set(name) & set(';="{') or name != name.strip() or not name for name in names)
    if clear and all(len({str(option) for option in c.options}) == len(c.options) for c in arch.space.choices):
        return ";".join(f"{name}={option}" for name, option in arch.options().items())
    return json.dumps(arch.options(), ensure_ascii=False)


def size_arch(space: Space, text: str) -> Arch:
    """The architecture of a string of NATS-Bench's size space, such as `8:16:24:32:64`.

    Raises:
        UsageError: it is not five widths from 8 to 64, in steps of 8.
    """
    widths = text.split(":")
    if len(widths) != len(space) or not set(widths) <= set(map(str, WIDTHS)):
        raise UsageError(
            f"{text!r} is not an architecture of the size space. Write five widths out of "
            f"{', '.join(map(str, WIDTHS))}, such as '8:16:24:32:64'."
        )
    return space.arch({name: int(width) for name, width in zip(space.names, widths, strict=True)})


def _parse(space: Space, text: str) -> Arch:
    text = text.strip()
    if text.startswith("{"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UsageError(f'{text[:80]!r} is not valid JSON: {error}. Write {{"choice": option, …}}.') from error
        decisions = value.get("decisions", value)
        if not isinstance(decisions, dict):
            raise UsageError(f'{text[:80]!r} is not an architecture in JSON; write {{"choice": option, …}}.')
        return space.arch(decisions)
    decisions = {}
    for part in text.split(";"):
        name, equals, written = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise UsageError(
                f"{text[:80]!r} is not an architecture. Write 'choice=option;choice=option', or JSON; the choices are "
                f"{', '.join(space.names)}."
            )
        options = {str(option): option for option in space.allowed(name)}
        if written not in options:
            raise UsageError(f"The choice {name!r} has no option {written!r}; it allows {', '.join(options)}.")
        decisions[name] = options[written]
    return space.arch(decisions)
