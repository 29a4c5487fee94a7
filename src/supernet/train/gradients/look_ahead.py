"""A step of the weights that is looked through (Cream)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.executor import Executor
from supernet.train.move import Move, Step
from supernet.train.part import WEIGHTS


@dataclass(frozen=True, kw_only=True)
class LookAhead:
    """∇_θ L₂(w − η ∇_w L₁(w, θ)), by automatic differentiation through one plain step of the weights.

    Cream, [arXiv 2010.15821](https://arxiv.org/abs/2010.15821), §3.2. θ are the families of the move, η is the
    learning rate that the weights have now; the step has neither momentum nor weight decay, and the weights stay where
    they are. L₁ is the loss of the first path of the move on the first examples of the batch, L₂ that of the second
    path on as many after them; L₁ has to depend on θ. Where both are one path it costs two forwards of these examples
    and their backwards, of which that of L₁ is gone through a second time. With several processes each looks ahead by
    its own examples, and the gradients are averaged.

    Args:
        examples: The number of examples for either loss; None: half of the batch.

    Raises:
        UsageError: no examples; a move of other than two paths, or a batch that is too small.
    """

    examples: int | None = None

    def __post_init__(self) -> None:
        if self.examples is not None and self.examples < 1:
            raise UsageError(f"A look ahead was to take {self.examples} examples; give at least 1, or None.")

    def __call__(self, executor: Executor, move: Move, step: Step) -> list[Tensor]:
        batch = executor.batch(move.data)
        count = batch.size // 2 if self.examples is None else self.examples
        if len(move.paths) != 2 or move.micro_batch is not None:
            raise UsageError("A look ahead is of two paths on the whole batch: one that steps, and one that judges.")
        check_slices(batch.size, count)
        ahead, judged = move.paths
        parameters, weights = executor.parameters(move.families), executor.steppers[WEIGHTS]
        first, _ = executor.run(ahead, batch.part(slice(0, count)), step)
        gradient = torch.autograd.grad(first, weights.parameters, create_graph=True, allow_unused=True)
        rate = weights.lr(step, [ahead])
        moved = {
            parameter: parameter - rate * found
            for parameter, found in zip(weights.parameters, gradient, strict=True)
            if found is not None
        }
        second = _at(executor.net, moved, lambda: executor.run(judged, batch.part(slice(count, 2 * count)), step)[0])
        through = torch.autograd.grad(second, parameters, allow_unused=True)
        for parameter, found in zip(parameters, through, strict=True):
            parameter.grad = found
        return [first.detach(), second.detach()]


def check_slices(size: int, examples: int) -> None:
    """Raise a UsageError if a batch has not two slices of so many examples."""
    if size < 2 * max(examples, 1):
        raise UsageError(
            f"A look ahead takes two slices of {max(examples, 1)} examples from a batch, but batches have {size}. "
            f"Train on batches of {2 * max(examples, 1)} or more, or take smaller slices."
        )


class _Run(nn.Module):
    """Calls a function while the parameters of the supernet may be others."""

    def __init__(self, net: Supernet, run: Callable[[], Tensor]) -> None:
        super().__init__()
        self.net, self.run = net, run

    def forward(self) -> Tensor:
        return self.run()


def _at(net: Supernet, moved: dict[nn.Parameter, Tensor], run: Callable[[], Tensor]) -> Tensor:
    """What `run` gives where some parameters of the supernet are exchanged for other tensors."""
    exchanged = {f"net.{name}": moved[p] for name, p in net.named_parameters() if p in moved}
    found: Tensor = functional_call(_Run(net, run), exchanged, ())
    return found
