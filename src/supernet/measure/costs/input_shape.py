"""Which image size costs refer to: said once, remembered for the network."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from torch import nn

from supernet.errors import UsageError

_said: WeakKeyDictionary[nn.Module, tuple[int, ...]] = WeakKeyDictionary()


def input_shape_of(net: nn.Module, input_shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """The shape (C, H, W) of one input: given now, an attribute `input_shape` of the network, or given before.

    Raises:
        UsageError: none of these, or a size below 1.
    """
    if input_shape is not None:
        shape = tuple(input_shape)
        if not shape or any(not isinstance(size, int) or size < 1 for size in shape):
            raise UsageError(f"input_shape={input_shape} is not the shape of an image; give (C, H, W), all 1 or more.")
        _said[net] = shape
        return shape
    if net in _said:
        return _said[net]
    for holder in (net, getattr(net, "module", None)):
        declared = getattr(holder, "input_shape", None)
        if declared is not None:
            return tuple(declared)
    raise UsageError(
        "The size of the images is not known, and costs depend on it. Pass input_shape=(C, H, W) once, for "
        "example input_shape=(3, 32, 32); it is remembered for this network."
    )
