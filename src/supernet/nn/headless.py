"""A network without its classifier: what enters the last linear layer is what it returns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from supernet.errors import UsageError
from supernet.nn.linear import ElasticLinear
from supernet.nn.supernet import Supernet


def classifier(net: Supernet, *, varying: bool = False) -> nn.Linear:
    """The last linear layer of a network.

    Args:
        net: The network.
        varying: Whether the number of its inputs may depend on the architecture.

    Raises:
        UsageError: there is no linear layer, or what enters the last one varies and may not.

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
    if not varying and isinstance(last, ElasticLinear) and not isinstance(last.width_in, int):
        raise UsageError(
            f"The features of {type(net.module).__name__} are what enters its last linear layer, but their number "
            "depends on the architecture. Give a network whose last features are as many in every architecture."
        )
    return last


def classifier_input(net: Supernet) -> str:
    """What `tapped` calls the features that enter the classifier: its name in the module, and `:input`.

    Raises:
        UsageError: there is no linear layer.

    >>> from supernet import zoo
    >>> classifier_input(zoo.nasbench201(channels=4, cells=1))
    'head.4:input'
    """
    last = classifier(net, varying=True)
    return next(f"{name}:input" for name, module in net.module.named_modules() if module is last)


def classifier_parameters(net: Supernet) -> list[nn.Parameter]:
    """The parameters of the classifier, for a `Slice`.

    Raises:
        UsageError: there is no linear layer.
    """
    return list(classifier(net, varying=True).parameters())


@contextmanager
def headless(net: Supernet) -> Iterator[None]:
    """Inside, the classifier does not run, and passes on what it is given: a network (B, …) -> (B, K) gives (B, D).

    D may depend on the architecture that is active.

    Raises:
        UsageError: there is no linear layer.
    """
    last, identity = classifier(net, varying=True), nn.Identity()
    places = [(module, name) for module in net.modules() for name, child in module.named_children() if child is last]
    for module, name in places:
        module._modules[name] = identity
    try:
        yield
    finally:
        for module, name in places:
            module._modules[name] = last
