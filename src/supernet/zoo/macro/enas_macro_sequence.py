"""The notation of ENAS's authors for whole networks: operations and skips in a row."""

from __future__ import annotations

from typing import Any

from supernet.errors import UsageError
from supernet.space import Arch, Space
from supernet.zoo.macro.enas import OPS

FINAL = (
    "0 3 0 0 1 0 2 0 0 1 2 0 0 0 0 3 1 1 0 1 0 2 0 0 0 0 0 1 2 0 1 1 0 1 1 1 1 0 1 1 1 0 1 0 1 0 0 0 0 0 0 0 0 0 0 "
    "2 0 0 0 0 0 1 0 0 0 0 0 1 0 0 1 1 0 0 0 0 1 1 2 0 1 0 0 0 0 0 1 0 1 1 0 1 0 0 1 0 0 0 1 1 1 0 1 0 1 "
    "0 1 1 0 1 0 1 0 0 0 0 0 1 0 0 2 0 0 1 0 0 0 0 0 0 0 1 0 1 0 1 2 0 1 0 0 0 1 0 0 1 1 1 1 0 0 1 0 "
    "2 0 0 0 0 1 0 1 0 1 0 0 1 0 1 0 0 1 3 0 1 1 0 1 0 0 0 0 0 1 0 1 0 1 0 0 0 3 0 1 1 0 0 0 0 0 0 0 0 0 1 1 0 0 0 0 1 "
    "0 1 0 0 1 0 1 1 0 0 0 1 0 0 0 0 0 1 1 0 0 3 0 1 0 1 1 0 0 1 0 1 1 0 1 1 0 1 0 0 1 0 0 "
    "0 1 0 1 0 1 0 0 0 0 0 0 0 0 1 0 1 0 0 1 0 0 0 0 1 1 0 0 0 1 1 1 0 1 0 0 0 1 0 1 0 0 1 1 0 0 0"
)
"""The network of 24 layers that the authors publish (`cifar10_macro_final.sh`); `zoo.enas_macro` has 16 at most."""


def enas_macro_arch(space: Space, text: str) -> Arch:
    """An architecture of `zoo.enas_macro` from the authors' notation.

    Args:
        space: The space, which has as many layers as the notation.
        text: For each layer its operation, numbered as in `OPS`, then for each earlier output but the last whether it
            is added, 0 or 1, the stem's first: `"0 3 0 2 1 1"` has three layers.

    Raises:
        UsageError: a number is missing or too much, or means nothing in this space.

    >>> from supernet import zoo
    >>> space = zoo.enas_macro(channels=2, layers=3).space
    >>> str(enas_macro_arch(space, "0 3 0 2 1 1"))
    '0=conv_3x3,1=sep_conv_5x5,1.skips=:,2=conv_5x5,2.skips=0:1'
    """
    layers = sum(not name.endswith(".skips") for name in space.names)
    numbers = text.split()
    if len(numbers) != layers * (layers + 1) // 2 or not all(number.isdecimal() for number in numbers):
        raise UsageError(
            f"The network is {text!r:.80}, but {layers} layers take {layers * (layers + 1) // 2} numbers: an operation "
            "for each, and 0 or 1 for each skip."
        )
    found: dict[str, Any] = {}
    values = iter(map(int, numbers))
    for layer in range(layers):
        op, flags = next(values), [next(values) for _ in range(layer)]
        if op >= len(OPS) or not set(flags) <= {0, 1}:
            raise UsageError(
                f"The layer {layer} has the operation {op} and the skips {flags}; operations are 0 to {len(OPS) - 1} "
                "and skips 0 or 1."
            )
        found[str(layer)] = OPS[op]
        if layer:
            found[f"{layer}.skips"] = tuple(place for place, flag in enumerate(flags) if flag)
    return space.arch(found)


def enas_macro_sequence(arch: Arch) -> str:
    """An architecture of `zoo.enas_macro` in the authors' notation."""
    numbers: list[int] = []
    for name in (name for name in arch.space.names if not name.endswith(".skips")):
        numbers.append(OPS.index(str(arch[name])))
        skips: Any = arch[f"{name}.skips"] if int(name) else ()
        numbers += [int(place in skips) for place in range(int(name))]
    return " ".join(map(str, numbers))
