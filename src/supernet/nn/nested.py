"""All nested widths of a block from one pass."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.by_example import input_layout
from supernet.nn.conv import ElasticConv2d
from supernet.nn.linear import ElasticLinear
from supernet.nn.selection import Decisions, Target, as_decisions
from supernet.nn.supernet import Supernet
from supernet.space import Choice, Expr


def nested_outputs(net: Supernet, block: str, choice: str, target: Target, *inputs: Any) -> dict[Any, Tensor]:
    """What a block gives for every option of a width inside it, by option, from one pass at the largest.

    The last layer of the block sums over the width (the second layer of a feed-forward block, the last projection of
    attention, of an inverted residual), so that the result of a prefix is a partial sum of that of the whole: exact
    where the width reaches the sum entry by entry, see `nested_choices`. The cost is that of the largest option, and
    one addition of the result per option.

    Args:
        net: The supernet.
        block: Name of the block, as in `net.module.named_modules()`.
        choice: Name of the choice of the width.
        target: What all other choices are, as `Supernet.active` takes it.
        inputs: What the block takes.

    Raises:
        UsageError: there is no such block or choice, the block does not end in a linear layer or convolution over the
            width, or the option takes no prefix.

    >>> import torch
    >>> from supernet import ElasticLinear
    >>> hidden = Choice("hidden", (4, 8))
    >>> net = Supernet(nn.Sequential(ElasticLinear(3, hidden), nn.GELU(), ElasticLinear(hidden, 3)))
    >>> found = nested_outputs(net, "", "hidden", net.space.largest(), torch.ones(2, 3))
    >>> {option: torch.allclose(y, net(torch.ones(2, 3), {"hidden": option}), atol=1e-6) for option, y in found.items()}
    {4: True, 8: True}
    """
    asked = net.space.choices[net.space.column(choice)]
    modules = dict(net.module.named_modules())
    if block not in modules:
        raise UsageError(f"There is no block {block!r} in {type(net.module).__name__}. Give a name of named_modules().")
    last = _last_layer(modules[block], asked, block)
    decided = as_decisions(target, net.space)
    by_option = {option: Decisions({**decided, choice: code}) for code, option in enumerate(asked.options)}
    widths = {option: _width(net, last, decisions) for option, decisions in by_option.items()}
    found: list[dict[int, Tensor]] = []
    with net.active(by_option[asked.order[-1]]), _summing(last, sorted(set(widths.values())), found):
        result = modules[block](*inputs)
    if len(found) != 1 or found[0][max(widths.values())] is not result:
        raise UsageError(
            f"The block {block!r} does more with what its last layer over {choice!r} gives than to return it. "
            "Name the part of it that ends in this layer."
        )
    return {option: found[0][width] for option, width in widths.items()}


@contextmanager
def _summing(
    last: ElasticLinear | ElasticConv2d, widths: Sequence[int], found: list[dict[int, Tensor]]
) -> Iterator[None]:
    """Within it the layer adds up its result in parts and keeps all partial sums."""

    def forward(x: Tensor) -> Tensor:
        found.append(_partial_sums(last, x, widths))
        return found[-1][widths[-1]]

    vars(last)["forward"] = forward
    try:
        yield
    finally:
        del vars(last)["forward"]


def _last_layer(block: nn.Module, choice: Choice, name: str) -> ElasticLinear | ElasticConv2d:
    found = None
    for layer in block.modules():
        layout = input_layout(layer)
        if layout is not None and choice in cast(Expr, layout[1].width).choices():
            if not isinstance(layer, ElasticLinear | ElasticConv2d) or found is not None:
                found = None
                break
            found = layer
    if found is None:
        raise UsageError(
            f"The block {name!r} has not exactly one ElasticLinear or ElasticConv2d that sums over {choice.name!r}; "
            "name a block that has, such as the feed-forward part of a transformer's layer."
        )
    return found


def _width(net: Supernet, layer: ElasticLinear | ElasticConv2d, decisions: Decisions) -> int:
    with net.active(decisions):
        return net.selection.value(layer.width_in)


def _partial_sums(layer: ElasticLinear | ElasticConv2d, x: Tensor, widths: Sequence[int]) -> dict[int, Tensor]:
    """Results by width, each the one before it and what the next entries add; the layer is active at the largest."""
    weight, bias = layer.active_weight(), layer.active_bias()
    before = [0, *widths[:-1]]
    if isinstance(layer, ElasticLinear):
        rows = x.flatten(0, -2)
        first = F.linear(rows[:, : widths[0]], weight[:, : widths[0]], bias)
        sums = [first]
        for start, end in zip(before[1:], widths[1:], strict=True):  # a product that adds to a result costs no addition
            sums.append(torch.addmm(sums[-1], rows[:, start:end], weight[:, start:end].t()))
        return {width: found.view(*x.shape[:-1], -1) for width, found in zip(widths, sums, strict=True)}
    padding: Any = layer.active_padding()
    products = [
        F.conv2d(
            x[:, start:end], weight[:, start:end], bias if start == 0 else None, layer.stride, padding, layer.dilation
        )
        for start, end in zip(before, widths, strict=True)
    ]
    return dict(zip(widths, itertools.accumulate(products), strict=True))
