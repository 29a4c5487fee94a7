"""The notation of ENAS's authors for cells: numbers of states and operations in a row."""

from __future__ import annotations

from typing import Any

from supernet.errors import UsageError
from supernet.space import Arch, Space
from supernet.zoo.cells.enas_choices import CELLS, OPS, SIDES

FINAL_NORMAL = "0 2 0 0 0 4 0 1 0 4 1 1 1 0 0 1 0 2 1 1"
FINAL_REDUCE = "1 0 1 0 0 3 0 2 1 1 3 1 1 0 0 4 0 3 1 1"
"""The two cells that the authors publish (`cifar10_micro_final.sh`), of 2.89 % test error when trained on CIFAR-10."""


def enas_micro_arch(space: Space, normal: str = FINAL_NORMAL, reduce: str = FINAL_REDUCE) -> Arch:
    """An architecture of `zoo.enas_micro` from the authors' notation.

    Args:
        space: The space, whose cells have as many nodes as the notation.
        normal: For each node the state and the operation of side x, then those of side y, such as `"0 2 1 0"`.
            Operations are numbered as in `OPS`. The default is the cell that the authors publish.
        reduce: The same of the reduction cell.

    Raises:
        UsageError: a number is missing or too much, or means nothing in this space.

    >>> from supernet import zoo
    >>> space = zoo.enas_micro(channels=2, nodes=2, auxiliary=False).space
    >>> enas_micro_arch(space, "0 0 1 1 2 4 0 3", "0 0 0 0 1 1 2 2")["normal.3.x"]
    'skip_connect'
    """
    nodes = sum(name.startswith("normal.") for name in space.names) // 4
    found: dict[str, Any] = {}
    for cell, text in zip(CELLS, (normal, reduce), strict=True):
        numbers = text.split()
        if len(numbers) != 4 * nodes or not all(number.isdecimal() for number in numbers):
            raise UsageError(
                f"The {cell} cell is {text!r}, but {nodes} nodes take {4 * nodes} numbers: the state and the operation "
                "of side x, then those of side y, for each node."
            )
        values = iter(map(int, numbers))
        for node in range(2, nodes + 2):
            for side in SIDES:
                name = f"{cell}.{node}.{side}"
                found[f"{name}.input"] = (next(values),)
                number = next(values)
                if number >= len(OPS):
                    raise UsageError(
                        f"There is no operation {number} in {text!r}; they are 0 to {len(OPS) - 1}: {OPS}."
                    )
                found[name] = OPS[number]
    return space.arch(found)


def enas_micro_sequence(arch: Arch) -> tuple[str, str]:
    """The normal and the reduction cell of an architecture of `zoo.enas_micro` in the authors' notation."""
    cells = []
    for cell in CELLS:
        sides = [name for name in arch.space.names if name.startswith(f"{cell}.") and not name.endswith(".input")]
        numbers: list[Any] = []
        for name in sides:
            source: Any = arch[f"{name}.input"]
            numbers += [*source, OPS.index(str(arch[name]))]
        cells.append(" ".join(map(str, numbers)))
    return cells[0], cells[1]
