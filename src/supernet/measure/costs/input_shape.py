"""Which input costs refer to: said once, remembered for the network."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.input_shape import InputShape, checked

_said: WeakKeyDictionary[nn.Module, InputShape] = WeakKeyDictionary()


def input_shape_of(net: nn.Module, input_shape: InputShape | None) -> InputShape:
    """The shape of one input, such as (C, H, W), or (F,) of a table.

    It is given now, an attribute `input_shape` of the network, or was given before.

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
        "The size of the inputs is not known, and costs depend on it. Pass input_shape once, the sizes of one input "
        f"without the batch, for example input_shape={_example(net)}, or nn.Inputs for what is not one tensor of "
        "floats; it is remembered for this network."
    )


def _example(net: nn.Module) -> tuple[int, ...]:
    """The shape of what the first layer with weights takes: features, a sequence, an image, a volume."""
    for module in net.modules():
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor) or isinstance(module, nn.Embedding):
            continue
        if weight.ndim == 2:
            return (weight.shape[1],)
        if weight.ndim > 2:
            channels = weight.shape[1] * getattr(module, "groups", 1)
            return (channels, *{3: (128,), 4: (32, 32)}.get(weight.ndim, (16, 32, 32)))
    return (3, 32, 32)
