"""An average of the weights along the training."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Supernet


def check_decay(decay: float) -> None:
    """Raise a UsageError for a decay outside (0, 1)."""
    if not 0 < decay < 1:
        raise UsageError(f"The weights were to be averaged with a decay of {decay}; give a number between 0 and 1.")


class WeightAverage:
    """Exponential moving average of all parameters: a ← d a + (1 − d) w after every step.

    d grows to `decay` as (1 + t) / (10 + t), so that early weights are soon forgotten. Buffers are not averaged:
    calibrate batch norm before evaluating.

    Args:
        net: The network whose parameters are averaged.
        decay: The share of the average that a step keeps, in (0, 1), such as 0.999.

    Raises:
        UsageError: a decay outside (0, 1).
    """

    def __init__(self, net: Supernet, decay: float) -> None:
        check_decay(decay)
        self.decay = decay
        self._parameters: dict[str, nn.Parameter] = {}
        self.tensors: dict[str, Tensor] = {}
        self.follow(net)

    @torch.no_grad()
    def update(self, done: int) -> None:
        """Take in the weights after `done` steps."""
        decay = min(self.decay, (1 + done) / (10 + done))
        torch._foreach_lerp_(list(self.tensors.values()), list(self._parameters.values()), 1 - decay)

    @torch.no_grad()
    def restart(self) -> None:
        """Begin anew from the weights as they are, after something else than a step has changed them."""
        for name, parameter in self._parameters.items():
            self.tensors[name].copy_(parameter)

    def exchange(self, exchanged: Mapping[nn.Parameter, tuple[nn.Parameter, Callable[[Tensor], Tensor]]]) -> None:
        """Go on with other parameters in the place of some, see `Stepper.exchange`."""
        for name, parameter in self._parameters.items():
            if parameter in exchanged:
                self._parameters[name], change = exchanged[parameter]
                self.tensors[name] = change(self.tensors[name])

    def keep(self, parameters: Collection[nn.Parameter]) -> None:
        """Go on with these alone, others having left the network."""
        self._parameters = {name: p for name, p in self._parameters.items() if p in parameters}
        self.tensors = {name: self.tensors[name] for name in self._parameters}

    def follow(self, net: Supernet) -> None:
        """Begin anew with the parameters of a network that was built anew."""
        self._parameters = dict(net.named_parameters())
        self.tensors = {name: p.detach().clone() for name, p in self._parameters.items()}

    @torch.no_grad()
    def write(self) -> None:
        """Give the supernet the averaged weights."""
        for name, parameter in self._parameters.items():
            parameter.copy_(self.tensors[name])
