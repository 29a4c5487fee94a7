"""The channels inside blocks are sorted by how much is read of them (OFA)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Expr, Option, Space
from supernet.space.restriction import Restriction
from supernet.train.context import Context


@runtime_checkable
class HasInnerChannels(Protocol):
    """A module with channels that nothing outside it reads, such as the hidden ones of an inverted residual block."""

    def inner_channels(self) -> Iterable[tuple[Expr | int, nn.Module]]:
        """Each dimension, as its layers were given it, with the layer whose weight (C_out, C, …) reads it."""
        ...


@dataclass(frozen=True)
class SortChannels:
    """Sorts elastic inner channels, the most important first, at the beginning of a phase that lets them be fewer.

    [arXiv 1908.09791](https://arxiv.org/abs/1908.09791), §3.2, "elastic width". The importance of a channel is the L1
    norm of the weights that read it, Σ |w| over filters and positions of the projection. Channels stay on their side of
    every width that was trained before, so that subnets of these widths compute what they did; so does the largest
    one. Statistics, gates, states of optimisers and the running average follow.

    Args:
        supported: The options that were allowed before the phase, as `Phase.restrict` gives them, which say the widths
            that were trained; None: those that are allowed now.
    """

    supported: Callable[[Space], Mapping[str, Sequence[Option]]] | None = None

    rewrites = True

    def check(self, net: Supernet) -> None:
        """Raise a UsageError, before any training, for a network without such channels."""
        if not any(_elastic(net)):
            raise UsageError(
                f"Channels were to be sorted, but no block of {type(net.module).__name__} has inner channels whose "
                "number varies. Use a space such as zoo.ofa_mobilenetv3, or give your blocks a method "
                "`inner_channels`."
            )

    @torch.no_grad()
    def __call__(self, context: Context) -> None:
        """Sort."""
        assert context.rewriter is not None
        before = Restriction(context.net.space, dict(context.restriction.kept))
        if self.supported is not None:
            before.allow_all(self.supported(context.net.space))
        for dimension, reader in _elastic(context.net):
            importance = _importance(reader)
            context.rewriter.permute(dimension, order_of(importance, _widths(dimension, before.space)))


def order_of(importance: Tensor, widths: Iterable[int]) -> list[int]:
    """The channels (C,) from the most to the least important one, within each slice between these widths.

    >>> order_of(torch.tensor([1.0, 3.0, 2.0, 9.0]), (3, 4))
    [1, 2, 0, 3]
    """
    bounds = sorted({0, *widths, len(importance)})
    return [
        begin + place
        for begin, end in itertools.pairwise(bounds)
        for place in importance[begin:end].argsort(descending=True, stable=True).tolist()
    ]


def _elastic(net: Supernet) -> Iterator[tuple[Expr, nn.Module]]:
    for module in net.modules():
        if isinstance(module, HasInnerChannels):
            for dimension, reader in module.inner_channels():
                if isinstance(dimension, Expr):
                    yield dimension, reader


def _importance(reader: nn.Module) -> Tensor:
    """(C,) Σ |w| over everything but the axis of the channels that are read."""
    weight = reader.get_parameter("weight")
    return weight.abs().sum([axis for axis in range(weight.ndim) if axis != 1])


def _widths(dimension: Expr, space: Space) -> set[int]:
    """The values of a dimension under the options of a space."""
    choices = dimension.choices()
    settings = itertools.product(*(space.allowed(choice.name) for choice in choices))
    return {int(dimension.evaluate(dict(zip(choices, setting, strict=True)).__getitem__)) for setting in settings}
