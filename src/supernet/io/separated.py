"""Tables that people and spreadsheets write: what separates their cells, and what keeps a cell from being a number."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator


def separated(text: str) -> Iterator[tuple[int, list[str]]]:
    r"""The lines of a table that hold something, from 1, and their cells; the first line says what separates them.

    Spreadsheets of many countries write semicolons, as their numbers have commas; others write tabs.

    Raises:
        csv.Error: a quotation mark is misplaced or never closed.

    >>> list(separated("arch;ms\n\n\"k=3,d=2\";1.5"))
    [(1, ['arch', 'ms']), (3, ['k=3,d=2', '1.5'])]
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=_separator(text))
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def _separator(text: str) -> str:
    header = text.lstrip().partition("\n")[0]
    return "," if "," in header else next((mark for mark in ";\t" if mark in header), ",")


def number_advice(cell: str) -> str:
    """What is to be left out of a cell, or written otherwise, so that it is a number; empty where nothing is known.

    >>> number_advice("97 %"), number_advice("1,5"), number_advice("good")
    (' Write it without the %, as 97.', ' Write it with a point, as 1.5.', '')
    """
    bare = cell.strip()
    number = bare.rstrip("%msµun ").strip()
    if number != bare and _is_number(number):
        return f" Write it without the {bare.removeprefix(number).strip()}, as {number}."
    pointed = bare.replace(",", ".")
    return f" Write it with a point, as {pointed}." if pointed != bare and _is_number(pointed) else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
