"""A supernet some of whose weights a hypernetwork makes (SMASH)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.hyper import HyperNetwork


@dataclass(frozen=True, kw_only=True)
class GenerateWeights:
    """Lets a hypernetwork make some weights of a supernet, for `Recipe.adapt`; see `nn.hyper.HyperNetwork`.

    Args:
        layers: Convolutions of each dense block of the hypernetwork.
        growth: Channels that each of them adds.
        chunk: Numbers that it makes at a place.
        noise: Whether its random input is drawn anew in each pass while training.
        seed: Seed of its weights and of its random input.
    """

    layers: tuple[int, ...] = (8, 10, 4)
    growth: int = 10
    chunk: int = 128
    noise: bool = False
    seed: int = 0

    def __call__(self, net: Supernet) -> Supernet:
        """A supernet around a `HyperNetwork`.

        Raises:
            UsageError: as `HyperNetwork`.
        """
        module = HyperNetwork(
            net, layers=self.layers, growth=self.growth, chunk=self.chunk, noise=self.noise, seed=self.seed
        )
        return Supernet(module, input_shape=net.input_shape)


def hypernetwork_parameters(net: Supernet) -> list[nn.Parameter]:
    """The parameters of the hypernetwork, for a `Slice`.

    Raises:
        UsageError: the supernet has none.
    """
    if not isinstance(net.module, HyperNetwork):
        raise UsageError(
            f"A hypernetwork is stepped, but this supernet ({type(net.module).__name__}) has none. Give the recipe "
            "adapt=GenerateWeights(), or wrap it: Supernet(HyperNetwork(net))."
        )
    return list(net.module.hyper.parameters())
