"""Gradients on a dictionary of weights alone, and on the codes that mix it alone (K-shot NAS)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from supernet.nn.modes import untouched_buffers
from supernet.train.adapt.dictionary import dictionary_of
from supernet.train.executor import Executor
from supernet.train.gradients.backpropagation import Backpropagation
from supernet.train.move import Move, Step


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
