"""The network of AtomNAS: a chain of blocks whose hidden channels are divided among kernels."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce

import torch
from torch import Tensor, nn

from supernet.nn import ElasticConv2d, Statistics, batch_norm
from supernet.nn.channels import Atoms, Channels, sizes_of
from supernet.zoo.chains.chain import Place
from supernet.zoo.layers import Norm, conv_bn
from supernet.zoo.macro.hr_nas_unit import ACTIVATIONS


@dataclass(frozen=True, kw_only=True)
class AtomBlocks:
    """What all blocks of a network have in common, see `zoo.atomnas`.

    Attributes:
        kernels: Sides of the depthwise kernels.
        expansion: Channels of each kernel, per channel of the input.
        activation: The activation, of `ACTIVATIONS`.
        gated: Whether hidden channels are gated by all their means.
        statistics: What BatchNorm uses outside training.
        momentum: Share of the batch in its running averages.
        eps: What is added to its variances.
        sizes: Channels of every kernel of every block, by dimension, instead of those; None: those.
    """

    kernels: Sequence[int]
    expansion: float
    activation: str
    gated: bool
    statistics: Statistics
    momentum: float
    eps: float
    sizes: Mapping[str, int] | None

    @property
    def norm(self) -> Norm:
        """Maker of BatchNorms."""
        return partial(batch_norm, statistics=self.statistics, momentum=self.momentum, eps=self.eps)

    def gate(self, hidden: Sequence[int], width_in: int) -> JointGate:
        """The gate of groups of channels; half of the channels that the block reads stand between."""
        return JointGate(hidden, round(width_in / 2), activation=self.activation)


class JointGate(nn.Module):
    """Squeeze and excitation over several groups of channels: n maps (B, c_i, H, W) -> n maps (B, c_i, H, W).

    Every channel is gated by a function of the means of all channels of all groups, as if they were concatenated; each
    group has its own slice of the two layers, so that its channels, or the group, may go.

    Args:
        hidden: Channels c_i of each group.
        reduced: Channels between the two layers.
        activation: The activation between them.
    """

    def __init__(self, hidden: Sequence[int], reduced: int, *, activation: str) -> None:
        super().__init__()
        self.activation = activation
        self.squeeze = nn.ModuleList(ElasticConv2d(width, reduced, 1, bias=False) for width in hidden)
        self.bias = nn.Parameter(torch.zeros(reduced))
        self.excite = nn.ModuleList(ElasticConv2d(reduced, width, 1) for width in hidden)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        means = [x.mean((2, 3), keepdim=True) for x in maps]
        squeezed = reduce(operator.add, [layer(mean) for layer, mean in zip(self.squeeze, means, strict=True)])
        inner = ACTIVATIONS[self.activation](squeezed + self.bias[:, None, None])
        return [x * torch.sigmoid(layer(inner)) for x, layer in zip(maps, self.excite, strict=True)]

    def remove(self, place: int) -> None:
        """Go on without a group."""
        del self.squeeze[place], self.excite[place]


class AtomBlock(nn.Module):
    """Hidden channels of several kernels: (B, C_in, H, W) -> (B, C_out, ⌈H/s⌉, ⌈W/s⌉), residual where the shape stays.

    A group expands by a 1 × 1 convolution, convolves each channel with its kernel, and projects; the sum of the groups
    is normalised. A channel with the slices of weights that make and read it is an atom. Groups may go; where the shape
    stays all may, and the block is the identity.

    Args:
        place: Name, widths and stride; dimensions are called `"{name}.k3"` …
        side: Side of the input in pixels, for the costs of channels.
        blocks: What all blocks have in common.
    """

    def __init__(self, place: Place, *, side: int, blocks: AtomBlocks) -> None:
        super().__init__()
        self.name, self.width_in, self.width_out, self.stride, _ = place
        self.side, self.activation = side, blocks.activation
        self.residual = self.stride == 1 and self.width_in == self.width_out
        hidden = {f"k{kernel}": self._size(kernel, blocks) for kernel in blocks.kernels}
        hidden = {of: size for of, size in hidden.items() if size}
        self.groups = nn.ModuleDict({of: self._group(size, int(of[1:]), blocks.norm) for of, size in hidden.items()})
        self.gate = blocks.gate(list(hidden.values()), self.width_in) if blocks.gated and hidden else None
        self.project = nn.ModuleDict(
            {of: ElasticConv2d(size, self.width_out, 1, bias=False) for of, size in hidden.items()}
        )
        self.norm = blocks.norm(self.width_out) if hidden else None

    def _size(self, kernel: int, blocks: AtomBlocks) -> Channels:
        dimension, usual = f"{self.name}.k{kernel}", round(self.width_in * blocks.expansion)
        return Channels(dimension, usual if blocks.sizes is None else blocks.sizes.get(dimension, 0))

    def _group(self, hidden: Channels, kernel: int, norm: Norm) -> nn.Sequential:
        layers = partial(conv_bn, norm=norm, activation=self.activation)
        depthwise = layers(hidden, hidden, kernel, stride=self.stride, groups=hidden)
        return nn.Sequential(*layers(self.width_in, hidden), *depthwise)

    def forward(self, x: Tensor) -> Tensor:
        if self.norm is None:
            return x
        found = [group(x) for group in self.groups.values()]
        if self.gate is not None:
            found = self.gate(found)
        projected = [layer(y) for layer, y in zip(self.project.values(), found, strict=True)]
        out: Tensor = self.norm(reduce(operator.add, projected))
        return out + x if self.residual else out

    def removable(self) -> list[str]:
        """The dimensions of which all channels may go: where the shape changes, one kernel has to stay."""
        return [f"{self.name}.{of}" for of in self.groups] if self.residual or len(self.groups) > 1 else []

    def remove(self, dimension: str) -> None:
        """Go on without a kernel."""
        of = dimension.removeprefix(f"{self.name}.")
        if self.gate is not None:
            self.gate.remove(list(self.groups).index(of))
        del self.groups[of], self.project[of]
        if not len(self.groups):
            self.norm = self.gate = None

    def atoms(self, path: str) -> Iterator[Atoms]:
        """The channels that may be cut, of a block at this place in the network, with their multiply-accumulates.

        Gated channels are no constants where their scale is 0, so that the next BatchNorm cannot take them over.
        """
        smaller, gates = -(-self.side // self.stride), 0 if self.gate is None else 2 * len(self.gate.bias)
        for of in self.groups:
            yield Atoms(
                dimension=f"{self.name}.{of}",
                scale=f"{path}.groups.{of}.4",
                read=f"{path}.project.{of}" if self.gate is None else None,
                norm=f"{path}.norm" if self.gate is None else None,
                activation=ACTIVATIONS[self.activation],
                cost=self.width_in * self.side**2 + (int(of[1:]) ** 2 + self.width_out) * smaller**2 + gates,
            )


class AtomChain(nn.Module):
    """Stem, a block without expansion, blocks of atoms, head: (B, C_in, H, W) -> (B, K)."""

    def __init__(self, stem: nn.Module, first: nn.Module, blocks: Sequence[AtomBlock], head: nn.Module) -> None:
        super().__init__()
        self.stem, self.first, self.blocks, self.head = stem, first, nn.Sequential(*blocks), head

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.blocks(self.first(self.stem(x))))
        return logits

    def layers(self) -> Iterator[tuple[str, AtomBlock]]:
        """The blocks in order, by their place in the network."""
        yield from ((path, block) for path, block in self.named_modules() if isinstance(block, AtomBlock))

    def atoms(self) -> list[Atoms]:
        """The channels that may be cut, with their multiply-accumulates."""
        return [atoms for path, block in self.layers() for atoms in block.atoms(path)]

    def sizes(self) -> dict[str, int]:
        """How many channels every kernel of every block has, by dimension, as they are now."""
        return sizes_of(self)
