"""What searches have measured, as a predictor takes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from supernet.errors import UsageError
from supernet.io.files import damaged
from supernet.io.lines import read_lines
from supernet.io.run_directory import SEARCHED
from supernet.rank.checks import Floats
from supernet.space import Codes, Space


class Observed(NamedTuple):
    """Architectures (N, D) and the values (N,) that were measured of them."""

    codes: Codes
    values: Floats


class _Line(msgspec.Struct):
    arch: Mapping[str, Any]
    values: Mapping[str, float]


def read_observed(folder: Path | str, space: Space, quantity: str) -> Observed:
    """What a search has measured, from `search.jsonl` in its folder; of an architecture the latest value.

    Raises:
        UsageError: the folder holds no search, its architectures are of another space, or it has not measured this.
        RunError: a line is damaged; names it.
    """
    path = Path(folder) / SEARCHED
    if not path.is_file():
        raise UsageError(
            f"{folder} holds no search: there is no {SEARCHED}. Give the directory of a search, or of a run that was "
            "searched."
        )
    found: dict[tuple[int, ...], float] = {}
    for number, line in enumerate(read_lines(path, _Line).rows, start=1):
        if quantity not in line.values:
            raise UsageError(
                f"{path} has measured {', '.join(line.values)}, not {quantity}; name one of these as the quantity."
            )
        try:
            code = space.arch(msgspec.convert(line.arch, dict[str, Any])).code
        except UsageError as error:
            raise UsageError(f"{path}, line {number}, is of another space: {error}") from error
        if not np.isfinite(line.values[quantity]):
            raise damaged(path, f"line {number} holds {quantity} = {line.values[quantity]}")
        found.pop(code, None)
        found[code] = line.values[quantity]
    codes = np.asarray(list(found), dtype=np.int16).reshape(len(found), len(space))
    return Observed(codes, np.asarray(list(found.values()), dtype=np.float64))
