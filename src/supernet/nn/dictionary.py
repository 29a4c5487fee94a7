"""K sets of weights that every architecture mixes in its own proportions (K-shot NAS)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from supernet.errors import UsageError
from supernet.nn.leaves import copies, draw_afresh
from supernet.nn.mutable import Mutable, is_opaque
from supernet.nn.supernet import Supernet
from supernet.space import Choice


class WeightDictionary(nn.Module, Mutable):
    """A network whose parameters are θ(a) = Σₖ λₖ(a) θₖ (K-shot NAS, §3): (B, …) -> the network's output.

    [arXiv 2106.06442](https://arxiv.org/abs/2106.06442).

    The code λ(a) is on the simplex; a small network computes it from the one-hot encoding of the architecture. Only the
    parameters of modules that run are mixed. Statistics of batch norm are those of the first set.

    Inside a `Supernet` it is a network like any other: an extracted subnet has the mixed weights, and MACs and
    parameters are those of one set.

    Args:
        net: The supernet; its weights are the first set.
        count: Number K of sets of weights.
        hidden: Width of the hidden layer of the network that computes codes.
        temperature: Temperature of the softmax, above 0; codes are near one-hot where it is small.
        seed: Seed of the other sets, and of the network that computes codes.

    Attributes:
        copies: The sets, as copies of the network.
        simplex: The network from encodings (N, F) to the logits of codes (N, K).

    Raises:
        UsageError: a size below 1, a temperature that is not positive, or weights that cannot be drawn.
    """

    def __init__(self, net: Supernet, count: int, *, hidden: int = 64, temperature: float = 1.0, seed: int = 0) -> None:
        super().__init__()
        if hidden < 1 or not temperature > 0:
            raise UsageError(f"hidden={hidden} must be at least 1, and temperature={temperature} above 0.")
        self.space, self.temperature = net.space, temperature
        self.copies = nn.ModuleList(copies(net, count))
        features = sum(len(choice) for choice in net.space.choices)
        self.simplex = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, count))
        for number, module in enumerate([*self.copies[1:], self.simplex], start=1):
            draw_afresh(module, int(np.random.default_rng([seed, number]).integers(2**63)))
        named = [dict(module.named_modules()) for module in self.copies]
        self._twins = [
            (f"{name}." if name else "", tuple(one[name] for one in named))
            for name, module in named[0].items()
            if any(True for _ in module.parameters(recurse=False))
        ]

    @property
    def one_copy(self) -> nn.Module:
        """One set of weights, which stands for what an architecture costs."""
        return self.copies[0]

    @property
    def diagram(self) -> Any:
        """The drawing of the network, where it has one."""
        return cast(Any, self.one_copy).diagram

    def code(self) -> Tensor:
        """λ (K,) of the active architecture.

        Raises:
            UsageError: what is active is a mixture or a subset of options.
        """
        return self._logits().softmax(0)

    def entropy(self) -> Tensor:
        """−Σₖ λₖ ln λₖ of the active architecture: ln K where it mixes all sets alike, 0 where it uses one."""
        logits = self._logits()
        return -(logits.softmax(0) * logits.log_softmax(0)).sum()

    def _logits(self) -> Tensor:
        decisions = [self.selection.decision(choice) for choice in self.space.choices]
        if not all(isinstance(decision, int) for decision in decisions):
            raise UsageError(
                "A dictionary of weights is mixed for one architecture at a time, but the active decisions mix several "
                "options. Use a method that trains single paths."
            )
        codes = self.space.canonical(np.asarray([decisions], dtype=np.int16))
        weight = next(self.simplex.parameters())
        encoded = torch.from_numpy(self.space.encode(codes)).to(weight.device, weight.dtype)
        with torch.autocast(weight.device.type, enabled=False):
            return cast(Tensor, self.simplex(encoded))[0] / self.temperature

    def mixed(self) -> dict[str, Tensor]:
        """The parameters that the active architecture runs with, by their names in a set."""
        code = self.code()
        there = {id(module) for module in running(self.one_copy)}
        found = {}
        for prefix, twins in self._twins:
            if id(twins[0]) in there:
                for name, parameter in twins[0]._parameters.items():
                    if parameter is not None:
                        entries = torch.stack([cast(Tensor, twin._parameters[name]) for twin in twins])
                        found[prefix + name] = (code.view(-1, *[1] * parameter.ndim) * entries).sum(0)
        return found

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, functional_call(self.one_copy, self.mixed(), (x,)))

    def depends_on(self) -> tuple[Choice, ...]:
        return self.space.choices

    def plain(self) -> nn.Module:
        """A copy of the network with the mixed weights; its layers are made plain by `Supernet.extract`."""
        made = copy.deepcopy(self.one_copy, {id(self.selection): self.selection})
        with torch.no_grad():
            for name, value in self.mixed().items():
                made.get_parameter(name).copy_(value)
        return made

    def extra_repr(self) -> str:
        return f"{len(self.copies)} sets of weights, temperature={self.temperature}"


def running(module: nn.Module) -> Iterator[nn.Module]:
    """The modules that run under the active architecture, as far as this package can tell."""
    found = dict(module.named_modules(remove_duplicate=False))
    idle: list[str] = []
    for place, inner in found.items():
        layer = None if is_opaque(inner) else inner
        if isinstance(layer, Mutable):
            for name, conditions in layer.runs().items():
                if not all(condition.met(layer.selection.option) for condition in conditions):
                    idle.append(f"{place}.{name}" if place else name)
    for place, inner in found.items():
        if not any(place == name or place.startswith(f"{name}.") for name in idle):
            yield inner
