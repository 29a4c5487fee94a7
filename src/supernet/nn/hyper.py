"""A network some of whose weights another network makes from the architecture (SMASH)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from supernet.errors import UsageError
from supernet.nn.dictionary import running
from supernet.nn.mutable import Mutable
from supernet.nn.supernet import Supernet
from supernet.space import Choice, Space

MARK = "generated"
"""The attribute by which a space says that the weight of a layer is to be generated."""


class HyperNetwork(nn.Module, Mutable):
    """A network with weights H(c) of the architecture c in some layers, and free ones in all others (SMASH, §3).

    [arXiv 1708.05344](https://arxiv.org/abs/1708.05344). (B, …) -> the network's output.

    The generated weights are cut into slices of `chunk` numbers that lie side by side. Slices of layers that run are
    encoded by the options of the architecture and by the number of their layer, as ± 1; all others by −1; a further
    channel has a number from N(0, 1) for each slice. H is convolutional along the slices: dense blocks of `layers`
    convolutions with `growth` channels and LeakyReLU(0.02), between which channels are halved, and a last convolution
    to `chunk` channels. Every weight of H, and every weight that it makes, is divided by its norm.

    Inside a `Supernet` it is a network like any other: an extracted subnet has the generated weights as its own, and
    MACs and parameters are those of the network without H. Parameters of the network that are generated are not used.

    Args:
        net: The supernet.
        layers: Convolutions of each dense block; the code has three blocks of 8, 10 and 4.
        growth: Channels that each of them adds.
        chunk: Numbers in a slice; 128 in the code (N² · depth compression).
        noise: Whether the numbers from N(0, 1) are drawn anew in each pass while training, as in the code; otherwise,
            and in evaluation, they are drawn once.
        seed: Seed of H and of these numbers.

    Attributes:
        network: The network.
        hyper: H, from encodings (1, C, S) of S slices to slices (1, chunk, S).
        names: The parameters of the network that are generated.

    Raises:
        UsageError: a size below 1, no layer whose weight could be generated, or a supernet that already is more than
            one network.
    """

    encoded: Tensor
    fixed: Tensor

    def __init__(
        self,
        net: Supernet,
        *,
        layers: Sequence[int] = (8, 10, 4),
        growth: int = 10,
        chunk: int = 128,
        noise: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not layers or min(*layers, growth, chunk) < 1:
            raise UsageError(
                f"layers={tuple(layers)}, growth={growth}, chunk={chunk} of a hypernetwork: give 1 or more."
            )
        if hasattr(net.module, "one_copy"):
            raise UsageError(f"Weights of a {type(net.module).__name__} cannot be generated. Start from the network.")
        self.space, self.network, self.noise, self.chunk = net.space, net.module, noise, chunk
        self.names = generated_weights(net)
        sizes = [self.network.get_parameter(name).numel() for name in self.names]
        counts = [-(-size // chunk) for size in sizes]
        self._spans = list(pairwise(np.cumsum([0, *counts]).tolist()))
        self._owners = [self.network.get_submodule(name.rpartition(".")[0]) for name in self.names]
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            numbers = _binary(len(sizes)).repeat_interleave(torch.tensor(counts), dim=1)
            self.register_buffer("encoded", numbers, persistent=False)
            self.register_buffer("fixed", torch.randn(1, numbers.shape[1]))
            channels = 1 + len(numbers) + encode(self.space, self.space.codes([self.space.smallest()])).shape[1]
            self.hyper = _dense(channels, layers, growth, chunk)

    @property
    def one_copy(self) -> nn.Module:
        """The network, which stands for what an architecture costs."""
        return self.network

    @property
    def diagram(self) -> Any:
        """The drawing of the network, where it has one."""
        return cast(Any, self.network).diagram

    def encoding(self) -> Tensor:
        """(C, S): what H is given for the active architecture.

        Raises:
            UsageError: what is active is a mixture or a subset of options.
        """
        decisions = [self.selection.decision(choice) for choice in self.space.choices]
        if not all(isinstance(decision, int) for decision in decisions):
            raise UsageError(
                "Weights are generated for one architecture at a time, but the active decisions mix several options. "
                "Use a method that trains single paths."
            )
        codes = self.space.canonical(np.asarray([decisions], dtype=np.int16))
        options = torch.from_numpy(encode(self.space, codes)[0]).to(self.fixed)
        there = {id(module) for module in running(self.network)}
        silent = [span for span, owner in zip(self._spans, self._owners, strict=True) if id(owner) not in there]
        told = torch.cat([options[:, None].expand(-1, self.encoded.shape[1]), self.encoded])
        for begin, end in silent:
            told[:, begin:end] = -1.0
        random = torch.randn_like(self.fixed) if self.noise and self.training else self.fixed
        return torch.cat([random, told])

    def generated(self) -> dict[str, Tensor]:
        """The weights that the active architecture runs with, by their names in the network; others are left out."""
        with torch.autocast(self.fixed.device.type, enabled=False):
            slices = cast(Tensor, self.hyper(self.encoding()[None]))[0]
        there = {id(module) for module in running(self.network)}
        found = {}
        for name, owner, (begin, end) in zip(self.names, self._owners, self._spans, strict=True):
            if id(owner) in there:
                shape = self.network.get_parameter(name).shape
                weight = slices[:, begin:end].T.reshape(-1)[: shape.numel()].view(shape)
                found[name] = weight / weight.norm()
        return found

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, functional_call(self.network, self.generated(), (x,)))

    def depends_on(self) -> tuple[Choice, ...]:
        return self.space.choices

    def plain(self) -> nn.Module:
        """A copy of the network with the generated weights; its layers are made plain by `Supernet.extract`."""
        made = copy.deepcopy(self.network, {id(self.selection): self.selection})
        with torch.no_grad():
            for name, weight in self.generated().items():
                made.get_parameter(name).copy_(weight)
        return made

    def extra_repr(self) -> str:
        return f"{len(self.names)} weights in {self.encoded.shape[1]} slices are generated"


def generated_weights(net: Supernet) -> tuple[str, ...]:
    """The weights that are generated: those of layers that the space marks, else those of pointwise convolutions.

    Raises:
        UsageError: there is none.
    """
    convolutions = [
        (name, m) for name, m in net.module.named_modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    ]
    marked = [name for name, module in convolutions if getattr(module, MARK, False)]
    pointwise = [name for name, m in convolutions if set(m.weight.shape[2:]) == {1} and m.groups == 1]
    if not marked and not pointwise:
        raise UsageError(
            f"No weight of {type(net.module).__name__} can be generated: it has no convolution of kernel 1, and marks "
            f"none by an attribute `{MARK}`. Mark one, or use a space such as zoo.smash."
        )
    return tuple(f"{name}.weight" if name else "weight" for name in marked or pointwise)


def encode(space: Space, codes: Any) -> Any:
    """Architectures (N, D) as ± 1 (N, F): an option that is a tuple by its members, any other by itself.

    That is SMASH's encoding of the banks that an operation reads and writes. Choices that do not matter are −1.
    """
    active, columns = space.active_mask(codes), []
    for column, choice in enumerate(space.choices):
        table = _features(choice)[codes[:, column]]
        columns.append(np.where(active[:, [column]], table, -1.0))
    return np.concatenate(columns, axis=1).astype(np.float32)


def _features(choice: Choice) -> Any:
    """(O, F) what each option of a choice is."""
    if all(isinstance(option, tuple) for option in choice.options):
        options = cast("tuple[tuple[Any, ...], ...]", choice.options)
        members = list(dict.fromkeys(member for option in options for member in option))
        return np.asarray([[1.0 if member in option else -1.0 for member in members] for option in options])
    return 2 * np.eye(len(choice)) - 1


def _binary(count: int) -> Tensor:
    """(B, count): the numbers from 0 on in binary digits, as ± 1."""
    digits = max(1, (count - 1).bit_length())
    numbers = torch.arange(count)
    return torch.stack([2.0 * ((numbers >> digit) & 1) - 1 for digit in range(digits)])


class _Normed(nn.Conv1d):
    """A convolution without bias whose weight is divided by its norm."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__(channels_in, channels_out, kernel, padding=kernel // 2, bias=False)

    def reset_parameters(self) -> None:
        nn.init.orthogonal_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return F.conv1d(input, self.weight / self.weight.norm(), padding=self.padding)


class _Beside(nn.Module):
    """What a module makes of its input, beside the input."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.module(x)], dim=1)


def _dense(channels: int, layers: Sequence[int], growth: int, chunk: int) -> nn.Sequential:
    made: list[nn.Module] = [_Beside(_Normed(channels, 7, 3))]
    channels += 7
    for block, count in enumerate(layers):
        for _ in range(count):
            made.append(_Beside(nn.Sequential(nn.LeakyReLU(0.02), _Normed(channels, growth, 3))))
            channels += growth
        last = block == len(layers) - 1
        outputs = chunk if last else channels // 2
        made.append(nn.Sequential(nn.LeakyReLU(0.02), _Normed(channels, outputs, 1 if last else 3)))
        channels = outputs
    return nn.Sequential(*made)
