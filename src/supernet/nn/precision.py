"""The arithmetic that networks run in."""

from __future__ import annotations

from typing import cast, get_args

from supernet.errors import UsageError
from supernet.precision import Precision as Precision


def check_precision(precision: str) -> Precision:
    """The same, if it is a `Precision`.

    Raises:
        UsageError: it is none.
    """
    if precision not in get_args(Precision):
        raise UsageError(f"The precision {precision!r} is not supported; use one of {get_args(Precision)}.")
    return cast(Precision, precision)
