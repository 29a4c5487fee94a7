"""Which input costs refer to: said once, remembered for the network."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from torch import nn

from supernet.errors import UsageError
from supernet.nn.input_shape import InputShape, checked

_said: WeakKeyDictionary[nn.Module, InputShape] = WeakKeyDictionary()


def input_shape_of(net: nn.Module, input_shape: InputShape | None) -> InputShape:
    """The shape of one input, such as (C, H, W): given now, an attribute `input_shape` of the network, or given before.

    Raises:
        UsageError: none of these, or a size below 1.
    """
    if input_shape is not None:
        shape = checked(input_shape)
        _said[net] = shape
        return shape
    if net in _said:
        return _said[net]
    for holder in (net, getattr(net, "module", None)):
        declared = getattr(holder, "input_shape", None)
        if declared is not None:
            return checked(declared)
    raise UsageError(
        "The size of the inputs is not known, and costs depend on it. Pass input_shape=(C, H, W) once, for "
        "example input_shape=(3, 32, 32), or nn.Inputs for what is not one tensor of floats; it is remembered for this "
        "network."
    )
