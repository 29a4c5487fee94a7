"""The arithmetic that networks run in, by name; apart from the networks, so that a configuration needs no PyTorch."""

from __future__ import annotations

from typing import Literal, TypeAlias, cast, get_args

from supernet.errors import UsageError

Precision: TypeAlias = Literal["32-true", "bf16-mixed"]
"""`"32-true"`: float32. `"bf16-mixed"`: bfloat16 where it is safe, with float32 weights."""


def check_precision(precision: str) -> Precision:
    """The same, if it is a `Precision`.

    Raises:
        UsageError: it is none.
    """
    if precision not in get_args(Precision):
        raise UsageError(f"The precision {precision!r} is not supported; use one of {get_args(Precision)}.")
    return cast(Precision, precision)
