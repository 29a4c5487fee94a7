"""A network without its classifier: what enters the last linear layer is what it returns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from supernet.errors import UsageError
from supernet.nn.linear import ElasticLinear
from supernet.nn.supernet import Supernet


def classifier(net: Supernet) -> nn.Linear:
    """The last linear layer of a network, which has a fixed number of inputs.

    Args:
        net: The network.

    Raises:
        UsageError: there is no linear layer, or what enters the last one varies.

    >>> from supernet import zoo
    >>> classifier(zoo.mbconv(num_classes=7)).out_features
    7
    """
    found = [layer for layer in net.module.modules() if isinstance(layer, nn.Linear)]
    if not found:
        raise UsageError(
            f"The features of {type(net.module).__name__} are what enters its last linear layer, but it has none. "
            "Give a network that ends in a linear classifier."
        )
    last = found[-1]
    if isinstance(last, ElasticLinear) and not isinstance(last.width_in, int):
        raise UsageError(
            f"The features of {type(net.module).__name__} are what enters its last linear layer, but their number "
            "depends on the architecture. Give a network whose last features are as many in every architecture."
        )
    return last


def classifier_parameters(net: Supernet) -> list[nn.Parameter]:
    """The parameters of the classifier, for a `Slice`.

    Raises:
        UsageError: as in `classifier`.
    """
    return list(classifier(net).parameters())


@contextmanager
def headless(net: Supernet) -> Iterator[None]:
    """Inside, the classifier does not run, and passes on what it is given: a network (B, …) -> (B, K) gives (B, D).

    Raises:
        UsageError: as in `classifier`.
    """
    last, identity = classifier(net), nn.Identity()
    places = [(module, name) for module in net.modules() for name, child in module.named_children() if child is last]
    for module, name in places:
        module._modules[name] = identity
    try:
        yield
    finally:
        for module, name in places:
            module._modules[name] = last
