"""Architectures as texts in tables: ours, and the spellings that benchmarks have of their own."""

from __future__ import annotations

from supernet.errors import UsageError
from supernet.space import Arch, Choice, Space
from supernet.zoo import nasbench201_arch, nasbench_macro_arch
from supernet.zoo.cells import nas_bench_201
from supernet.zoo.chains import nas_bench_macro

WIDTHS = tuple(range(8, 65, 8))
SIZE_SPACE = Space([Choice(f"width{number}", WIDTHS) for number in range(5)])
"""The size space of NATS-Bench: the widths of five stages, 32,768 architectures."""


def read_arch(space: Space, text: str) -> Arch:
    """The architecture that a text describes: what `Space.parse` reads, or the string of the benchmark.

    In a table that is made by hand semicolons may stand for the commas, so that a cell needs no quotation marks.

    Raises:
        UsageError: it is none of these, or not of this space.

    >>> read_arch(SIZE_SPACE, "8:16:24:32:64")
    Arch(width0=8, width1=16, width2=24, width3=32, width4=64)
    >>> space = Space([Choice("depth", (1, 2)), Choice("kernel", (3, 5))])
    >>> read_arch(space, str(space.largest())), read_arch(space, "depth=1; kernel=3")
    (Arch(depth=2, kernel=5), Arch(depth=1, kernel=3))
    """
    if text.lstrip().startswith("{"):
        return space.parse(text)
    if "=" in text:
        return space.parse(text if "," in text else text.replace(";", ","))
    options = {choice.options for choice in space.choices}
    if space.names == nas_bench_201.EDGES and options == {nas_bench_201.OPS}:
        return nasbench201_arch(space, text.strip())
    if space.names == nas_bench_macro.LAYERS and options == {nas_bench_macro.OPS}:
        return nasbench_macro_arch(space, text.strip())
    if space.names == SIZE_SPACE.names and options == {WIDTHS}:
        return size_arch(space, text.strip())
    return space.parse(text)


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
