"""A supernet with the head of one task alone."""

from __future__ import annotations

import copy

from torch import nn

from supernet.errors import UsageError
from supernet.nn.supernet import Supernet


def has_heads(net: Supernet) -> bool:
    """Whether a network has its heads, by the name of their task, in an `nn.ModuleDict` that it calls `heads`."""
    return isinstance(getattr(net.module, "heads", None), nn.ModuleDict)


def one_head(net: Supernet, name: str) -> Supernet:
    """A copy of a supernet, over the same space, in which one head is left of those that its module has as `heads`.

    Args:
        net: The supernet; it is left untouched. What its module returns must be a mapping of what its heads return.
        name: The head that is left, which is the name of its task.

    Raises:
        UsageError: there is no such head, or it has choices inside.

    >>> from supernet import zoo
    >>> net = zoo.fbnetv5(variant="tiny", heads=("kinds=images:10", "mask=pixels:11"), image_size=16)
    >>> list(one_head(net, "mask").module.heads)
    ['mask']
    """
    heads = getattr(net.module, "heads", None)
    if not isinstance(heads, nn.ModuleDict) or name not in heads:
        known = ", ".join(map(repr, heads)) if isinstance(heads, nn.ModuleDict) else "none"
        raise UsageError(
            f"A network with the head {name!r} alone was asked for, but {type(net.module).__name__} has {known}. Keep "
            "heads by the names of their tasks in an nn.ModuleDict called `heads`."
        )
    found = copy.deepcopy(net)
    kept = found.module.get_submodule(f"heads.{name}")
    found.module.heads = nn.ModuleDict({name: kept})
    alone = Supernet(found.module, input_shape=net.input_shape)
    if alone.space.fingerprint != net.space.fingerprint:
        raise UsageError(f"A head beside {name!r} has choices inside, so that it cannot be left out.")
    alone.train(net.training)
    alone.calibrated_for = net.calibrated_for
    return alone
