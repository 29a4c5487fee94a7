"""Another classifier, or another input, for a supernet that keeps its feature extractor."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import ElasticLinear, Supernet


def find_classifier(net: Supernet, num_classes: int) -> str:
    """The name of the last linear layer with `num_classes` outputs.

    >>> from supernet import zoo
    >>> find_classifier(zoo.mbconv(num_classes=7), 7)
    'head.5'

    Raises:
        UsageError: there is none.
    """
    linear = {name: layer for name, layer in net.module.named_modules() if isinstance(layer, nn.Linear)}
    found: list[str] = [name for name, layer in linear.items() if layer.out_features == num_classes]
    if not found:
        known = ", ".join(f"{name} ({layer.out_features})" for name, layer in linear.items()) or "none"
        raise UsageError(
            f"No linear layer of this supernet has {num_classes} outputs, one per class; its linear layers and their "
            f"outputs: {known}. Name the classifier (classifier='head.4')."
        )
    return found[-1]


def replace_classifier(net: Supernet, name: str, num_classes: int) -> None:
    """Put a new linear layer, drawn from torch's generator, in the place of another; the space stays as it is.

    Args:
        net: The supernet, which is changed in place.
        name: Name of the layer inside `net.module`, such as `"head.4"`.
        num_classes: Number of outputs of the new layer, one per class.

    Raises:
        UsageError: there is no such layer, or it is not a linear one with a fixed number of outputs.
    """
    modules = dict(net.module.named_modules())
    old = modules.get(name)
    if not isinstance(old, nn.Linear) or not name:
        what = f"is a {type(old).__name__}" if name in modules else "does not exist"
        linear = [key for key, layer in modules.items() if isinstance(layer, nn.Linear)]
        raise UsageError(
            f"The classifier {name!r} {what}; name a linear layer: {', '.join(linear) or 'there is none'}."
        )
    new: nn.Linear
    if isinstance(old, ElasticLinear):
        if not isinstance(old.width_out, int):
            raise UsageError(
                f"The layer {name!r} has an elastic number of outputs, so it is no classifier; name another."
            )
        new = ElasticLinear(old.width_in, num_classes, bias=old.bias is not None)
        new.selection = net.selection
    else:
        new = nn.Linear(old.in_features, num_classes, bias=old.bias is not None)
    new.to(old.weight.device, old.weight.dtype).train(old.training)
    parent, _, leaf = name.rpartition(".")
    modules[parent]._modules[leaf] = new


class LearnedInput(nn.Module):
    """Brings images (B, C, H, W) to the shape a network was trained with: a 1 × 1 convolution, then bilinear resizing.

    The convolution starts as what would be done without learning: grey repeated, colours averaged to grey, else each
    channel as it is.

    Args:
        channels: Number of channels of the images.
        shape: (C', H', W') that the network takes.
    """

    def __init__(self, channels: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, shape[0], 1, bias=False)
        self.height, self.width = shape[1:]
        with torch.no_grad():
            mean = torch.full((shape[0], channels), 1 / channels)
            weight = mean if 1 in (shape[0], channels) else torch.eye(shape[0], channels)
            self.convolution.weight.copy_(weight[:, :, None, None])

    def forward(self, x: Tensor) -> Tensor:
        size = (self.height, self.width)
        return F.interpolate(self.convolution(x), size=size, mode="bilinear", align_corners=False)


def with_learned_input(net: Supernet, channels: int, shape: tuple[int, int, int]) -> Supernet:
    """A supernet of the same layers, with a `LearnedInput` before them."""
    layers = OrderedDict(resample=LearnedInput(channels, shape), network=net.module)
    return Supernet(nn.Sequential(layers))
