"""Backpropagation of a few examples, with a clipping of its own (Cream)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.train.executor import Executor
from supernet.train.move import Move
from supernet.train.optimisers._protocol import check_number
from supernet.train.processes.exchange import average
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class PartOfBatch:
    """The gradient of one path on the first examples of the batch, clipped for this move alone.

    Cream, [arXiv 2010.15821](https://arxiv.org/abs/2010.15821), released code: its additional steps.

    Args:
        examples: The number of examples.
        clip_norm: The largest norm of the gradient; None: it is not clipped here.

    Raises:
        UsageError: no examples, a norm that is not positive, or a move of several paths.
    """

    examples: int
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        if self.examples < 1:
            raise UsageError(f"A step was to take {self.examples} examples; give at least 1.")
        if self.clip_norm is not None:
            check_number("The largest norm of the gradient", self.clip_norm, above=0)

    def __call__(self, executor: Executor, move: Move, step: Step) -> list[Tensor]:
        if len(move.paths) != 1:
            raise UsageError("A step on a part of the batch is of one path; give the move no more.")
        batch = executor.batch(move.data).part(slice(0, self.examples))
        loss, _ = executor.run(move.paths[0], batch, step)
        parameters = executor.parameters(move.families)
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        average(executor.fabric, [gradient for gradient in found if gradient is not None])
        for parameter, gradient in zip(parameters, found, strict=True):
            parameter.grad = gradient
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, self.clip_norm)
        return [loss.detach()]
