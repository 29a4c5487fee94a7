"""A step of the weights that is looked through (Cream)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.modes import all_but_normalisation, evaluating
from supernet.train.executor import Executor
from supernet.train.move import Move, Path
from supernet.train.part import WEIGHTS
from supernet.train.processes.sharding import USE_DDP
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class LookAhead:
    """∇_θ L₂(w − η ∇_w L₁(w, θ)), by automatic differentiation through one plain step of the weights.

    Cream, [arXiv 2010.15821](https://arxiv.org/abs/2010.15821), §3.2. θ are the families of the move, η is the
    learning rate that the weights have now; the step has neither momentum nor weight decay, and the weights stay where
    they are. L₁ is the loss of the first path of the move on the first examples of the batch, L₂ that of the second
    path on as many after them; nothing drops. With several processes each looks ahead by its own examples, and the
    gradients are averaged.

    The gradient is −η ∇_θ ⟨v, ∇_w L₁(w, θ)⟩ with v = ∇L₂ where the step ends. The product is the derivative of L₁ along
    v, which one more pass of L₁ carries along (forward mode), so that no operation of the network needs a second
    derivative: three forwards of these examples, and two backwards.

    Args:
        examples: The number of examples for either loss; None: half of the batch.

    Raises:
        UsageError: no examples; a move of other than two paths, a batch that is too small, or weights that processes
            share out.
    """

    examples: int | None = None

    def __post_init__(self) -> None:
        if self.examples is not None and self.examples < 1:
            raise UsageError(f"A look ahead was to take {self.examples} examples; give at least 1, or None.")

    def __call__(self, executor: Executor, move: Move, step: Step) -> list[Tensor]:
        if executor.sharding is not None:
            raise UsageError(
                f"A look ahead exchanges weights, which it cannot while processes share them out. {USE_DDP}"
            )
        batch = executor.batch(move.data)
        count = batch.size // 2 if self.examples is None else self.examples
        if len(move.paths) != 2 or move.micro_batch is not None:
            raise UsageError("A look ahead is of two paths on the whole batch: one that steps, and one that judges.")
        check_slices(batch.size, count)
        ahead, judged = move.paths
        parts = [batch.part(slice(begin, begin + count)) for begin in (0, count)]
        weights = executor.steppers[WEIGHTS]
        rate = weights.lr(step, [ahead])

        def loss(path: Path, piece: Batch) -> Tensor:
            return executor.run(path, piece, step)[0]

        with evaluating(all_but_normalisation(executor.net)):
            first = loss(ahead, parts[0])
            gradient = torch.autograd.grad(first, weights.parameters, allow_unused=True)
            moved = {
                parameter: (parameter.detach() - rate * found).requires_grad_()
                for parameter, found in zip(weights.parameters, gradient, strict=True)
                if found is not None
            }
            second = _at(executor.net, moved, lambda: loss(judged, parts[1]))
            back = torch.autograd.grad(second, list(moved.values()), allow_unused=True)
            along = {p: found for p, found in zip(moved, back, strict=True) if found is not None}
            with _quiet(), forward_ad.dual_level(), sdpa_kernel(SDPBackend.MATH):
                still = {p: p.detach() for p in weights.parameters}
                duals = {p: forward_ad.make_dual(still[p], found) for p, found in along.items()}  # type: ignore[no-untyped-call]
                again = _at(executor.net, still | duals, lambda: loss(ahead, parts[0]))
                slope = forward_ad.unpack_dual(again).tangent  # type: ignore[no-untyped-call]
        _leave(executor.parameters(move.families), slope, -rate)
        return [first.detach(), second.detach()]


def _leave(parameters: list[nn.Parameter], slope: Tensor | None, factor: float) -> None:
    """Leave the gradient of the slope, times a factor, on the parameters.

    Raises:
        UsageError: it depends on none of them.
    """
    if slope is None or not slope.requires_grad:
        raise UsageError(
            "The loss that is stepped on does not depend on the parameters that look ahead, or not on the weights. Use "
            "an objective that does, or leave the gradient rule out."
        )
    for parameter, found in zip(parameters, torch.autograd.grad(slope, parameters, allow_unused=True), strict=True):
        parameter.grad = None if found is None else factor * found


def check_slices(size: int, examples: int) -> None:
    """Raise a UsageError if a batch has not two slices of so many examples."""
    if size < 2 * max(examples, 1):
        raise UsageError(
            f"A look ahead takes two slices of {max(examples, 1)} examples from a batch, but batches have {size}. "
            f"Train on batches of {2 * max(examples, 1)} or more, or take smaller slices."
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch says of itself when it first carries derivatives forward."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*torch\.jit\.script", category=FutureWarning)
        warnings.filterwarnings("ignore", message=r".*torch\.jit\.script", category=DeprecationWarning)
        yield


class _Run(nn.Module):
    """Calls a function while the parameters of the supernet may be others."""

    def __init__(self, net: Supernet, run: Callable[[], Tensor]) -> None:
        super().__init__()
        self.net, self.run = net, run

    def forward(self) -> Tensor:
        return self.run()


def _at(net: Supernet, moved: dict[nn.Parameter, Tensor], run: Callable[[], Tensor]) -> Tensor:
    """What `run` gives where some parameters of the supernet are exchanged for other tensors.

    Every place of a parameter is named once: torch would not put a module back that it found under two names.
    """
    exchanged = {
        f"net.{place}.{name}".replace("..", "."): moved[parameter]
        for place, module in net.named_modules()
        for name, parameter in module.named_parameters(recurse=False)
        if parameter in moved
    }
    found: Tensor = functional_call(_Run(net, run), exchanged, (), tie_weights=False)
    return found
