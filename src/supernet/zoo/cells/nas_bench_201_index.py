"""The language of the NAS-Bench-201 tables: architecture strings and row numbers."""

from __future__ import annotations

import itertools
import random
import re
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.space import Arch, Codes, Space
from supernet.zoo.cells.nas_bench_201 import EDGES, OPS

_EXAMPLE = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"
_PATTERN = re.compile(
    r"\+".join(r"\|" + "".join(rf"([^|~+]*)~{source}\|" for source in range(target)) for target in range(1, 4))
)
_SHUFFLE_SEED = 88  # the benchmark trained its cells in this shuffled order and numbers them by it


def nasbench201_string(arch: Arch) -> str:
    """The benchmark's string of an architecture: nodes joined by `+`, each a list of `operation~source`.

    Raises:
        UsageError: the architecture is of another space.

    >>> from supernet.zoo import nasbench201
    >>> nasbench201_string(nasbench201(channels=4, cells=1).space.smallest())
    '|none~0|+|none~0|none~1|+|none~0|none~1|none~2|'
    """
    _check_space(arch.space)
    nodes = (range(target) for target in range(1, 4))
    return "+".join("|" + "".join(f"{arch[f'{len(node)}<-{s}']}~{s}|" for s in node) for node in nodes)


def nasbench201_arch(space: Space, text: str) -> Arch:
    """The architecture that a string of the benchmark describes.

    Raises:
        UsageError: another space, or not a string of this form.
    """
    _check_space(space)
    found = _PATTERN.fullmatch(text)
    unknown = sorted(set(found.groups()) - set(OPS)) if found else []
    if found is None or unknown:
        reason = f"unknown operation {unknown[0]!r}" if unknown else "it needs three nodes with 1, 2 and 3 inputs"
        raise UsageError(
            f"{text!r} is not an architecture of NAS-Bench-201: {reason}. Write it like {_EXAMPLE!r} "
            f"with the operations {', '.join(OPS)}."
        )
    return space.arch(dict(zip(EDGES, found.groups(), strict=True)))


def nasbench201_row(arch: Arch) -> int:
    """Row number, 0 to 15,624, of an architecture in the benchmark's tables.

    Raises:
        UsageError: the architecture is of another space.
    """
    _check_space(arch.space)
    return int(_row_of_number()[_number(np.asarray([arch.code]))[0]])


def nasbench201_from_row(space: Space, row: int) -> Arch:
    """The architecture in this row of the benchmark's tables.

    Raises:
        UsageError: another space, or a row outside 0 … 15,624.
    """
    _check_space(space)
    codes = nasbench201_codes()
    if not 0 <= row < len(codes):
        raise UsageError(f"NAS-Bench-201 has the rows 0 to {len(codes) - 1:,}; got {row}.")
    return space.wrap(codes[row : row + 1])[0]


@lru_cache(maxsize=1)
def nasbench201_codes() -> Codes:
    """The whole benchmark as a population (15625, 6), row by row in the order of its tables; read-only.

    A column is an edge, an entry the position of its operation in `none, skip_connect, nor_conv_1x1,
    nor_conv_3x3, avg_pool_3x3`.
    """
    cells = list(itertools.product(range(len(OPS)), repeat=len(EDGES)))
    random.Random(_SHUFFLE_SEED).shuffle(cells)
    codes = np.asarray(cells, dtype=np.int16)
    codes.setflags(write=False)
    return codes


@lru_cache(maxsize=1)
def _row_of_number() -> NDArray[np.int64]:
    return np.argsort(_number(nasbench201_codes()))


def _number(codes: Codes) -> NDArray[np.int64]:
    return codes @ len(OPS) ** np.arange(len(EDGES) - 1, -1, -1)


def _check_space(space: Space) -> None:
    if space.names != EDGES or any(choice.options != OPS for choice in space.choices):
        raise UsageError(
            f"Strings and rows of NAS-Bench-201 belong to the space of zoo.nasbench201(); got a space with "
            f"{len(space)} choices ({', '.join(space.names[:3])} …)."
        )
