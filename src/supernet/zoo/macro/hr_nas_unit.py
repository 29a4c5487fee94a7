"""The unit of HR-NAS: groups of channels with a kernel each, a light-weight transformer, and a way around both."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.nn import ElasticConv2d, Statistics, batch_norm
from supernet.nn.channels import Atoms, Channels
from supernet.zoo.layers import Norm, conv_bn
from supernet.zoo.macro.hr_nas_transformer import LightTransformer, token_costs

Transformers: TypeAlias = Literal["none", "same", "all"]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": torch.relu, "swish": F.silu}


@dataclass(frozen=True, kw_only=True)
class Units:
    """What all units of a network have in common, see `zoo.hr_nas`.

    Attributes:
        kernels: Sides of the depthwise kernels.
        expansion: Channels of each kernel, per channel of the input.
        transformer: The units that have a transformer.
        tokens: Its number of tokens.
        grid: The side of its small map.
        dropout: What it drops.
        activation: The activation, of `ACTIVATIONS`.
        statistics: What BatchNorm uses outside training.
        momentum: Share of the batch in its running averages.
        eps: What is added to its variances.
        sizes: Channels of every group and tokens of every transformer, by dimension, instead of those; None: those.
    """

    kernels: Sequence[int]
    expansion: float
    transformer: Transformers
    tokens: int
    grid: int
    dropout: float
    activation: str
    statistics: Statistics
    momentum: float
    eps: float
    sizes: Mapping[str, int] | None = None

    @property
    def norm(self) -> Norm:
        """Maker of BatchNorms."""
        return partial(batch_norm, statistics=self.statistics, momentum=self.momentum, eps=self.eps)

    def size(self, dimension: str, usual: int) -> Channels:
        """The size of a dimension."""
        return Channels(dimension, usual if self.sizes is None else self.sizes.get(dimension, 0))


class MixedUnit(nn.Module):
    """Shortcut + mixed depthwise convolutions + transformer: (B, C_in, H, W) -> (B, C_out, H / s, W / s).

    A group expands by a 1 × 1 convolution, convolves each channel with its kernel, and projects; the sum of the groups
    is normalised. The shortcut is the identity, or where the shape changes a 1 × 1 convolution of gcd(C_in, C_out)
    groups. Groups and the transformer may go, and then their summand is missing.

    Args:
        name: What the dimensions of its channels, `"{name}.k3"` … and `"{name}.tokens"`, begin with.
        width_in: Input width C_in.
        width_out: Output width C_out.
        side: Side of the input in pixels, for the costs of channels.
        stride: Stride s.
        units: What all units have in common.
    """

    def __init__(self, name: str, width_in: int, width_out: int, *, side: int, stride: int, units: Units) -> None:
        super().__init__()
        self.name, self.width_in, self.width_out = name, width_in, width_out
        self.side, self.stride, self.activation, self.grid = side, stride, units.activation, units.grid
        same = stride == 1 and width_in == width_out
        self.shortcut: nn.Module = nn.Identity()
        if not same:
            groups = math.gcd(width_in, width_out)
            self.shortcut = nn.Conv2d(width_in, width_out, 1, stride=stride, groups=groups, bias=False)
        hidden = round(width_in * units.expansion)
        sizes = {kernel: units.size(f"{name}.k{kernel}", hidden) for kernel in units.kernels}
        self.groups = nn.ModuleDict(
            {f"k{kernel}": self._group(kernel, size, units.norm) for kernel, size in sizes.items() if size}
        )
        self.norm = units.norm(width_out) if len(self.groups) else None
        tokens = units.size(f"{name}.tokens", units.tokens)
        has = units.transformer == "all" or (units.transformer == "same" and same)
        self.transformer = None
        if has and tokens:
            self.transformer = LightTransformer(
                width_in,
                width_out,
                tokens=tokens,
                grid=units.grid,
                stride=stride,
                dropout=units.dropout,
                statistics=units.statistics,
            )

    def _group(self, kernel: int, hidden: Channels, norm: Norm) -> nn.Sequential:
        layers = partial(conv_bn, norm=norm, activation=self.activation)
        depthwise = layers(hidden, hidden, kernel, stride=self.stride, groups=hidden)
        project = ElasticConv2d(hidden, self.width_out, 1, bias=False)
        return nn.Sequential(*layers(self.width_in, hidden), *depthwise, project)

    def forward(self, x: Tensor) -> Tensor:
        terms = [self.shortcut(x)]
        if self.norm is not None:
            terms.append(self.norm(reduce(operator.add, [group(x) for group in self.groups.values()])))
        if self.transformer is not None:
            terms.append(self.transformer(x))
        total: Tensor = reduce(operator.add, terms)
        return total

    def removable(self) -> list[str]:
        """Every dimension: there is always the shortcut."""
        tokens = [] if self.transformer is None else ["tokens"]
        return [f"{self.name}.{of}" for of in (*self.groups, *tokens)]

    def remove(self, dimension: str) -> None:
        """Go on without a group, or without the transformer."""
        of = dimension.removeprefix(f"{self.name}.")
        if of == "tokens":
            self.transformer = None
            return
        del self.groups[of]
        if not len(self.groups):
            self.norm = None

    def atoms(self, path: str) -> Iterator[Atoms]:
        """The channels that may be cut, of a unit at this place in the network, with their multiply-accumulates."""
        pixels, smaller = self.side**2, (self.side // self.stride) ** 2
        for of in self.groups:
            yield Atoms(
                dimension=f"{self.name}.{of}",
                scale=f"{path}.groups.{of}.4",
                read=f"{path}.groups.{of}.6",
                norm=f"{path}.norm",
                activation=ACTIVATIONS[self.activation],
                cost=self.width_in * pixels + (int(of.removeprefix("k")) ** 2 + self.width_out) * smaller,
            )
        if self.transformer is not None:
            cost, pairs = token_costs(self.width_in, self.width_out, self.grid)
            scale = f"{path}.transformer.scale"
            yield Atoms(dimension=f"{self.name}.tokens", scale=scale, cost=cost, pairs=pairs)
