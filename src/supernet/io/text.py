"""Plain tables for a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def aligned(lines: Sequence[Sequence[str]], *, left: Collection[int] = (0,)) -> str:
    """A table of texts (L, C), its columns flush right but for those in `left`.

    >>> print(aligned([["", "a"], ["tau", "0.5"], ["r", "-0.25"]]))
             a
    tau    0.5
    r    -0.25
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

    def padded(line: Sequence[str]) -> list[str]:
        cells = enumerate(zip(line, widths, strict=True))
        return [cell.ljust(width) if column in left else cell.rjust(width) for column, (cell, width) in cells]

    return "\n".join("  ".join(padded(line)).rstrip() for line in lines)
