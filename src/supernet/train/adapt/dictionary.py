"""A supernet made into a dictionary of weights (K-shot NAS)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.dictionary import WeightDictionary


@dataclass(frozen=True)
class Dictionary:
    """Makes a supernet into a dictionary of `count` sets of weights, for `Recipe.adapt`; see `WeightDictionary`."""

    count: int
    hidden: int
    temperature: float
    seed: int

    def __call__(self, net: Supernet) -> Supernet:
        """A supernet around a `WeightDictionary`; the given network is the first set."""
        module = WeightDictionary(net, self.count, hidden=self.hidden, temperature=self.temperature, seed=self.seed)
        return Supernet(module, input_shape=net.input_shape)


def simplex_parameters(net: Supernet) -> list[nn.Parameter]:
    """The parameters of the network that computes codes, for a `Slice`."""
    return list(dictionary_of(net).simplex.parameters())


def dictionary_of(net: Supernet) -> WeightDictionary:
    """The dictionary that a supernet consists of.

    Raises:
        UsageError: it is an ordinary one.
    """
    if not isinstance(net.module, WeightDictionary):
        raise UsageError(
            f"Codes mix a dictionary of weights, but this supernet ({type(net.module).__name__}) has one set. Give the "
            "recipe adapt=Dictionary(…), or wrap it: Supernet(WeightDictionary(net, count))."
        )
    return net.module
