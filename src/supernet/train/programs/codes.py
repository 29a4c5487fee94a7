"""Training a dictionary of weights and the codes that mix it, in turn (K-shot NAS)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.dictionary import WeightDictionary
from supernet.train.executor import Executor
from supernet.train.gradients.rules import Backpropagation, untouched_buffers
from supernet.train.move import Move, Objective, Path, Step
from supernet.train.objectives.losses import CrossEntropy
from supernet.train.samplers import Sampler, Uniform


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


@dataclass(frozen=True, kw_only=True)
class WeightsThenCodes:
    """Two moves over the same paths: the sets of weights, then the network that computes codes.

    Args:
        sampler: Which paths.
        objective: Loss of each path, in both moves.
        rate: Learning rate of the second move, relative to the first.
        entropy: Weight of the mean entropy of the codes, which the second move also raises. It keeps codes from
            collapsing onto one set.
        data: Split that the second move learns from.
    """

    sampler: Sampler = field(default_factory=Uniform)
    objective: Objective = field(default_factory=CrossEntropy)
    rate: float = 0.1
    entropy: float = 0.0
    data: Literal["train", "validation"] = "train"
    learns_architecture = False

    def __post_init__(self) -> None:
        if not self.rate > 0 or self.entropy < 0:
            raise UsageError(f"rate={self.rate} must be above 0, and entropy={self.entropy} at least 0.")
        if self.data not in ("train", "validation"):
            raise UsageError(f"Codes learn from the 'train' or the 'validation' split; got {self.data!r}.")

    def check(self, net: Supernet) -> None:
        dictionary_of(net)
        self.sampler.check(net)

    def moves(self, step: Step) -> Iterator[Move]:
        drawn = self.sampler.paths(step)
        yield Move(paths=[Path(decisions, self.objective) for decisions in drawn], gradient=OfWeights())
        paths = [Path(decisions, self.objective, weight=self.rate) for decisions in drawn]
        yield Move(paths=paths, data=self.data, gradient=OfCodes(self.rate * self.entropy))


@dataclass(frozen=True)
class OfWeights:
    """The gradient on the sets of weights alone."""

    def __call__(self, executor: Executor, move: Move, step: Step) -> list[Tensor]:
        losses = Backpropagation()(executor, move, step)
        for parameter in dictionary_of(step.net).simplex.parameters():
            parameter.grad = None
        return losses


@dataclass(frozen=True)
class OfCodes:
    """The gradient on the network that computes codes alone; statistics of batch norm stay as they are.

    Args:
        entropy: Factor on the mean entropy of the codes, which is subtracted from the loss.
    """

    entropy: float = 0.0

    def __call__(self, executor: Executor, move: Move, step: Step) -> list[Tensor]:
        dictionary = dictionary_of(step.net)
        with untouched_buffers(step.net):
            losses = Backpropagation()(executor, move, step)
        for parameter in dictionary.copies.parameters():
            parameter.grad = None
        if self.entropy:
            total = torch.zeros((), device=losses[0].device)
            for path in move.paths:
                with step.net.active(path.decisions):
                    total = total + dictionary.entropy()
            (-self.entropy * total / len(move.paths)).backward()  # type: ignore[no-untyped-call]
        return losses


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
